"""Bad input: a clean status or a closed connection, no byte of it in the log, and nobody else notices."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from waitress.adjustments import Adjustments

from service.parser import RequestParser
from tests.service.client import PATIENCE, Running, Start, launch, parse, read_all

HEAD = b"GET / HTTP/1.1\r\nHost: test\r\n"
POST = b"POST / HTTP/1.1\r\nHost: test\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(scope="module")
def logging() -> Iterator[Running]:
    service = launch()
    yield service
    service.end()


def still_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
REFUSED = {
    "both framing headers": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths that differ": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    "two lengths that agree": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nabcde",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a signed length": POST + b"Content-Length: +5\r\n\r\nabcde",
    "a hexadecimal length": POST + b"Content-Length: 0x5\r\n\r\nabcde",
    "a length of 5000 digits": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "an empty length": POST + b"Content-Length:\r\n\r\n",
    "bare LF lines": b"GET / HTTP/1.1\nHost: test\n\r\n\r\n",
    "a bare LF in a field": HEAD + b"X: a\nY: b\r\n\r\n",
    "a bare CR in a field": HEAD + b"X: a\rY: b\r\n\r\n",
    "a folded line": HEAD + b"X: a\r\n b\r\n\r\n",
    "a folded first line": b"GET / HTTP/1.1\r\n Host: test\r\n\r\n",
    "space before the colon": HEAD + b"Content-Length : 5\r\n\r\nabcde",
    "a name that is no token": HEAD + b"X(y): a\r\n\r\n",
    "NUL in a field": HEAD + b"X: a\0b\r\n\r\n",
    "NUL in the path": b"GET /a\0b HTTP/1.1\r\nHost: test\r\n\r\n",
    "raw bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: test\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": HEAD + b"Host: other\r\n\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a lower case method": b"get / HTTP/1.1\r\nHost: test\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: test\r\n\r\n",
    "an address that is none": b"GET http://[/ HTTP/1.1\r\nHost: test\r\n\r\n",
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is none": CHUNKED + b"x\r\nabc\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-1\r\n\r\n",
    "a chunk that ends wrongly": CHUNKED + b"1\r\nabc\r\n0\r\n\r\n",
    "an invalid chunk extension": CHUNKED + b"1;\x01\r\na\r\n0\r\n\r\n",
    "a chunk extension": CHUNKED + b"1;a=b\r\na\r\n0\r\n\r\n",
    "a chunk extension of the last chunk": CHUNKED + b"0;a=b\r\n\r\n",
    "a bare LF after a chunk size": CHUNKED + b"1\na\r\n0\r\n\r\n",
    "a bare LF after a chunk": CHUNKED + b"1\r\na\n0\r\n\r\n",
    "a bare LF at the end of a body": CHUNKED + b"0\r\n\n",
    "an empty line before a chunk size": CHUNKED + b"\r\n1\r\na\r\n0\r\n\r\n",
    "a space after a chunk size": CHUNKED + b"1 \r\na\r\n0\r\n\r\n",
    "a chunk size with an underscore": CHUNKED + b"1_0\r\n",
    "a chunk size without an end": CHUNKED + b"1" * 64,
    "a trailer": CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_servers_could_read_in_two_ways_is_400_and_the_rest_is_not_read(running: Running, name: str) -> None:
    answer = running.raw(REFUSED[name] + NEXT)
    response = parse(answer)
    assert response.status == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["connection"] == "close"
    assert answer.count(b"HTTP/1.1 ") == 1
    assert response.json()["detail"] == "The request is malformed."


@pytest.mark.parametrize("coding", ["gzip", "identity", "chunked, gzip", "xchunked", "chunked;q=1", "\x0bchunked"])
def test_another_transfer_coding_is_refused(running: Running, coding: str) -> None:
    answer = running.raw(POST + f"Transfer-Encoding: {coding}\r\n\r\n0\r\n\r\n".encode("latin-1") + NEXT)
    assert parse(answer).status in {400, 501}
    assert answer.count(b"HTTP/1.1 ") == 1


TOO_MUCH = {
    431: HEAD + b"X: " + b"x" * 102_400 + b"\r\n\r\n",
    414: b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: test\r\n\r\n",
    413: POST + b"Content-Length: 99999999999999\r\n\r\n",
}


@pytest.mark.parametrize("status", TOO_MUCH)
def test_what_is_too_long_has_its_own_status(running: Running, status: int) -> None:
    assert parse(running.raw(TOO_MUCH[status])).status == status


def test_a_refused_client_that_goes_on_sending_gets_its_answer(running: Running) -> None:
    with closing(running.connect()) as connection:
        for _ in range(40):
            connection.sendall(b"x" * 8192)
            time.sleep(0.005)
        assert parse(read_all(connection)).status == 431


def test_more_than_100_fields_are_431(running: Running) -> None:
    fields = b"".join(b"X-%d: y\r\n" % number for number in range(101))
    assert parse(running.raw(HEAD + fields + b"\r\n")).status == 431


def test_a_chunked_body_has_the_same_limit(running: Running) -> None:
    chunks = (b"2000\r\n" + b"x" * 8192 + b"\r\n") * 9
    assert parse(running.raw(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)).status == 413


def test_a_body_is_read_and_thrown_away_and_the_next_request_answered(running: Running) -> None:
    answer = running.raw(POST + b"Content-Length: 5\r\n\r\nabcde" + HEAD + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"HTTP/1.1 200 " in answer


WHOLE = CHUNKED + b"5\r\nabcde\r\n00A\r\n0123456789\r\n0\r\n\r\n"


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_a_chunked_body_is_read_to_its_end_however_it_arrives(cut: int) -> None:
    parser, rest = RequestParser(Adjustments()), [WHOLE[:cut], WHOLE[cut:] + NEXT]
    while rest and not parser.completed:
        consumed = parser.received(rest[0])
        rest = [piece for piece in (rest[0][consumed:], *rest[1:]) if piece]
    assert (parser.error, parser.headers["CONTENT_LENGTH"]) == (None, "15")
    assert b"".join(rest) == NEXT


def test_a_chunked_body_is_thrown_away_and_the_next_request_answered(running: Running) -> None:
    answer = running.raw(WHOLE + HEAD + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"HTTP/1.1 200 " in answer


def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    wire = b"".join(b"GET /%b HTTP/1.1\r\nHost: test\r\n\r\n" % path for path in (b"", b"livez", b"no", b"version"))
    answer = running.raw(wire + HEAD + b"Connection: close\r\n\r\n")
    assert [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]] == [200, 200, 404, 200, 200]


def test_http_1_0_closes_unless_it_asks_to_keep(running: Running) -> None:
    assert parse(running.raw(b"GET / HTTP/1.0\r\n\r\n")).headers["connection"] == "close"
    kept = running.raw(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\n\r\n")
    assert kept.count(b"HTTP/1.1 200") == 2


def test_expect_100_continue_is_answered(running: Running) -> None:
    answer = running.raw(POST + b"Expect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 405 ")


EVIL = "EVIL"
LOGGED = (
    f"GET /{EVIL}%0a%22 HTTP/1.1\r\nHost: test\r\n",
    f"GET /?tz={EVIL}%0d%0a HTTP/1.1\r\nHost: test\r\n",
    f"GET /{EVIL}\x01 HTTP/1.1\r\nHost: test\r\n",
    f"{EVIL} / HTTP/1.1\r\nHost: test\r\n",
    f"GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {EVIL}\r\n",
    f"GET / HTTP/1.1\r\nHost: test\r\nX-Request-Id: {EVIL} \x85\r\n",
    f"GET / HTTP/1.1\r\nHost: test\r\ntraceparent: {EVIL}\r\n",
    f"GET / HTTP/1.1\r\nHost: {EVIL}/\r\n",
    f"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: {EVIL}\r\n",
)


@pytest.mark.parametrize("head", LOGGED)
def test_neither_the_log_nor_the_answer_holds_the_attackers_bytes(logging: Running, head: str) -> None:
    answer = logging.raw(head.encode("latin-1") + b"Connection: close\r\n\r\n")
    line = logging.wait_for("request")
    assert EVIL not in str(line)
    assert EVIL.encode() not in answer


def test_a_path_of_plain_characters_is_logged(logging: Running) -> None:
    logging.ask("/some/path")
    assert logging.wait_for("request")["path"] == "/some/path"


def test_a_client_that_sends_a_byte_at_a_time_is_cut_off_and_others_are_not(start: Start) -> None:
    service = start(REQUEST_TIMEOUT="0.5")
    with closing(service.connect()) as slow:
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE and still_open(slow):
            slow.sendall(b"G")
            assert service.ask("/").status == 200
            time.sleep(0.1)
        assert 0.4 < time.monotonic() - began < PATIENCE


def test_an_idle_connection_is_closed_after_the_idle_timeout(start: Start) -> None:
    service = start(IDLE_TIMEOUT="1")
    with closing(service.connect()) as idle:
        idle.sendall(HEAD + b"\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        assert idle.recv(4096) == b""
        assert time.monotonic() - began > 0.5  # and less than the connection's own patience


def test_a_client_that_never_reads_is_cut_off(start: Start) -> None:
    service = start(REQUEST_TIMEOUT="0.5", ACCESS_LOG="off")
    with closing(socket.socket()) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect(("127.0.0.1", service.port))
        deaf.settimeout(0.2)
        with suppress(TimeoutError):  # at some time neither side's buffers take any more
            for _ in range(1000):
                deaf.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 50)
        end = time.monotonic() + PATIENCE
        while b"connections_active 0\n" not in service.ask("/metrics", port=service.metrics_port).body:
            assert time.monotonic() < end, "the service still holds the connection"
            time.sleep(0.1)
    assert service.ask("/").status == 200


def test_beyond_the_connection_limit_clients_wait_and_are_served_when_there_is_room(start: Start) -> None:
    service = start(CONNECTION_LIMIT="16")
    with ExitStack() as stack:
        held = [stack.enter_context(closing(service.connect())) for _ in range(20)]
        late = stack.enter_context(closing(service.connect()))
        late.sendall(HEAD + b"\r\n")
        late.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.recv(1)
        for connection in held:
            connection.close()
        late.settimeout(PATIENCE)
        assert late.recv(4096).startswith(b"HTTP/1.1 200")
