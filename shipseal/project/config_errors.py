"""Say what is wrong in `pipeline.toml` by its keys, and how it would be right. Pure."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from shipseal import validation

# How a text is written that has to be of one form: people learn more from it than from the pattern.
EXAMPLES = {
    "service.name": "greetings",
    "service.callable": "greetings.web:application",
    "service.server": "waitress, uvicorn, granian or gunicorn",
    "service.health": "/health",
    "service.environment.*": 'LOG_LEVEL = "debug", in one line',
    "smoke.requests.*.path": "/greetings?name=world",
    "smoke.requests.*.method": "POST",
    "smoke.requests.*.headers.*": 'Content-Type = "application/json", in one line of ASCII',
    "smoke.requests.*.json.*": "/items/0/name",
    "smoke.writable.*": "/var/cache/greetings",
    "image.made-modules.*": "six.moves",
    "image.runtime": "trimmed or full",
    "image.base": "debian-12 or debian-13",
    "registry.realm": "gitlab.example.com",
    "inputs.mirrors.*": "oci://docker.io/example/inputs",
    "deploy.kubernetes": "1.35",
    "deploy.cluster-uid": "0b1e7a52-6f0c-4c1e-9d3a-5f3f8f0c2b11",
    "deploy.probe": "greetings:http/alive",
    "deploy.eks.name": "greetings-production",
    "deploy.eks.region": "us-west-1",
    "deploy.eks.role": "arn:aws:iam::123456789012:role/deploy",
    "deploy.context": "production, in one line",
}
"""By key; `*` is any one part of it."""


def say(problem: Any, model: type[BaseModel]) -> str:
    """Turn one finding of pydantic into a line with the key as it stands in the file, and with an example.

    Args:
        problem: one of `ValidationError.errors()`.
        model: what the whole file is read into.
    """
    loc = tuple(part for part in problem["loc"] if part != "[key]")
    where = ".".join(map(str, loc))
    if problem["type"] == "string_pattern_mismatch" and (example := example_of(where)):
        return f"{where}: {problem['input']!r} is not of the form that it needs; as in {example}"
    return validation.say({**problem, "loc": loc}, _keys(model))


def example_of(where: str) -> str:
    """Return how the text of a key is written, or nothing where any text will do."""
    for key, example in EXAMPLES.items():
        known, parts = key.split("."), where.split(".")
        if len(parts) >= len(known) and all(name in ("*", part) for name, part in zip(known, parts, strict=False)):
            return example
    return ""


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        yield key
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{key}.")
