"""Check what people wrote in a policy file against a model, and say what is wrong in the file's own words."""

import difflib
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import ConfigError


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
            why=[_say(problem, known) for problem in error.errors()],
            do="correct the file; docs/policy.md describes every key",
        ) from error


def _models(model: type[BaseModel]) -> Iterable[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _models(inner)


def _say(problem: Any, known: Iterable[str]) -> str:
    where = ".".join(map(str, problem["loc"]))
    if problem["type"] != "extra_forbidden":
        return f"{where}: {problem['msg']}"
    guesses = difflib.get_close_matches(str(problem["loc"][-1]), list(known), n=1)
    return f"{where}: there is no such key" + (f"; did you mean {guesses[0]}?" if guesses else "")
