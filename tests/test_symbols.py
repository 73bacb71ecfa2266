"""What an ELF file imports is read from the file itself; what cannot be read might import anything."""

import _ctypes
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shipseal.formats.elf import exports, imports, is_elf
from shipseal.image.offered import symbols

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
