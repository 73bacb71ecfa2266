"""What an ELF file imports is read from the file itself; what cannot be read might import anything."""

import _ctypes
import io
import resource
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shipseal.errors import SubjectFailed
from shipseal.formats.elf import exports, imports, is_elf, read
from shipseal.image.candidates import symbols
from tests.elfs import library

PROGRAM = Path("/bin/sh").read_bytes()


@pytest.fixture(autouse=True)
def _on_linux() -> None:
    if sys.platform != "linux":
        pytest.skip("there are no ELF files on this machine")


def test_a_program_imports_from_libc() -> None:
    found = imports(PROGRAM)
    assert found is not None
    assert {"malloc", "execve"} <= found


def test_what_a_library_offers_is_not_what_it_takes() -> None:
    found = imports(Path(_ctypes.__file__).read_bytes())
    assert found is not None
    assert "PyLong_FromLong" in found
    assert "PyInit__ctypes" not in found


def test_a_library_offers_what_it_defines_and_not_what_it_takes() -> None:
    found = exports(Path(_ctypes.__file__).read_bytes())
    assert found is not None
    assert "PyInit__ctypes" in found
    assert "PyLong_FromLong" not in found


def test_a_library_without_section_headers_does_not_say_what_it_offers() -> None:
    assert exports(PROGRAM[:40] + bytes(8) + PROGRAM[48:60] + bytes(2) + PROGRAM[62:]) is None


LISTED = """libz.so.1 zlib1g #MINVER#
| zlib1g-dev
* Build-Depends-Package: zlib1g-dev
 ZLIB_1.2.0@ZLIB_1.2.0 1:1.2.0
 (arch=amd64)crc32@Base 1:1.1.4
 crc32@ZLIB_1.2.0 1:1.2.0
 (symver)ZLIB_1.2.9 1:1.2.9
libempty.so.1 zlib1g #MINVER#
"""


def test_debians_symbols_are_read_by_library_and_without_versions_and_patterns() -> None:
    assert symbols(LISTED) == {"libz.so.1": ["crc32"]}


@given(some.text(max_size=200))
def test_a_symbols_file_of_any_text_raises_nothing(text: str) -> None:
    symbols(text)


def test_a_program_without_section_headers_does_not_say() -> None:
    assert imports(PROGRAM[:40] + bytes(8) + PROGRAM[48:60] + bytes(2) + PROGRAM[62:]) is None


def test_a_text_is_no_program() -> None:
    assert not is_elf(b"#!/bin/sh\n")
    assert imports(b"#!/bin/sh\n") is None


@given(some.integers(min_value=0, max_value=len(PROGRAM) - 1))
def test_a_program_cut_short_is_never_said_to_import_nothing(length: int) -> None:
    assert imports(PROGRAM[:length]) in {None, imports(PROGRAM)}


@given(some.binary(max_size=200))
def test_damaged_headers_raise_nothing(rest: bytes) -> None:
    imports(b"\x7fELF\x02\x01" + rest)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Have this process fail where it asks for more memory than a file that says it is huge could be given."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("value", [1 << 40, (1 << 63) - 1, (1 << 64) - 1], ids=["huge", "largest offset", "beyond"])
@pytest.mark.parametrize("at", [32, 40, *range(64, 232, 8)])
def test_no_header_makes_a_reader_ask_for_more_than_the_file_has(
    at: int, value: int, tmp_path: Path, little_memory: None
) -> None:
    """Every field of eight bytes: of the header the offsets of the tables, and all of the program headers."""
    data = library(needed=("libc.so.6",), interpreter="/lib/ld.so")
    (tmp_path / "hostile").write_bytes(data[:at] + struct.pack("<Q", value) + data[at + 8 :])
    with (tmp_path / "hostile").open("rb") as stream, suppress(SubjectFailed):
        read(stream, "hostile")
    for look in (imports, exports):
        look(PROGRAM[:at] + struct.pack("<Q", value) + PROGRAM[at + 8 :])


@given(some.data())
def test_an_altered_program_is_read_or_refused(data: some.DataObject) -> None:
    altered = bytearray(PROGRAM)
    for at in data.draw(some.lists(some.integers(0, 1000), max_size=4)):
        altered[at] = data.draw(some.integers(0, 255))
    with suppress(SubjectFailed):
        read(io.BytesIO(altered), "altered")
    imports(bytes(altered))


def test_symbols_that_all_name_the_same_megabyte_are_not_read() -> None:
    """A few megabytes would otherwise be held as terabytes."""
    strings, count = b"\0" + b"a" * (1 << 20) + b"\0", 1 << 12
    symbols = b"".join(struct.pack("<IBBHQQ", 1 + number, 0, 0, 0, 0, 0) for number in range(count))
    sections = [
        struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, offset, size, 1, 0, 0, 0)
        for kind, offset, size in ((11, 64 + 128, len(symbols)), (3, 64 + 128 + len(symbols), len(strings)))
    ]
    header = (
        b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, 64, 0, 64, 0, 0, 64, 2, 0)
    )
    assert imports(header + b"".join(sections) + symbols[:24] + bytes(len(symbols) - 24) + strings) == frozenset(
        {"a" * (1 << 20)}
    )
    assert imports(header + b"".join(sections) + symbols + strings) is None
