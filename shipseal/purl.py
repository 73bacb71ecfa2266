"""Read package URLs far enough to say whether two of them name the same package. Pure.

Specification: package-url/purl-spec, "Rules for each purl component". Syft escapes `:` and `+` in versions and others
do not, and Python's distributions and every version have several spellings, so purls are compared by their parts, and
never as text.
"""

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, quote, unquote

from packaging.utils import canonicalize_name

from shipseal import versions
from shipseal.errors import VerificationFailed


@dataclass(frozen=True, order=True)
class Purl:
    """A package URL in parts. An empty version means every version, no qualifiers mean any."""

    type: str
    namespace: str
    name: str
    version: str = ""
    qualifiers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `pkg:type/namespace/name@version?qualifiers`; raise `VerificationFailed` on anything else."""
        scheme, _, rest = text.partition(":")
        rest, _, query = rest.partition("#")[0].partition("?")
        path, _, version = rest.strip("/").partition("@")
        kind, slash, full_name = path.partition("/")
        namespace, _, name = full_name.rpartition("/")
        if scheme != "pkg" or not kind or not slash or not name:
            raise VerificationFailed(f"not a package URL: {text[:200]}", remedy="give it as pkg:TYPE/NAME@VERSION")
        name = unquote(name)
        if kind.lower() == "pypi":
            name = canonicalize_name(name)
        return cls(kind.lower(), unquote(namespace), name, unquote(version), tuple(sorted(parse_qsl(query))))

    def __str__(self) -> str:
        """Return the text form without qualifiers."""
        path = "/".join(quote(part, safe="") for part in (self.namespace, self.name) if part)
        return f"pkg:{self.type}/{path}" + (f"@{quote(self.version, safe=':')}" if self.version else "")

    def covers(self, other: Self) -> bool:
        """Say whether a statement about this package is one about the other: each part that is given must be equal."""
        return (not self.version or self.same_package(other)) and (
            self._named == other._named and set(self.qualifiers) <= set(other.qualifiers)
        )

    def same_package(self, other: Self) -> bool:
        """Say whether both name the same version of the same package, however they spell it, whatever else they say."""
        return self._named == other._named and versions.same(self.type, self.version, other.version)

    @property
    def _named(self) -> tuple[str, str, str]:
        return self.type, self.namespace, self.name
