"""Tell who called: the peer, or what a trusted proxy says about it.

Proxies append to X-Forwarded-For, so its first entry is whatever the client wrote; the headers count only when the
peer is in a trusted network. X-Forwarded-For comes first, then X-Real-IP, then the peer.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

MAX_ENTRIES = 30
MAX_BYTES = 8192
MAPPED = b"\0" * 10 + b"\xff\xff"  # ::ffff:0:0/96, RFC 4291 section 2.5.5.2


class Networks:
    """A set of IPv4 and IPv6 networks, asked by canonical address text."""

    __slots__ = ("_masks", "text")

    def __init__(self, masks: tuple[tuple[int, int, int], ...], text: str) -> None:
        self._masks, self.text = masks, text

    def __contains__(self, address: str) -> bool:
        packed = _packed(address)
        if packed is None:
            return False
        number, size = int.from_bytes(packed, "big"), len(packed)
        return any(size == length and number & mask == network for length, network, mask in self._masks)


class Choice:
    """The address chosen, where it was found (`x-forwarded-for`, `x-real-ip`, `peer`) and why."""

    __slots__ = ("address", "reason", "source")

    def __init__(self, address: str, source: str, reason: str) -> None:
        self.address, self.source, self.reason = address, source, reason


def parse_networks(text: str) -> Networks:
    """Read networks in CIDR notation or single addresses, separated by commas or spaces.

    Raises:
        ValueError: an entry is no network, or has bits set beyond its prefix (10.0.0.1/8).
    """
    return Networks(tuple(_network(entry) for entry in text.replace(",", " ").split()), text)


def _network(entry: str) -> tuple[int, int, int]:
    address, slash, prefix = entry.partition("/")
    packed = _packed(address, mapped=False)
    bits = 8 * len(packed or b"")
    if packed is None or (slash and not (prefix.isascii() and prefix.isdigit() and int(prefix[:4]) <= bits)):
        raise ValueError(f"{entry[:60]!a} is no network such as 10.0.0.0/8")
    mask = (1 << bits) - (1 << (bits - int(prefix if slash else bits)))
    number = int.from_bytes(packed, "big")
    if number & ~mask:
        raise ValueError(f"{entry[:60]!a} has bits set beyond its prefix")
    return len(packed), number, mask


def _packed(text: str, *, mapped: bool = True) -> bytes | None:
    """Return the 4 or 16 bytes of an address, or None; an IPv4-mapped address gives 4 when `mapped`."""
    try:
        if ":" not in text:
            return inet_pton(AF_INET, text)
        packed = inet_pton(AF_INET6, text)
    except (OSError, ValueError):  # ValueError: a NUL or a surrogate inside
        return None
    return packed[12:] if mapped and packed[:12] == MAPPED else packed


def canonical(token: str) -> str | None:
    """Return the address in `token` in canonical text, or None when there is none.

    Strip spaces, one port, IPv6 brackets and a zone id; write an IPv4-mapped IPv6 address as IPv4.
    """
    token = token.strip(" \t")
    if token.startswith("["):
        token, bracket, rest = token[1:].partition("]")
        if not bracket or not _is_port(rest):
            return None
        if ":" not in token:
            return None
    elif token.count(":") == 1:
        token, _, port = token.partition(":")
        if not _is_port(":" + port):
            return None
    if ":" in token:
        token = token.partition("%")[0]
    packed = _packed(token)
    if packed is None:
        return None
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


def _is_port(text: str) -> bool:
    """Say whether `text` is nothing, or a colon and a port number, which may be empty (RFC 3986 section 3.2.3)."""
    return text in {"", ":"} or (text[0] == ":" and len(text) <= 6 and text[1:].isascii() and text[1:].isdigit())


def choose(peer: str, forwarded: str, real: str, *, trusted: Networks, strategy: str, hops: int) -> Choice:
    """Return the client's address.

    Args:
        peer: address of the socket's other end, canonical.
        forwarded: the X-Forwarded-For lines, joined in their order with commas; empty when absent.
        real: the X-Real-IP line; empty when absent.
        trusted: networks whose headers count.
        strategy: `first` (leftmost valid address) or `trusted-hops` (from the right).
        hops: proxies in front of this service, for `trusted-hops`; the peer is the first.
    """
    if peer not in trusted:
        return Choice(peer, "peer", "the peer is no trusted proxy: its headers do not count")
    find = _leftmost if strategy == "first" else _by_hops
    found = find(forwarded, trusted, hops) if forwarded else None
    if found is not None:
        return Choice(found[0], "x-forwarded-for", found[1])
    why = "holds no usable address"
    if strategy == "first" and _too_long(forwarded):
        why = f"has more than {MAX_ENTRIES} entries or {MAX_BYTES} bytes"
    address = canonical(real) if 0 < len(real) <= MAX_BYTES else None
    if address is not None:
        return Choice(address, "x-real-ip", f"X-Forwarded-For {why}")
    return Choice(peer, "peer", f"X-Forwarded-For {why}, and X-Real-IP holds none")


def _too_long(forwarded: str) -> bool:
    return len(forwarded) > MAX_BYTES or forwarded.count(",") >= MAX_ENTRIES


def _leftmost(forwarded: str, _trusted: Networks, _hops: int) -> tuple[str, str] | None:
    if _too_long(forwarded):
        return None
    for token in forwarded.split(","):
        address = canonical(token)
        if address is not None:
            return address, "leftmost valid address"
    return None


def _by_hops(forwarded: str, trusted: Networks, hops: int) -> tuple[str, str] | None:
    """Walk from the right: skip trusted proxies while hops are left; the first other address is the client."""
    if len(forwarded) > MAX_BYTES:
        forwarded = forwarded[-MAX_BYTES:].partition(",")[2]  # the cut entry is not an entry
    left, address = hops - 1, None
    for token in reversed(forwarded.split(",")[-MAX_ENTRIES:]):
        found = canonical(token)
        if found is None:
            continue
        address = found
        if not left or address not in trusted:
            return address, f"first address from the right after {hops - left} of {hops} trusted hops"
        left -= 1
    return None if address is None else (address, "leftmost address: every entry is a trusted proxy")
