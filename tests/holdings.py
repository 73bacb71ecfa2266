"""An image as it was seen, for tests: a small service, an interpreter and two libraries, with some of it changed."""

from dataclasses import replace
from typing import Any

from shipseal.digest import Digest
from shipseal.judging.advisories import Facts, Knowledge, read_facts, together
from shipseal.judging.following import Following, follow
from shipseal.judging.image_holdings import Holdings, ImportClosure, Offered, Trace
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding
from tests.statements import finding

INDEX, AMD64 = (Digest.of(name) for name in (b"the index", b"linux/amd64"))
PYTHON = Purl.parse("pkg:deb/debian/python3.11-minimal@3.11.2-6+deb12u9")
LIBRARY = Purl.parse("pkg:deb/debian/zlib1g@1.2")
SERVICE = Purl.parse("pkg:pypi/sample@1")
TAR = "usr/lib/python3.11/tarfile.pyc"
MAIN = "usr/local/lib/python3.11/dist-packages/sample/__main__.pyc"
LIBZ, INTERPRETER, OTHER = "lib/libz.so.1.2.13", "usr/bin/python3.11", "usr/bin/other"

MODULE = 'module = "tarfile"'
FUNCTION = 'library = "libz.so.1"\nfunctions = ["crc32_combine*"]'
LOOKED = (
    'source = "https://example.com/advisory"\nsays = "the vulnerable code is in that place"\n'
    'looked-by = "A Tester"\nlooked-on = 2026-11-01\n'
)
CALLER = (
    '[[caller]]\npackage = "pkg:deb/debian/python3.11-minimal"\nupstream = "3.11.2"\n'
    f'functions = ["dlsym", "crc32_combine"]\n{LOOKED}'
)

SEEN = Holdings(
    image=INDEX,
    packages=(LIBRARY, PYTHON, SERVICE),
    paths=frozenset({LIBZ, "lib/libz.so.1", INTERPRETER, MAIN}),
    imports={LIBZ: frozenset({"malloc"}), INTERPRETER: frozenset({"crc32", "dlsym"})},
    exports={LIBZ: frozenset({"crc32", "crc32_combine"}), INTERPRETER: frozenset()},
    owners={LIBZ: (LIBRARY,), INTERPRETER: (PYTHON,), MAIN: (SERVICE,)},
    words={LIBZ: frozenset(), INTERPRETER: frozenset(), MAIN: frozenset()},
    closures={"linux/amd64": ImportClosure(frozenset({"os", "sample.__main__"}), {})},
    offered={
        "linux/amd64": Offered(
            frozenset({LIBZ, "lib/libz.so.1", INTERPRETER, "usr/lib/python3.11/tarfile.py"}),
            frozenset({"zipimport"}),
            {"libz.so.1": frozenset({"crc32"})},
        )
    },
    trace=Trace(AMD64, frozenset({MAIN, LIBZ, INTERPRETER}), frozenset(), frozenset({TAR}), "3 requests"),
)
"""An image without the module `tarfile`, in which nothing calls `crc32_combine`."""

WITH_TAR = replace(SEEN, paths=SEEN.paths | {TAR})
"""The same with the module, which nobody has opened and nothing imports."""


def fact(*code: str, callers: str = CALLER, **advisory: str) -> Facts:
    """Return a file of facts about the advisory of `finding()`, and the callers that somebody has looked at."""
    head = {
        "id": '"CVE-2026-1"',
        "packages": '["pkg:deb/debian/zlib1g"]',
        "about": '"a part of it does what it should not"',
        **advisory,
    }
    text = "[[advisory]]\n" + "".join(f"{key} = {value}\n" for key, value in head.items())
    text += "".join(f"[[advisory.code]]\n{each}\n{LOOKED}" for each in code)
    return read_facts(text + callers, "policy/advisories/test.toml")


def known(*code: str, **changes: str) -> Knowledge:
    """Return what is known, with one advisory."""
    return together({"policy/advisories/test.toml": fact(*code, **changes)})


def followed(holdings: Holdings, *code: str, found: Finding | None = None, **changes: Any) -> Following:
    """Return what follows for a finding from a fact and an image."""
    (only,) = follow([found or finding()], known(*code, **changes), holdings)
    return only
