"""Write files that a verb makes out of what others say, below a directory of the project, and tell which are new."""

from collections.abc import Mapping
from pathlib import Path

from shipseal import disk
from shipseal.errors import UsageError


def own(directory: Path, root: Path, remedy: str) -> Path:
    """Return a directory of the project as it is; raise `UsageError` where it is none, or leads out of it."""
    place = directory.resolve()
    if not place.is_dir() or not place.is_relative_to(root):
        raise UsageError(f"{directory} is not a directory of this project", remedy=remedy)
    return place


def put(directory: Path, files: Mapping[str, bytes], root: Path) -> None:
    """Write files by their names below a directory, and print of each whether it is another than before."""
    for name, text in files.items():
        path, wanted = directory / name, text.decode()
        with disk.disk(directory):
            path.parent.mkdir(exist_ok=True)
            if not path.parent.resolve().is_relative_to(root):
                raise UsageError(f"{path.parent} leads out of this project", remedy="take the link away")
            same = path.is_file() and not path.is_symlink() and disk.text_of(path) == wanted
            if not same:
                disk.write(path, wanted)
        print(f"{'unchanged' if same else 'written'}  {path.relative_to(root).as_posix()}")
