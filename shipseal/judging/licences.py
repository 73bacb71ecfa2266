"""Read licence expressions, and say whether one is satisfied by what a policy allows. Pure.

SPDX specification 2.3, annex D: `AND` binds before `OR`, and `WITH` belongs to the identifier before it. Identifiers
are those of SPDX's own list, which `packaging` has.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

_LONGEST = 500  # characters
_DEEPEST = 20
_TOKEN = re.compile(r"[()]|[^\s()]+")


@lru_cache(maxsize=1024)
def canonical(text: str) -> str:
    """Return an expression as SPDX spells it; raise `ValueError` for what is none."""
    if len(text) > _LONGEST or text.count("(") > _DEEPEST:
        raise ValueError(f"a licence expression has {_LONGEST} characters and {_DEEPEST} parentheses at most")
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise ValueError(f"{str(error)[:120]}: name it as https://spdx.org/licenses does") from error


def satisfied(expression: str, may: Callable[[str], bool]) -> bool:
    """Say whether a canonical expression leaves a choice of licences all of which may be used."""
    tokens = [*_TOKEN.findall(expression), ")"]
    value, rest = _either(tokens, 0, may)
    if rest != len(tokens):
        raise ValueError(f"{expression[:120]} is not a valid licence expression")
    return value


def _either(tokens: list[str], at: int, may: Callable[[str], bool]) -> tuple[bool, int]:
    """Read alternatives up to the parenthesis that ends them."""
    value, at = _every(tokens, at, may)
    while tokens[at] == "OR":
        other, at = _every(tokens, at + 1, may)
        value = value or other
    return value, at + 1


def _every(tokens: list[str], at: int, may: Callable[[str], bool]) -> tuple[bool, int]:
    value, at = _one(tokens, at, may)
    while tokens[at] == "AND":
        other, at = _one(tokens, at + 1, may)
        value = value and other
    return value, at


def _one(tokens: list[str], at: int, may: Callable[[str], bool]) -> tuple[bool, int]:
    if tokens[at] == "(":
        return _either(tokens, at + 1, may)
    if tokens[at + 1] == "WITH":
        return may(f"{tokens[at]} WITH {tokens[at + 2]}"), at + 3
    return may(tokens[at]), at + 1


def declared(licenses: object) -> tuple[str | None, str]:
    """Return what `licenses` of a component of a CycloneDX SBOM says, and the words in which it does.

    Several entries hold together (CycloneDX 1.6, "licenses"). The expression is None where nothing is said, or not by
    SPDX.
    """
    said = [*_said(licenses)]
    words = " AND ".join(f"({each})" if " " in each and len(said) > 1 else each for each in said)
    try:
        return (canonical(words) if words else None), words
    except ValueError:
        return None, words


def _said(listed: object) -> Iterator[str]:
    for each in listed if isinstance(listed, Iterable) and not isinstance(listed, str | bytes) else ():
        if isinstance(each, Mapping):
            inner = each.get("license")
            named = inner.get("id") or inner.get("name") if isinstance(inner, Mapping) else None
            yield str(each.get("expression") or named or "what cannot be read")
