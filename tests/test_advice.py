"""What pipeline.toml lacks is read off a start of the service: where it writes, and where its health path leads."""

import pytest

from shipseal.documents.smoke import SmokeAnswer, SmokeExpected
from shipseal.project.advice import Advised, elsewhere, ended, looked_for, unanswered, written_to

MAKES = ('File "<frozen os>", line 225, in makedirs', "OSError: [Errno 30] Read-only file system: '/.shop/data'")
WRITES = ("OSError: [Errno 30] Read-only file system: '/var/lib/shop/db.sqlite3'",)


def wrong(status: int) -> SmokeAnswer:
    """Return an answer that is not as expected."""
    expected = SmokeExpected(status=200, contains="", values={})
    return SmokeAnswer(path="/", method="GET", status=status, expected=expected, body="", wrong=("x",), passed=False)


NO_SCRATCH = (
    "FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp', '/usr/tmp', '/srv']"
)


@pytest.mark.parametrize(
    ("lines", "directories"),
    [
        (MAKES, ("/.shop/data",)),
        (WRITES, ("/var/lib/shop",)),
        ((*MAKES, 'File "shop.py", line 7, in store', *WRITES), ("/.shop/data", "/var/lib/shop")),
        ((*WRITES, *WRITES), ("/var/lib/shop",)),
        (("OSError: [Errno 30] Read-only file system: '/usr/lib/x/y'",), ()),
        (("OSError: [Errno 30] Read-only file system: '/file'",), ()),
        (("OSError: [Errno 30] Read-only file system: '/a/../proc/x'",), ()),
        (("OSError: [Errno 30] Read-only file system: '/a\"]\\n[deploy]/x'",), ()),
        (("OSError: [Errno 2] No such file or directory: '/var/lib/shop'",), ()),
        ((NO_SCRATCH,), ("/tmp",)),
        ((NO_SCRATCH.replace("/tmp", "/mine"),), ()),
        ((), ()),
    ],
)
def test_a_directory_that_cannot_be_written_is_named_by_who_wanted_it(
    lines: tuple[str, ...], directories: tuple[str, ...]
) -> None:
    assert directories == written_to(lines)


def test_the_failure_says_what_to_write_in_pipeline_toml() -> None:
    failure = ended("it ended", MAKES, "look")
    assert isinstance(failure, Advised)
    assert failure.writable == ("/.shop/data",)
    assert '[smoke] writable = ["/.shop/data"]' in failure.remedy
    assert ended("it ended", ("x",), "look").remedy == "look"


def test_what_stands_far_before_the_end_counts_and_only_the_end_is_shown() -> None:
    said = (*MAKES, *(f"line {number}" for number in range(100)))
    failure = ended("it ended", said, "look")
    assert isinstance(failure, Advised)
    assert failure.writable == ("/.shop/data",)
    assert failure.why == said[-12:]
    broken = unanswered([wrong(500)], 1, said, "")
    assert isinstance(broken, Advised)
    assert broken.writable == ("/.shop/data",)


def test_a_module_that_is_not_there_is_named_with_the_key_that_brings_it() -> None:
    said = ("x", "ModuleNotFoundError: No module named 'shop._compiled'", "y")
    assert ended("it ended", said, "look").remedy.startswith('write [image] modules = ["shop._compiled"]')
    assert ended("it ended", ("ModuleNotFoundError: No module named 'a\"]'",), "look").remedy == "look"


def test_a_name_that_its_package_lacks_may_be_a_module_of_it() -> None:
    line = "ImportError: cannot import name '_path' from 'shop.tree' (/app/shop/tree/__init__.py)"
    assert looked_for((line, "x", line)) == ("shop.tree._path",)
    compiled = ('  File "src/shop/tree.pyx", line 75, in init shop.tree', "ImportError: cannot import name _path")
    assert looked_for(compiled) == ("shop._path",)
    assert looked_for(compiled[1:]) == ()
    failure = ended("it ended", (line,), "look")
    assert isinstance(failure, Advised)
    assert failure.modules == ("shop.tree._path",)
    assert (
        looked_for(("ImportError: cannot import name 'a\"' from 'b'", "ImportError: cannot import name 'a' from '-b'"))
        == ()
    )


@pytest.mark.parametrize(("status", "refused"), [(500, True), (404, True), (302, False), (0, False)])
def test_an_error_is_told_from_no_answer(status: int, refused: bool) -> None:
    failure = unanswered([wrong(status)], 1, (), "")
    assert isinstance(failure, Advised)
    assert refused is failure.refused


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        (b"HTTP/1.0 302 Found\r\nContent-Length: 0\r\nlocation: /.web\r\n\r\n", "/.web"),
        (b"HTTP/1.1 308 x\r\nLocation: http://localhost:8080/a?b=c\r\n\r\n", "/a?b=c"),
        (b"HTTP/1.1 301 x\r\nLocation: https://elsewhere.example/a\r\n\r\n", ""),
        (b"HTTP/1.1 301 x\r\nLocation: //elsewhere.example/a\r\n\r\n", ""),
        (b"HTTP/1.1 301 x\r\nLocation: a\r\n\r\n", ""),
        (b"HTTP/1.1 302 x\r\nLocation: /\x1b[2J\r\n\r\n", ""),
        (b"HTTP/1.1 302 x\r\n\r\nLocation: /body", ""),
        (b"HTTP/1.1 200 OK\r\nLocation: /a\r\n\r\n", ""),
        (b"", ""),
    ],
)
def test_a_redirect_within_the_service_leads_to_a_path(answer: bytes, path: str) -> None:
    assert path == elsewhere(answer)
