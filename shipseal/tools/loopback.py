"""Know loopback, and have it: in a network namespace of its own (`unshare --net`) the interface is there, and down."""

import fcntl
import re
import socket
import struct
import sys
from ipaddress import ip_address

from shipseal.errors import UsageError

# linux/sockios.h and net/if.h
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[^:@/\[\]]+))(?::\d+)?")
_REQUEST = struct.Struct("16sh")


def is_loopback(host: str) -> bool:
    """Say whether `HOST` or `HOST:PORT` is this machine, whatever a name service says: `localhost`, or an address."""
    found = _HOST.fullmatch(host)
    name = (found["name"] or found["address"]) if found else ""
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:  # some other name, which may only begin like one of these
        return False


def bring_up() -> None:
    """Bring the loopback interface up where it is down; raise `UsageError` when this process may not."""
    if sys.platform != "linux":
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _, flags = _REQUEST.unpack(fcntl.ioctl(control, _GET_FLAGS, _REQUEST.pack(b"lo", 0)))
        if flags & _UP:
            return
        try:
            fcntl.ioctl(control, _SET_FLAGS, _REQUEST.pack(b"lo", flags | _UP))
        except PermissionError as error:
            raise UsageError(
                "the loopback interface is down, and the stand-ins of a dry run listen on it",
                why=str(error),
                remedy="type: ip link set lo up",
            ) from error
