"""The stand-ins of a dry run listen on loopback, which may be down."""

import subprocess
import sys

CODE = """
import socket
from pipeline import loopback
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
