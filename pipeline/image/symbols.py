"""Read which symbols an ELF file imports: what a VEX statement about code that nothing calls is held against.

Specification: System V ABI, "Sections" and "Symbol Table"; 64-bit little-endian files only.
"""

import struct

_DYNSYM, _DYNAMIC = 11, 6  # sh_type
_SYMBOL = struct.Struct("<IBBHQQ")
_UNDEFINED = 0  # st_shndx


def is_elf(data: bytes) -> bool:
    """Say whether these are the first bytes of an ELF file."""
    return data[:4] == b"\x7fELF"


def imports(data: bytes) -> frozenset[str] | None:
    """Return the names of the symbols that a file takes from others, without their versions.

    None means that it is linked dynamically, but does not say with what: its section headers are gone or damaged.
    """
    try:
        if data[:6] != b"\x7fELF\x02\x01":
            return None
        offset = struct.unpack_from("<Q", data, 40)[0]
        size, count = struct.unpack_from("<HH", data, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, offset + number * size) for number in range(count)]
        kinds = [section[1] for section in sections]
        if _DYNSYM not in kinds:
            return None if _DYNAMIC in kinds or not sections else frozenset()
        table = sections[kinds.index(_DYNSYM)]
        strings = sections[table[6]]
        names = data[strings[4] : strings[4] + strings[5]]
        symbols = _SYMBOL.iter_unpack(data[table[4] : table[4] + table[5]])
        return frozenset(_name(names, symbol[0]) for symbol in symbols if symbol[3] == _UNDEFINED and symbol[0])
    except (struct.error, ValueError, IndexError, UnicodeDecodeError):
        return None


def _name(names: bytes, start: int) -> str:
    return names[start : names.index(0, start)].decode("ascii")
