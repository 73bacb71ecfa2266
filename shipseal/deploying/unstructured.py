"""Read what an API server says of an object, whatever shape it has. Pure.

Whoever may write an object chooses much of what is in it, and so does a server that is not the one it should be: what
is not of the form that is asked for counts as not there, and text is shortened and made fit to be shown.
"""

from shipseal.deploying.manifests import Object, dig, entries
from shipseal.terminal_text import line

_LARGEST = 2**63  # JSON numbers of the API are int64 (API conventions, "Primitive types")


def said(value: object, most: int = 300) -> str:
    """Return a text on one line, shown in full up to `most` characters; empty for what is no text."""
    seen = line(" ".join(text(value)[: 4 * most].split()))
    return seen if len(seen) <= most else f"{seen[:most]}…"


def text(value: object) -> str:
    """Return a text as it is; empty for what is none."""
    return value if isinstance(value, str) else ""


def number(value: object, default: int) -> int:
    """Return a whole number of the API, else the default: a truth value is no number, nor is what int64 cannot hold."""
    return value if type(value) is int and -_LARGEST <= value < _LARGEST else default


def conditions(body: object, kind: str) -> tuple[Object, ...]:
    """Return the conditions of one type in `status.conditions` (API conventions, "Typical status properties")."""
    return tuple(each for each in entries(dig(body, "status").get("conditions")) if each.get("type") == kind)


def holds(body: object, kind: str) -> bool:
    """Say whether a condition of a type has the status True."""
    return any(each.get("status") == "True" for each in conditions(body, kind))


def name_of(body: object) -> str:
    """Return an object's name, to be shown; empty when it has none."""
    return said(dig(body, "metadata").get("name"), 253)


def uid_of(body: object) -> str:
    """Return what tells an object from one of the same name before it; empty when it has none."""
    return text(dig(body, "metadata").get("uid"))
