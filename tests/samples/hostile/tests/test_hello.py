import os
import socket
from pathlib import Path

import pytest
from hello import app


def test_the_service_says_hello():
    print("\x1b[2J::error::owned " * 1000)
    assert app({}, lambda status, headers: None) == [b"hello\n"]


@pytest.mark.parametrize("place", ["/etc", "/usr", os.environ["HOME"]])
def test_it_writes_where_it_can(place):
    try:
        Path(place, "betrayed-by-a-test").write_text("x")
    except OSError:
        pass


def test_it_reaches_nobody():
    with socket.socket() as client, pytest.raises(OSError):
        client.settimeout(2)
        client.connect(("192.0.2.1", 443))
