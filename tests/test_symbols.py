"""What an ELF file imports is read from the file itself; what cannot be read might import anything."""

import _ctypes
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline.formats.elf import imports, is_elf

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
