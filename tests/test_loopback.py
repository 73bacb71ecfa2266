"""The stand-ins of a dry run listen on loopback, which may be down."""

import subprocess
import sys

import pytest

from shipseal.tools.loopback import is_loopback

CODE = """
import socket
from shipseal.tools import loopback
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except OSError as error:
    print("before:", error.strerror)
loopback.bring_up()
loopback.bring_up()
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except OSError as error:
    print("after:", error.strerror)
"""


def test_a_loopback_that_is_down_is_brought_up() -> None:
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["before: Network is unreachable", "after: Connection refused"]


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:5000"])
def test_this_machine_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost.evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example", "127.0.0.1@evil.example"),
        *("[::1].evil.example", "[::1", "evil.example", "10.0.0.1", "0.0.0.0", "localhosts", "2130706433", "127.1", ""),
    ],
)
def test_another_machine_whose_name_begins_alike_is_not_this_one(host: str) -> None:
    assert not is_loopback(host)
