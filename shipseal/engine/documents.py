"""Know the documents that stages hand to each other, as far as others rely on them. Pure.

A record proves that nobody altered a file since its stage had finished. It does not prove that the stage, or whoever
wrote both, gave it the shape that the next one expects: that is looked at here, before anything is taken out. Pure.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any

from shipseal.digest import Digest, Reference
from shipseal.errors import VerificationFailed
from shipseal.purl import Purl

_SHOWN = 5


@dataclass(frozen=True)
class Text:
    """A text of one form: what that is called, and what raises `ValueError` or `VerificationFailed` for others."""

    form: str
    read: Callable[[str], object]


@dataclass(frozen=True)
class Each:
    """A list of things of one shape; `some` where an empty one would pass for good news."""

    shape: "Shape"
    some: bool = False


@dataclass(frozen=True)
class Named:
    """An object whose keys are names that the document gives, its values of one shape; `some` as for `Each`."""

    shape: "Shape"
    some: bool = False


@dataclass(frozen=True)
class Maybe:
    """What may be missing, and has this shape where it is there."""

    shape: "Shape"


Shape = type | UnionType | Text | Each | Named | Maybe | Mapping[str, Any]


DIGEST = Text("sha256 digest", Digest.parse)
REFERENCE = Text("reference by digest", Reference.parse)
PURL = Text("package URL", Purl.parse)

_PLATFORM: Shape = {
    "digest": DIGEST,
    "size": int,
    "layers": Each({"digest": DIGEST}, some=True),
    "packages": Each({"purl": PURL, "files": Each(str)}, some=True),
    "generated": Each(str),
}

_SHAPES: Mapping[str, Shape] = {
    "image/image.json": {
        "reference": REFERENCE,
        "digest": DIGEST,
        "platforms": Named(_PLATFORM, some=True),
        "service": {"version": str},
    },
}


def require_shape(stage: str, relative: str, value: Any) -> None:
    """Compare a stage's document with what others rely on; what is not known here may have any shape.

    Args:
        stage: who wrote it.
        relative: its path in the stage's directory; a directory in between is a platform.
        value: the parsed document.

    Raises:
        VerificationFailed: something that others rely on is missing or of another kind.
    """
    shape = _SHAPES.get(f"{stage}/{relative.rpartition('/')[2]}")
    wrong = list(_wrong(value, shape, "")) if shape is not None else []
    if wrong:
        raise VerificationFailed(
            f"{stage}/{relative} has a shape that this pipeline does not know",
            why=wrong[:_SHOWN],
            do=f"run `shipseal stage {stage}` again, and find out who wrote it",
        )


def _wrong(value: Any, shape: Shape, where: str) -> Iterator[str]:
    match shape:
        case Text():
            if not _fits(value, shape):
                yield f"{where or 'it'} is no {shape.form}"
        case Each():
            yield from _wrong_list(value, shape, where)
        case Named():
            yield from _wrong_names(value, shape, where)
        case Mapping():
            yield from _wrong_object(value, shape, where)
        case Maybe():
            yield from _wrong(value, shape.shape, where)
        case _:
            # To Python a bool is an int; to JSON it is none.
            if not isinstance(value, shape) or (isinstance(value, bool) and shape not in {bool, object}):
                yield f"{where or 'it'} is no {'object' if shape is dict else getattr(shape, '__name__', shape)}"


def _fits(value: Any, text: Text) -> bool:
    try:
        return isinstance(value, str) and bool(text.read(value) or True)
    except (ValueError, VerificationFailed):
        return False


def _wrong_list(value: Any, shape: Each, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where or 'it'} is no list"
    elif shape.some and not value:
        yield f"{where or 'it'} lists nothing"
    else:
        for index, each in enumerate(value):
            yield from _wrong(each, shape.shape, f"{where}[{index}]")


def _wrong_names(value: Any, shape: Named, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where or 'it'} is no object"
    elif shape.some and not value:
        yield f"{where or 'it'} names nothing"
    else:
        for name, each in value.items():
            yield from _wrong(each, shape.shape, f"{where}.{name}" if where else name)


def _wrong_object(value: Any, shape: Mapping[str, Any], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where or 'it'} is no object"
        return
    for key, inner in shape.items():
        path = f"{where}.{key}" if where else key
        if key in value:
            yield from _wrong(value[key], inner, path)
        elif not isinstance(inner, Maybe):
            yield f"{path} is missing"
