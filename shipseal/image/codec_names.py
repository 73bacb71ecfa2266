"""Know which codecs a source names: `"…".encode("idna")` imports `encodings.idna`, and no statement shows it. Pure.

Names are looked up as `encodings` does, in the image's own table of aliases (`encodings/aliases.py`), so that what is
found follows from the image's Python alone, and not from the one that runs this.
"""

import ast
import re
from collections.abc import Iterator, Mapping

PACKAGE = "encodings"
ALIASES = f"{PACKAGE}.aliases"
# Two are of Windows, and one is there to fail.
_NOT_CODECS = (ALIASES, *(f"{PACKAGE}.{name}" for name in ("mbcs", "oem", "undefined")))
# A string of its own that could be a name. A number alone is one too (437, 850), and never meant as one.
_STRING = re.compile(rb"""["']([A-Za-z][\w.-]{1,30})["']""")
# A line that says what its string is for: `codecs.encode(data, "hex")`, `open(path, encoding="utf-16")`.
_USED = re.compile(rb"""(?:codecs\.|code\(|encoding=)[^\n]*""")
_NO_TEXT = b"_is_text_encoding=False"


class Codecs:
    """The codecs that could be in an image."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        """Take in the sources of `encodings` and all below it, by the names of the modules."""
        self._aliases = dict(_table(sources.get(ALIASES, b"")))
        self._modules = {name for name in sources if name.startswith(f"{PACKAGE}.") and name not in _NOT_CODECS}
        self._no_text = {name for name in self._modules if _NO_TEXT in sources[name]}

    def named(self, source: bytes, *, used: bool) -> set[str]:
        """Return the modules of the codecs that a source names.

        Args:
            used: count only what stands where a codec is used. What turns bytes into bytes counts only there in any
                case: `"hex"`, `"zip"` and `"bz2"` are words of many meanings.
        """
        lines = b"\n".join(_USED.findall(source))
        spoken = self._found(lines)
        return spoken if used else spoken | (self._found(source) - self._no_text)

    def _found(self, source: bytes) -> set[str]:
        names = {match.decode("ascii", "replace") for match in _STRING.findall(source)}
        return {module for name in names for module in self._lookup(name) if module in self._modules}

    def _lookup(self, name: str) -> Iterator[str]:
        """Yield the first module that `encodings.search_function` would import for a name."""
        normal = re.sub(r"[^A-Za-z0-9.]+", "_", name).strip("_").lower()
        alias = self._aliases.get(normal) or self._aliases.get(normal.replace(".", "_"))
        yield f"{PACKAGE}.{alias or normal}"


def _table(source: bytes) -> Mapping[str, str]:
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign([ast.Name("aliases")], value):
                found: dict[str, str] = ast.literal_eval(value)
                return found
    return {}
