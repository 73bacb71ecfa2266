"""ELF files made by hand: no more than what a loader reads before it loads."""

import struct


def library(
    *, machine: int = 62, needed: tuple[str, ...] = (), soname: str = "", runpath: str = "", interpreter: str = ""
) -> bytes:
    """Return a 64-bit little-endian ELF file (System V ABI) that asks for these libraries."""
    strings, tags = b"\0", b""
    for tag, text in [(1, name) for name in needed] + [(14, soname)] * bool(soname) + [(29, runpath)] * bool(runpath):
        tags += struct.pack("<qQ", tag, len(strings))
        strings += text.encode() + b"\0"
    asked = interpreter.encode() + b"\0" if interpreter else b""
    headers = 64 + 56 * (3 if asked else 2)
    base = 0x10000  # where the file is in memory: addresses are no offsets
    at_strings = headers + len(asked)
    at_dynamic = at_strings + len(strings)
    dynamic = tags + struct.pack("<qQ", 5, base + at_strings) + struct.pack("<qQ", 0, 0)
    total = at_dynamic + len(dynamic)
    segments = [_segment(1, 0, base, total), _segment(2, at_dynamic, base + at_dynamic, len(dynamic))]
    if asked:
        segments.append(_segment(3, headers, base + headers, len(asked)))
    kind = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = kind + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    return header + b"".join(segments) + asked + strings + dynamic


def _segment(kind: int, offset: int, address: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, 4, offset, address, address, size, size, 4096)
