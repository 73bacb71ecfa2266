"""Say in JSON Schema what a document is, for programs that are not this one. Pure."""

import inspect
import json
import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from shipseal.documents.document import Kept

_FIELD = re.compile(r"^    (\w+): (.*(?:\n      .*)*)", re.MULTILINE)


class _Told(GenerateJsonSchema):
    """A generator that says of a key what the docstring says of it, and gives none a title beside its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic calls it so
        """Say of no field that it needs one."""
        return False

    def dict_schema(self, schema: Any) -> dict[str, Any]:
        """Return the schema of an object whose keys are names: of one form, where they have a form, and of no other."""
        found = super().dict_schema(schema)
        return {**found, "additionalProperties": False} if "patternProperties" in found else found

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """Return the schema of a model."""
        return _described(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: Any) -> dict[str, Any]:
        """Return the schema of a dataclass."""
        return _described(super().dataclass_schema(schema), schema["cls"])


def file(document: type[Kept]) -> str:
    """Return the name of the file of a document's schema: `image-closure.schema.json`."""
    return f"{document.STAGE}-{document.NAME.removesuffix('.json')}.schema.json"


def text(document: type[Kept]) -> str:
    """Return a document's schema (draft 2020-12) as its file in `docs/schemas` has it."""
    schema = document.model_json_schema(by_alias=True, mode="validation", schema_generator=_Told)
    return json.dumps({"$schema": _Told.schema_dialect, **schema}, indent=2, ensure_ascii=False) + "\n"


def _described(schema: dict[str, Any], model: type) -> dict[str, Any]:
    """Part a docstring: what it says of each argument is said of that key."""
    whole, _, arguments = inspect.cleandoc(model.__doc__ or "").partition("\n\nArgs:\n")
    aliases = {name: field.validation_alias for name, field in getattr(model, "__pydantic_fields__", {}).items()}
    for name, told in _FIELD.findall(arguments):
        key = schema.get("properties", {}).get(aliases.get(name) or name)
        if key is not None:
            key["description"] = " ".join(told.split())
    return {**schema, "description": " ".join(whole.split())}
