"""Whatever a client sends: a well-formed answer or a closed connection, in time, and the next client is served."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from service.answer import REASONS
from tests.service.client import Running, launch, read_all

BOUND = 15.0  # seconds: nothing waits for ever; REQUEST_TIMEOUT is a tenth, and the machine may be busy
KNOWN = set(REASONS) - {500}
CLOSING = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"

anything = st.binary(max_size=40)
spaces = st.sampled_from([b"", b"", b"", b"\r\n", b" ", b"\x0b", b"\r", b"\n", b"\r\n\r\n"])
methods = st.one_of(st.sampled_from([b"GET", b"HEAD", b"OPTIONS", b"POST", b"get", b"CONNECT"]), anything)
targets = st.one_of(
    st.sampled_from(
        [b"/", b"*", b"/?tz=UTC", b"/?tz=%ff", b"http://h", b"http://h?x", b"//", b"http://[", b"/debug/ip"]
    ),
    anything,
)
versions = st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1 ", b""])
lines = st.builds(lambda one, two, three: b" ".join((one, two, three)), methods, targets, versions)
names = st.one_of(
    st.sampled_from(
        b"Host Expect Content-Length Transfer-Encoding Connection Accept X-Forwarded-For X-Real-IP "
        b"X-Request-Id traceparent Upgrade host EXPECT".split()
    ),
    anything,
)
values = st.one_of(
    st.sampled_from(
        [b"test", b"100-continue", b"0", b"5", b"99999999", b"-1", b"chunked", b"close", b"keep-alive", b"text/*;q=0.5"]
    ),
    st.sampled_from([b"1.2.3.4:", b"[::1]:80", b"," * 40, b"x" * 9000, b"\xe9", b"a,b;q=nan"]),
    anything,
)
fields = st.builds(lambda name, gap, value: name + gap + value, names, st.sampled_from([b": ", b":", b" :"]), values)
heads = st.builds(
    lambda space, line, host, rest, ends: space + ends[0].join([line, *host, *rest]) + ends[1],
    spaces,
    lines,
    st.sampled_from([[b"Host: test"], [b"Host: test"], []]),
    st.lists(fields, max_size=5),
    st.sampled_from([(b"\r\n", b"\r\n\r\n")] * 4 + [(b"\n", b"\n\n"), (b"\r\n", b"\r\n"), (b"\r\n", b"")]),
)
wires = st.one_of(st.binary(max_size=200), st.builds(lambda head, body: head + body, heads, anything))


@pytest.fixture(scope="module")
def quick() -> Iterator[Running]:
    """A service that soon gives up a request that does not end."""
    service = launch(REQUEST_TIMEOUT="0.1", IDLE_TIMEOUT="1", DEBUG_IP="on", ACCESS_LOG="off")
    yield service
    assert service.stop() == 0
    log = service.process.communicate()
    assert b"traceback" not in log[0].lower() + log[1].lower()


def check(answer: bytes) -> None:
    """Hold every response on a connection to its form; each says how long it is."""
    while answer:
        head, found, answer = answer.partition(b"\r\n\r\n")
        assert found, head
        first, *rest = head.decode("ascii").split("\r\n")
        version, status, reason = first.split(" ", 2)
        assert version == "HTTP/1.1"
        if (status, reason) == ("100", "Continue"):
            continue
        assert int(status) in KNOWN, head
        assert REASONS[int(status)].decode() == reason
        headers = dict(line.lower().split(": ", 1) for line in rest)
        assert len(headers) == len(rest)
        length = int(headers.get("content-length", "0"))
        if answer and not answer.startswith(b"HTTP/1.1 "):  # an answer to HEAD has no body
            body, answer = answer[:length], answer[length:]
            assert len(body) == length
            if headers["content-type"] in {"application/json", "application/problem+json"}:
                json.loads(body)


@settings(max_examples=120, deadline=None)
@given(wires)
@example(b"")
@example(b"GET / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n\r\n")
@example(b"\x0bGET / HTTP/1.1\r\nHost: test\r\n\r\n")
@example(b"\r\n" * 4000)
def test_any_bytes_give_a_well_formed_answer_or_a_closed_connection_in_time(quick: Running, wire: bytes) -> None:
    began = time.monotonic()
    with closing(quick.connect()) as connection:
        with suppress(ConnectionError):
            connection.sendall(wire + CLOSING)  # whatever it was: that ends it, or is part of it
        check(read_all(connection))
    assert time.monotonic() - began < BOUND
    assert quick.raw(CLOSING).startswith(b"HTTP/1.1 200 OK\r\n")


@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(st.lists(wires, min_size=40, max_size=60))
def test_no_connection_is_held_past_its_time_whatever_came_on_it(quick: Running, several: list[bytes]) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(quick.connect())) for _ in several]
        for connection, wire in zip(connections, several, strict=True):
            with suppress(ConnectionError):
                connection.sendall(wire)
        assert quick.raw(CLOSING).startswith(b"HTTP/1.1 200 OK\r\n")
        for connection in connections:
            check(read_all(connection))
    assert time.monotonic() - began < BOUND
