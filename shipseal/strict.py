"""Read JSON that others wrote, and nothing that two readers could take for two things. Pure.

RFC 8259 leaves open what a name given twice means, and has no NaN; Python's reader takes the last, and NaN too.
"""

import json
from typing import Any


def loads(data: bytes | str) -> Any:
    """Read a document.

    Raises:
        ValueError: it is no JSON, has a name twice in one object, or a number that JSON has not.
        RecursionError: it is nested deeper than anything of ours.
    """
    return json.loads(data, object_pairs_hook=_once, parse_constant=_no_number)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:100]!a} is given twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")
