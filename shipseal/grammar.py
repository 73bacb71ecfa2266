"""Know the forms of what locks name: they reach the command lines of apt, pip, uv and Go. Pure.

Whoever reads a file checks each value against its form there, so that what has another is refused with the file and the
key before any program starts. No form begins with a hyphen, or holds white space or control characters except where it
says so: none can be an option, a second argument or a second line.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

_SHOWN = 100
_LONGEST = 512
# module.CheckImportPath (golang.org/x/mod/module), which allows a leading hyphen further on; no module here needs it.
_ELEMENT = r"[A-Za-z0-9_~][A-Za-z0-9_.~+-]*"
_IMPORT = rf"{_ELEMENT}(/{_ELEMENT})*"


@dataclass(frozen=True)
class Form:
    """One form of text: what it is called, and the pattern that all of it fits; `quoted` where %XX stand in it."""

    name: str
    pattern: str
    quoted: bool = False

    def fits(self, value: object) -> bool:
        """Say whether a value is a text of this form; one of more than 512 characters is of none."""
        if not isinstance(value, str) or len(value) > _LONGEST:
            return False
        return re.fullmatch(self.pattern, unquote(value) if self.quoted else value, re.ASCII) is not None

    def check(self, value: object, key: str) -> str:
        """Return a text of this form; raise `ValueError`, which names the key, for anything else."""
        if not isinstance(value, str) or not self.fits(value):
            raise ValueError(f"{key} is not a valid {self.name}: {repr(value)[:_SHOWN]}")
        return value


DEBIAN_PACKAGE = Form("name of a Debian package", r"[a-z0-9][a-z0-9+.-]+")
"""Debian Policy 5.6.1 and 5.6.7."""
DEBIAN_VERSION = Form("version of a Debian package", r"([0-9]+:)?[0-9][A-Za-z0-9.+~-]*")
"""Debian Policy 5.6.12; dpkg takes no colon in it but the one after the epoch."""
DEBIAN_ARCHITECTURE = Form("architecture of Debian", r"[a-z0-9][a-z0-9-]*")
"""Debian Policy 11.1, dpkg-architecture(1)."""
DEBIAN_SOURCE = Form("source of a Debian package", rf"({DEBIAN_PACKAGE.pattern}( \({DEBIAN_VERSION.pattern}\))?)?")
"""deb-control(5), `Source`; nothing where a lock does not say it."""
DEBIAN_SUITE = Form("suite of Debian", r"[a-z0-9][a-z0-9.-]*")
PYTHON = Form("version of Python", r"3\.[0-9]{1,2}")
DEBIAN_PATH = Form("path of a .deb below a mirror", r"([A-Za-z0-9_][A-Za-z0-9_.+~:-]*/)*[A-Za-z0-9_][\w.+~:-]*", True)
"""Relative, without `..`, host or query, also once it is unquoted (RFC 3986, 2.1)."""
SONAME = Form("name of a shared library", r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
SHA256 = Form("sha256", r"[0-9a-f]{64}")

PYTHON_PACKAGE = Form("name of a Python package", r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""PEP 508, "Names"; PEP 503 says which are the same."""
PYTHON_VERSION = Form("version of a Python package", r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
"""The characters of PEP 440, as whose `==` it has been read."""

STATEMENTS = Form("name of a VEX file", r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.json")
"""It is told in messages and in evidence."""
FINDING = Form("id of a vulnerability", r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
"""A draft is named by it."""
FACTS = Form("name of a file of facts about advisories", r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.toml")

TOOL = Form("name of a tool", r"[a-z0-9][a-z0-9-]*")
"""It is a directory below tools/, too."""
GO_VERSION = Form("version of a Go module", r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
"""go.dev/ref/mod, "Versions", without the leading `v`."""
GO_PACKAGE = Form("import path of a Go package", _IMPORT)
LINKER_FLAGS = Form("choice of -s, -w and -X", rf"((-s|-w|-X {_IMPORT}=[A-Za-z0-9_.+-]*)( (?!$)|$))*")
"""Of `go tool link` those that start nothing: `-extld` would name a program."""
PLATFORM = Form("platform", r"[a-z0-9]+/[a-z0-9]+")
"""Values of GOOS and GOARCH (OCI image specification, image-index.md, "platform")."""
