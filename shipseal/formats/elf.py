"""Read from an ELF file what it needs to be loaded, and which symbols it imports. Pure.

Specification: System V ABI, "Object Files", "Symbol Table" and "Dynamic Linking"; 64-bit little-endian files only,
which is what amd64 and arm64 Linux have. A file may be hostile: no more is read of it than is there, whatever it says.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from shipseal.errors import SubjectFailed

MAGIC = b"\x7fELF"
MACHINES = {62: "amd64", 183: "arm64"}

_OURS = MAGIC + b"\x02\x01"  # ELFCLASS64, ELFDATA2LSB
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 14, 15, 29
_SHT_DYNSYM, _SHT_DYNAMIC = 11, 6
_SEGMENT, _SECTION = struct.Struct("<IIQQQQ"), struct.Struct("<IIQQQQIIQQ")  # of a segment all that is read here
_SYMBOL, _TAG = struct.Struct("<IBBHQQ"), struct.Struct("<qQ")
_UNDEFINED = 0  # st_shndx
_PATH_MAX = 4096  # bytes
_SHARED = 16  # times that names may be longer in all than the file, for one may be the end of another


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


class _File:
    """The tables of a file, by what its header says of them.

    Raises:
        struct.error: it is shorter than a header.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.length = stream.seek(0, io.SEEK_END)
        header = self.at(0, 64)
        self.ours = header[: len(_OURS)] == _OURS
        if self.ours:
            (machine,) = struct.unpack_from("<H", header, 18)
            self.architecture = MACHINES.get(machine, str(machine))
            self._segments, self._sections = struct.unpack_from("<QQ", header, 32)
            self._sizes = struct.unpack_from("<HHHH", header, 54)

    def at(self, offset: int, size: int) -> bytes:
        """Return the bytes at a place; fewer, where the file ends before."""
        self._stream.seek(min(offset, self.length))
        return self._stream.read(min(size, self.length))

    def text(self, offset: int, most: int = _PATH_MAX) -> str:
        """Return the text at a place; raise `ValueError` where none ends within so many bytes."""
        data = self.at(offset, most)
        return data[: data.index(0)].decode()

    def segments(self) -> list[_Segment]:
        """Return what the loader maps."""
        found = self._table(_SEGMENT, self._segments, *self._sizes[:2])
        return [_Segment(kind, offset, address, size) for kind, _, offset, address, _, size in found]

    def sections(self) -> list[tuple[Any, ...]]:
        """Return the section headers, their fields in the order of the ABI."""
        return self._table(_SECTION, self._sections, *self._sizes[2:])

    def _table(self, entry: struct.Struct, offset: int, size: int, count: int) -> list[tuple[Any, ...]]:
        data = self.at(offset, size * count + entry.size)
        return [entry.unpack_from(data, number * size) for number in range(count)]


def read(stream: BinaryIO, name: str) -> Elf:
    """Read the headers and the dynamic section; `name` is for the message.

    Raises:
        SubjectFailed: it is no 64-bit little-endian ELF file, or is cut short.
    """
    try:
        file = _File(stream)
        if not file.ours:
            raise SubjectFailed(
                f"{name} is not a 64-bit little-endian ELF file", remedy="give a wheel for this platform"
            )
        segments = file.segments()
        interpreter = next((file.text(s.offset, s.size) for s in segments if s.kind == _PT_INTERP), "")
        return _dynamic(file, segments, interpreter)
    except (struct.error, ValueError, StopIteration) as error:
        raise SubjectFailed(f"{name} is damaged: its ELF headers cannot be read", why=str(error)) from error


def _dynamic(file: _File, segments: list[_Segment], interpreter: str) -> Elf:
    section = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    if section is None:  # statically linked
        return Elf(file.architecture, interpreter=interpreter)
    values: dict[int, list[int]] = {}
    for tag, value in _TAG.iter_unpack(file.at(section.offset, section.size)):
        if tag == _DT_NULL:
            break
        values.setdefault(tag, []).append(value)
    strings = _offset(segments, values[_DT_STRTAB][0]) if _DT_STRTAB in values else 0

    def names(tag: int) -> list[str]:
        return [*_bounded((file.text(strings + value) for value in values.get(tag, [])), _SHARED * file.length)]

    searched = names(_DT_RUNPATH) or names(_DT_RPATH)
    return Elf(
        file.architecture,
        tuple(names(_DT_NEEDED)),
        next(iter(names(_DT_SONAME)), ""),
        interpreter,
        tuple(directory for path in searched for directory in path.split(":") if directory),
    )


def _offset(segments: list[_Segment], address: int) -> int:
    """Return where in the file an address of memory is."""
    segment = next(s for s in segments if s.kind == _PT_LOAD and s.address <= address < s.address + s.size)
    return segment.offset + address - segment.address


def _bounded(names: Iterable[str], most: int) -> Iterator[str]:
    """Yield names while they have no more characters in all: each entry of a table can name the same megabytes."""
    for name in names:
        most -= len(name)
        if most < 0:
            raise ValueError("its names are longer than the file")
        yield name


def is_elf(data: bytes) -> bool:
    """Say whether these are the first bytes of an ELF file."""
    return data.startswith(MAGIC)


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
        file = _File(io.BytesIO(data))
        if not file.ours:
            return None
        sections = file.sections()
        kinds = [section[1] for section in sections]
        if _SHT_DYNSYM not in kinds:
            return None if _SHT_DYNAMIC in kinds or not sections else frozenset()
        table = sections[kinds.index(_SHT_DYNSYM)]
        strings = sections[table[6]]
        names = file.at(strings[4], strings[5])
        symbols = _SYMBOL.iter_unpack(file.at(table[4], table[5]))
        starts = {each[0] for each in symbols if each[0] and (each[3] == _UNDEFINED) is taken}
        return frozenset(_bounded((_name(names, start) for start in starts), _SHARED * file.length))
    except (struct.error, ValueError, IndexError):
        return None


def _name(names: bytes, start: int) -> str:
    return names[start : names.index(0, start)].decode("ascii")
