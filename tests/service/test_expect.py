"""No connection waits for a body that does not come, and nothing of one request reaches the next."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest

from tests.service.client import Running, Start, launch, parse

NEXT = b"GET /version HTTP/1.1\r\nHost: test\r\n\r\n"
EXPECT = b"Host: test\r\nExpect: 100-continue\r\n"
NO_BODY_COMES = {
    "GET": (200, b"GET /health HTTP/1.1\r\n" + EXPECT + b"\r\n"),
    "a body of no bytes": (405, b"POST / HTTP/1.1\r\n" + EXPECT + b"Content-Length: 0\r\n\r\n"),
    "a body too large": (413, b"POST / HTTP/1.1\r\n" + EXPECT + b"Content-Length: 999999\r\n\r\n"),
    "a length that is none": (400, b"POST / HTTP/1.1\r\n" + EXPECT + b"Content-Length: x\r\n\r\n"),
    "a malformed host": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\nExpect: 100-continue\r\n\r\n"),
    "a target too long": (414, b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n" + EXPECT + b"\r\n"),
    "too many fields": (431, b"GET / HTTP/1.1\r\n" + EXPECT + b"X: y\r\n" * 101 + b"\r\n"),
    "both framing headers": (
        400,
        b"POST / HTTP/1.1\r\n" + EXPECT + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
    ),
}


def receive(connection: socket.socket) -> bytes:
    """Receive one response, however many pieces it comes in."""
    data = b""
    while True:
        data += connection.recv(65536)
        _, found, body = data.partition(b"\r\n\r\n")
        if found and len(body) >= int(parse(data).headers.get("content-length", "0")):
            return data


@pytest.mark.parametrize("name", NO_BODY_COMES)
def test_a_request_whose_body_will_not_come_gets_its_final_status_at_once(running: Running, name: str) -> None:
    """RFC 9110 section 10.1.1."""
    status, request = NO_BODY_COMES[name]
    with closing(running.connect()) as connection:
        connection.sendall(request)
        assert parse(receive(connection)).status == status


def test_nothing_of_an_expectation_reaches_the_next_request_on_the_connection(running: Running) -> None:
    with closing(running.connect()) as connection:
        for target, fields in (("/health", EXPECT), ("/version", b"Host: test\r\n"), ("/health", EXPECT)):
            connection.sendall(f"GET {target} HTTP/1.1\r\n".encode() + fields + b"\r\n")
            assert ("version" in parse(receive(connection)).json()) == (target == "/version")


def test_a_body_that_is_announced_is_asked_for_also_behind_a_request_in_the_same_packet(running: Running) -> None:
    with closing(running.connect()) as connection:
        connection.sendall(NEXT + b"POST / HTTP/1.1\r\n" + EXPECT + b"Content-Length: 1\r\n\r\n")
        data = b""
        while not data.endswith(b"HTTP/1.1 100 Continue\r\n\r\n"):
            data += connection.recv(65536)
        assert parse(data).status == 200
        connection.sendall(b"x")
        assert parse(receive(connection)).status == 405


@pytest.mark.parametrize("coding", ["", " ", ",", "chunked, chunked", "chunked\r\nTransfer-Encoding: chunked"])
def test_a_body_in_other_than_one_coding_is_never_read_as_the_next_request(running: Running, coding: str) -> None:
    head = f"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding:{coding}\r\n\r\n"
    answer = running.raw(head.encode() + b"0\r\n\r\n" + NEXT)
    assert (parse(answer).status, answer.count(b"HTTP/1.1 ")) == (400, 1)


@pytest.mark.parametrize("space", [b"\x0b", b"\x0c", b" ", b"\t", b"\n", b"\r", b"\r\n\x0b", b"\r\n\n"])
def test_nothing_but_empty_lines_may_stand_before_a_request(running: Running, space: bytes) -> None:
    answer = running.raw(space + NEXT)
    assert (parse(answer).status, answer.count(b"HTTP/1.1 ")) == (400, 1)


@pytest.mark.parametrize("pieces", [[b"\r\n" + NEXT], [b"\r\n\r\n\r\n" + NEXT], [b"\r", b"\n" + NEXT], [b"\r\n", NEXT]])
def test_empty_lines_before_a_request_are_passed_over(running: Running, pieces: list[bytes]) -> None:
    """RFC 9112 section 2.2."""
    with closing(running.connect()) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        assert parse(receive(connection)).status == 200


def test_a_stop_does_not_wait_for_a_connection_on_which_an_empty_line_came_last() -> None:
    """Old clients send one after a body."""
    running = launch(STOP_SECONDS="10")
    try:
        with closing(running.connect()) as connection:
            connection.sendall(NEXT + b"\r\n")
            assert receive(connection)
            time.sleep(0.1)
            began = time.monotonic()
            assert running.stop() == 0
            assert time.monotonic() - began < 8  # of the ten that it would have waited
    finally:
        running.end()


def test_the_time_for_a_request_begins_with_its_own_first_byte(start: Start) -> None:
    service = start(REQUEST_TIMEOUT="3")
    with closing(service.connect()) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n")
        time.sleep(2)
        connection.sendall(b"x" + NEXT[:9])
        assert parse(receive(connection)).status == 405
        time.sleep(2)  # the first request would be overdue now
        connection.sendall(NEXT[9:])
        assert parse(receive(connection)).status == 200


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("close", "close"),
        ("Keep-Alive, CLOSE", "close"),
        ("disclose", None),
        ("x-close, closed", None),
    ],
)
def test_an_option_that_merely_contains_close_closes_nothing(
    running: Running, field: str, expected: str | None
) -> None:
    """RFC 9110 section 7.6.1."""
    with closing(running.connect()) as connection:
        connection.sendall(NEXT[:-2] + f"Connection: {field}\r\n\r\n".encode())
        assert parse(receive(connection)).headers.get("connection") == expected


def test_an_option_that_merely_contains_keep_alive_keeps_nothing_in_http_1_0(running: Running) -> None:
    answer = running.raw(b"GET / HTTP/1.0\r\nConnection: x-keep-alive\r\n\r\n")
    assert parse(answer).headers["connection"] == "close"
