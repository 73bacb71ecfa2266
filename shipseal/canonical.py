"""Write a value as canonical JSON (RFC 8785): the only form in which a document is hashed. Pure."""

import rfc8785


def canonical(value: object) -> bytes:
    """Return a value as canonical JSON (RFC 8785): the only form in which a document is hashed."""
    return rfc8785.dumps(value)  # type: ignore[arg-type]  # its type is narrower than what it takes
