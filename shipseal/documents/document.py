"""Say what a document is: values of known types, read as a whole or refused, and written the same every time. Pure."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    RootModel,
    ValidationError,
)
from pydantic import WithJsonSchema as Schema

from shipseal import strict, validation
from shipseal.digest import Digest, Reference
from shipseal.errors import VerificationFailed
from shipseal.purl import Purl
from shipseal.times import read_time

_MOST_SHOWN = 5
_SHAPE = "="  # before the name of one of the shapes of a part: it is in no document
# In the words of JSON, where a file that people write has others.
_WORDS = {
    "extra_forbidden": "there is no such key",
    "union_tag_not_found": "it does not say which of its shapes it has",
    "unexpected_keyword_argument": "there is no such key",
    "json_invalid": "it is not JSON",
    "model_type": "it is not an object",
    "model_attributes_type": "it is not an object",
    "dataclass_type": "it is not an object",
    "dict_type": "it is not an object",
    "mapping_type": "it is not an object",
}
# Names are for those who make one here; in a document it is its alias that counts, see `parse`.
_RULES = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, validate_by_name=True, validate_by_alias=True)


class Readable(Protocol):
    """What documents are read from: a stage's context, which refuses stages that its row does not name."""

    def read(self, stage: str, relative: str) -> bytes:
        """Return what a stage has left; raise `VerificationFailed` where there is nothing."""


class Writable(Protocol):
    """What documents are written to: a stage's context."""

    def write_json(self, relative: str, value: object) -> Path:
        """Write a value, the same bytes for the same value, and return where."""


