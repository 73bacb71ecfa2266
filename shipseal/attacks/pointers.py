"""Reach into documents of any shape by JSON Pointer (RFC 6901), to change what a signer has said. Pure."""

from typing import Any


def at(document: Any, pointer: str) -> Any:
    """Return what a pointer leads to; `-1` is the last of a list."""
    for key in pointer.split("/")[1:]:
        document = document[int(key) if isinstance(document, list) else key]
    return document


def put(document: Any, pointer: str, value: object) -> None:
    """Put something else where a pointer leads."""
    place, _, key = pointer.rpartition("/")
    at(document, place)[key] = value
