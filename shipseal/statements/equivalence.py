"""Know whether two statements say the same but for some keys, so that nobody attaches a second. Pure.

What a release signs is compared by `intent`, which knows what belongs to one run in each type.
"""

import json
from collections.abc import Collection


def says_the_same(one: bytes, other: bytes, apart: Collection[str] = ()) -> bool:
    """Say whether two statements differ in nothing but some keys of their predicates."""
    return bool(_without(one, apart) == _without(other, apart))


def _without(statement: bytes, apart: Collection[str]) -> object:
    value = json.loads(statement)
    if isinstance(value, dict) and isinstance(value.get("predicate"), dict):
        value["predicate"] = {key: each for key, each in value["predicate"].items() if key not in apart}
    return value