class Kept(BaseModel):
    """What every document has: a stage that writes it, and a name in that stage's directory."""

    STAGE: ClassVar[str]
    NAME: ClassVar[str]

    @classmethod
    def read(cls, context: Readable, place: str = "") -> Self:
        """Read it from a needed stage; raise `VerificationFailed` for anything that is not this document.

        Args:
            context: of the stage that reads.
            place: the directory it is in below the stage's own: one for each platform has its name.
        """
        relative = f"{place}/{cls.NAME}" if place else cls.NAME
        return cls.parse(context.read(cls.STAGE, relative), f"{cls.STAGE}/{relative}")

    @classmethod
    def parse(cls, data: bytes, file: str = "") -> Self:
        """Read its bytes; raise `VerificationFailed` with each key at fault, and the file's name.

        Pydantic takes the last of two values under one name, and reads NaN where any value may be: neither is ours.
        """
        try:
            with _without_collecting():
                strict.loads(data)
                return cls.model_validate_json(data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise cls._refused(file, problems(error)) from error
        except (ValueError, RecursionError) as error:
            raise cls._refused(file, [f"it is not JSON: {error}"]) from error

    @classmethod
    def _refused(cls, file: str, why: list[str]) -> VerificationFailed:
        return VerificationFailed(
            f"{file or f'{cls.STAGE}/{cls.NAME}'} has a shape that this pipeline does not know",
            why=why,
            remedy=f"run `shipseal stage {cls.STAGE}` again, and find out who wrote it",
        )

    def write(self, context: Writable, place: str = "") -> Path:
        """Write it for people and machines, into a directory below the stage's own if one is named; return where."""
        return context.write_json(f"{place}/{self.NAME}" if place else self.NAME, self.as_json())

    def as_json(self) -> Any:
        """Return it as JSON has it."""
        return self.model_dump(mode="json", by_alias=True)


class Part(BaseModel):
    """An object in a document: frozen, of the very types it names, and no key in it that its model does not know."""

    model_config = ConfigDict(**_RULES, extra="forbid")


class Foreign(BaseModel):
    """An object that somebody else's program writes: what is relied on has its type, and the rest is passed over."""

    model_config = ConfigDict(**_RULES, extra="ignore")


class Whole(BaseModel):
    """The same, but the rest is kept, and written again as it was."""

    model_config = ConfigDict(**_RULES, extra="allow")


class Document(Part, Kept):
    """A document whose keys are known."""


class WholeDocument(Whole, Kept):
    """A document that somebody else's program has written, and that is passed on."""

    def as_json(self) -> Any:
        """Return it as JSON has it: what was not said is not said."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


Value = TypeVar("Value")


class Names(RootModel[Value], Kept):
    """A document whose keys are names, or that is a list; `root` is what it holds."""

    model_config = _RULES


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Put off the search for garbage in circles: values of JSON have none, and many of them are searched many times."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def problems(error: ValidationError) -> list[str]:
    """Return what a model has against something, a line each: the first of them, with the keys at fault."""
    found = error.errors()
    # Of a list that lacks what could not be read it says, besides, that it is too short.
    inside = {problem["loc"][:length] for problem in found for length in range(len(problem["loc"]))}
    return [_say(problem) for problem in found if problem["loc"] not in inside][:_MOST_SHOWN]


def _say(problem: Any) -> str:
    """Return a finding of pydantic with its place as JavaScript would name it: `platforms.linux/amd64.layers[0]`."""
    keys = [key for key in problem["loc"] if not str(key).startswith(_SHAPE)]
    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")
    said = _WORDS.get(problem["type"]) or validation.say({**problem, "loc": ()}, ())
    said = said.replace("a table", "an object", 1) if isinstance(problem["input"], dict) else said
    return f"{place}: {said}" if place else said


def _typed(form: str, read: Any) -> PlainValidator:
    """Return what reads a text of one form, and takes a value that has been read already."""

    def validate(value: Any) -> Any:
        if not isinstance(value, str):
            if type(value) is getattr(read, "__self__", None):
                return value
            raise ValueError(f"it is not a {form}")
        try:
            return read(value)
        except (ValueError, VerificationFailed) as error:
            raise ValueError(f"it is not a {form}") from error

    return PlainValidator(validate)


_AS_TEXT = PlainSerializer(str, return_type=str)

DigestText = Annotated[
    Digest,
    _typed("sha256 digest", Digest.parse),
    _AS_TEXT,
    Schema({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}),
]
"""A digest, which JSON has as a text (image-spec, descriptor.md, "Digests")."""

ReferenceText = Annotated[
    Reference, _typed("reference by digest", Reference.parse), _AS_TEXT, Schema({"type": "string"})
]
"""The name of an image, by its digest."""


def _checked(form: str, read: Any) -> PlainValidator:
    """Return what leaves a text of one form as it is written: its spelling is part of what was said."""
    read = lru_cache(maxsize=4096)(read)  # thousands of findings are about a hundred packages

    def validate(value: Any) -> str:
        try:
            if isinstance(value, str) and read(value) is not False:
                return value
        except (ValueError, VerificationFailed) as error:
            raise ValueError(f"it is not a {form}") from error
        raise ValueError(f"it is not a {form}")

    return PlainValidator(validate, json_schema_input_type=str)


PurlText = Annotated[str, _checked("package URL", Purl.parse), Schema({"type": "string", "pattern": "^pkg:"})]
"""A package URL as it is written; `Purl.parse` gives its parts, by which two are compared."""

TimeText = Annotated[str, _checked("time with its zone", read_time), Schema({"type": "string", "format": "date-time"})]
"""A time as it is written, RFC 3339; `read_time` gives the time."""

PlatformText = Annotated[str, Field(pattern=r"^[a-z0-9]+(/[a-z0-9]+){1,2}$")]
"""A platform, OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT."""


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("nothing is there")
    return value


Lacking = Annotated[Value | None, BeforeValidator(_given), Field(exclude_if=lambda value: value is None)]
"""A value whose key may be missing, with None for its default: then the key is not written, and null is none."""


def told_by(key: str, value: object, then: str, otherwise: str) -> Discriminator:
    """Return what tells two shapes of a part by the value of a key; their tags begin with `=`, and stay inside."""

    def tag(part: Any) -> str | None:
        if isinstance(part, dict) and key not in part:
            return None
        found = part.get(key) if isinstance(part, dict) else getattr(part, key, None)
        return then if found is value or (isinstance(value, str) and found == value) else otherwise

    return Discriminator(tag)
