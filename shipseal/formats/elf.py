"""Read from an ELF file what it needs to be loaded, and which symbols it imports. Pure.

Specification: System V ABI, "Object Files", "Symbol Table" and "Dynamic Linking"; 64-bit little-endian files only,
which is what amd64 and arm64 Linux have.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from shipseal.errors import SubjectFailed

MAGIC = b"\x7fELF"
MACHINES = {62: "amd64", 183: "arm64"}

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 14, 15, 29
_SHT_DYNSYM, _SHT_DYNAMIC = 11, 6
_SYMBOL = struct.Struct("<IBBHQQ")
_UNDEFINED = 0  # st_shndx


@dataclass(frozen=True)
class Elf:
    """What the loader is told by one file.

    Args:
        architecture: `amd64`, `arm64`, or the machine's number in the ABI.
        needed: names of the shared libraries that must be there.
        soname: the name by which others need this one.
        interpreter: path of the loader that it asks for; programs have one, libraries do not.
        runpath: directories that are searched before the system's; `$ORIGIN` is the file's own.
    """

    architecture: str
    needed: tuple[str, ...] = ()
    soname: str = ""
    interpreter: str = ""
    runpath: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def read(stream: BinaryIO, name: str) -> Elf:
    """Read the headers and the dynamic section; `name` is for the message.

    Raises:
        SubjectFailed: it is no 64-bit little-endian ELF file, or is cut short.
    """
    try:
        header = stream.read(64)
        if header[:6] != MAGIC + b"\x02\x01":
            raise SubjectFailed(f"{name} is not a 64-bit little-endian ELF file", do="give a wheel for this platform")
        machine = struct.unpack_from("<H", header, 18)[0]
        segments = _segments(stream, header)
        interpreter = next((_text(stream, s.offset, s.size) for s in segments if s.kind == _PT_INTERP), "")
        return _dynamic(stream, segments, MACHINES.get(machine, str(machine)), interpreter)
    except (struct.error, ValueError, StopIteration) as error:
        raise SubjectFailed(f"{name} is damaged: its ELF headers cannot be read", why=str(error)) from error


def _segments(stream: BinaryIO, header: bytes) -> list[_Segment]:
    offset, entry_size, count = *struct.unpack_from("<Q", header, 32), *struct.unpack_from("<HH", header, 54)
    found = []
    for number in range(count):
        stream.seek(offset + number * entry_size)
        kind, _, where, address, _, size = struct.unpack("<IIQQQQ", stream.read(40))
        found.append(_Segment(kind, where, address, size))
    return found


def _dynamic(stream: BinaryIO, segments: list[_Segment], architecture: str, interpreter: str) -> Elf:
    section = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    if section is None:  # statically linked
        return Elf(architecture, interpreter=interpreter)
    stream.seek(section.offset)
    values: dict[int, list[int]] = {}
    for tag, value in struct.iter_unpack("<qQ", stream.read(section.size)):
        if tag == _DT_NULL:
            break
        values.setdefault(tag, []).append(value)
    strings = _offset(segments, values[_DT_STRTAB][0]) if _DT_STRTAB in values else 0

    def names(tag: int) -> list[str]:
        return [_text(stream, strings + value) for value in values.get(tag, [])]

    searched = names(_DT_RUNPATH) or names(_DT_RPATH)
    return Elf(
        architecture,
        tuple(names(_DT_NEEDED)),
        next(iter(names(_DT_SONAME)), ""),
        interpreter,
        tuple(directory for path in searched for directory in path.split(":") if directory),
    )


def _offset(segments: list[_Segment], address: int) -> int:
    """Return where in the file an address of memory is."""
    segment = next(s for s in segments if s.kind == _PT_LOAD and s.address <= address < s.address + s.size)
    return segment.offset + address - segment.address


def _text(stream: BinaryIO, offset: int, most: int = 4096) -> str:
    stream.seek(offset)
    data = stream.read(most)
    return data[: data.index(0)].decode()


def is_elf(data: bytes) -> bool:
    """Say whether these are the first bytes of an ELF file."""
    return data[:4] == b"\x7fELF"


def imports(data: bytes) -> frozenset[str] | None:
    """Return the names of the symbols that a file takes from others, without their versions.

    None means that it is linked dynamically, but does not say with what: its section headers are gone or damaged.
    """
    return _symbols(data, taken=True)


def exports(data: bytes) -> frozenset[str] | None:
    """Return the names of the symbols that a file offers to others, without their versions; None as for `imports`.

    A name that is not among them may be that of code which the file holds all the same: static, or inlined.
    """
    return _symbols(data, taken=False)


def _symbols(data: bytes, *, taken: bool) -> frozenset[str] | None:
    try:
        if data[:6] != b"\x7fELF\x02\x01":
            return None
        offset = struct.unpack_from("<Q", data, 40)[0]
        size, count = struct.unpack_from("<HH", data, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, offset + number * size) for number in range(count)]
        kinds = [section[1] for section in sections]
        if _SHT_DYNSYM not in kinds:
            return None if _SHT_DYNAMIC in kinds or not sections else frozenset()
        table = sections[kinds.index(_SHT_DYNSYM)]
        strings = sections[table[6]]
        names = data[strings[4] : strings[4] + strings[5]]
        symbols = _SYMBOL.iter_unpack(data[table[4] : table[4] + table[5]])
        return frozenset(_name(names, each[0]) for each in symbols if each[0] and (each[3] == _UNDEFINED) is taken)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError):
        return None


def _name(names: bytes, start: int) -> str:
    return names[start : names.index(0, start)].decode("ascii")
