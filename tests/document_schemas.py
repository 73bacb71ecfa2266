"""Write the JSON Schema of every document that a stage leaves: `python -m tests.document_schemas docs/schemas`."""

import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from shipseal import documents
from shipseal.documents import schema
from shipseal.documents.document import Kept


def every() -> list[type[Kept]]:
    """Return every document that there is, by its stage and name; what reads no more than a part of one is none."""
    for module in pkgutil.iter_modules(documents.__path__):
        import_module(f"{documents.__name__}.{module.name}")
    return sorted(
        {each for each in _below(Kept) if "NAME" in vars(each) and each.model_config.get("extra") != "ignore"},
        key=schema.file,
    )


def _below(model: type[Kept]) -> Iterator[type[Kept]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)


def write(directory: Path) -> None:
    """Write them all, and remove those of documents that are no more."""
    directory.mkdir(exist_ok=True)
    texts = {schema.file(each): schema.text(each) for each in every()}
    for path in directory.glob("*.schema.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
