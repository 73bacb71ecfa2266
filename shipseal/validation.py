"""Check what people wrote in a policy file against a model, and say what is wrong in the file's own words. Pure."""

import difflib
from collections.abc import Iterable
from datetime import date
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from shipseal.errors import ConfigError


class Checked(BaseModel):
    """A part of a policy file: frozen, and no key in it that its model does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=lambda name: name.replace("_", "-"))


Model = TypeVar("Model", bound=BaseModel)


def check(model: type[Model], document: Any, where: str) -> Model:
    """Return the document as a value of the model; raise `ConfigError` with every key at fault.

    Args:
        model: what the document must be.
        document: the parsed file.
        where: the file's name, for the error.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        known = {field.alias or name for each in _models(model) for name, field in each.model_fields.items()}
        raise ConfigError(
            f"{where} asks for something that cannot be",
            why=[say(problem, known) for problem in error.errors()],
            remedy="correct the file; docs/policy.md describes every key",
        ) from error


def _models(model: type[BaseModel]) -> Iterable[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _models(inner)


def say(problem: Any, known: Iterable[str]) -> str:
    """Return one finding of pydantic as people read it: the key as it stands in the file, and what is wrong there.

    Args:
        problem: one of `ValidationError.errors()`.
        known: every key that there is, for a guess at what was meant.
    """
    where = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        every = list(known)
        name = where if any("." in key for key in every) else str(problem["loc"][-1])
        guesses = difflib.get_close_matches(name, every, n=1)
        return f"{where}: there is no such key" + (f"; did you mean {guesses[0]}?" if guesses else "")
    said = _WORDS.get(problem["type"], _KINDS.get(problem["type"].partition("_")[0], "it is not what belongs there"))
    told = said.format(**{"input": _shown(problem.get("input")), **problem.get("ctx", {})})
    return f"{where}: {told}" if where else told


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    shown = value.isoformat() if isinstance(value, date) else repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


_SHOWN = 60

# What pydantic calls its findings (docs.pydantic.dev, "Validation Errors"), in the words of somebody who wrote a file.
_WORDS = {
    "missing": "it is missing",
    "value_error": "{error}",
    "enum": "{input} is none of {expected}",
    "literal_error": "{input} is none of {expected}",
    "string_pattern_mismatch": "{input} has another form than it takes",
    "string_too_short": "it is shorter than {min_length} characters",
    "string_too_long": "it is longer than {max_length} characters",
    "too_short": "it has {actual_length} entries, and takes {min_length} at least",
    "too_long": "it has {actual_length} entries, and takes {max_length} at most",
    "greater_than": "{input} is not above {gt}",
    "greater_than_equal": "{input} is below {ge}",
    "less_than": "{input} is not below {lt}",
    "less_than_equal": "{input} is above {le}",
    "int_from_float": "{input} is not a whole number",
    "timezone_naive": "{input} has no time zone",
    "timezone_aware": "{input} has no time zone",
}
_KINDS = {
    "string": "{input} is not text",
    "int": "{input} is not a whole number",
    "float": "{input} is not a number",
    "finite": "{input} is not a number",
    "bool": "{input} is neither true nor false",
    "list": "{input} is not a list",
    "tuple": "{input} is not a list",
    "dict": "{input} is not a table",
    "model": "{input} is not a table",
    "date": "{input} is not a valid date",
    "datetime": "{input} is not a valid time",
    "timezone": "{input} is not a time with its zone",
    "path": "{input} is not a valid path",
    "url": "{input} is not a valid address",
}
