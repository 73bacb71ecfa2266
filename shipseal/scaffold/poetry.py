"""Write what Poetry understands by a dependency as everybody does (PEP 508). Pure.

Source: Poetry's documentation, "Dependency specification": caret, tilde and wildcard requirements.
"""

import re
from collections.abc import Mapping
from typing import Any

_VERSION = re.compile(r"([~^]?)\s*(\d+(?:\.\d+)*)(\S*)")


def requirement(name: str, constraint: Any) -> str:
    """Return one dependency as a requirement.

    Args:
        name: of the package.
        constraint: what stands for it: text, or a table with `version` and perhaps `extras` and `markers`.

    Raises:
        ValueError: it is not of the index but of a repository, an address or a directory.
    """
    table = constraint if isinstance(constraint, Mapping) else {"version": constraint}
    if "version" not in table:
        raise ValueError(f"{name} is not taken from an index: name a released version of it")
    extras = f"[{','.join(table['extras'])}]" if table.get("extras") else ""
    wanted = ",".join(filter(None, (_specifier(each.strip()) for each in str(table["version"]).split(","))))
    marker = f" ; {table['markers']}" if table.get("markers") else ""
    return f"{name}{extras}{wanted}{marker}"


def _specifier(text: str) -> str:
    if text in {"*", ""}:
        return ""
    found = _VERSION.fullmatch(text)
    if not found:
        return text  # `>=1,<2`, `==1.*` and the like are everybody's
    sign, version, rest = found.groups()
    if rest.startswith(".*"):
        return f"=={version}.*"
    parts = [int(part) for part in version.split(".")]
    if sign == "^":
        return f">={version}{rest},<{_next(parts, next((at for at, part in enumerate(parts) if part), len(parts) - 1))}"
    if sign == "~":
        return f">={version}{rest},<{_next(parts, min(1, len(parts) - 1))}"
    return f"=={version}{rest}"


def _next(parts: list[int], at: int) -> str:
    """Return the first version in which a part is larger."""
    return ".".join(map(str, [*parts[:at], parts[at] + 1]))
