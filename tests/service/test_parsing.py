"""The fast reader agrees with the strict parser, and the strict parser is at least as strict as Waitress."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser

from service.parser import RequestParser, UriTooLong
from service.plain import MOST_LINES, READ, PlainReader

LIMITS = Adjustments(max_request_header_size=32768, max_request_body_size=65536)
READER = PlainReader()

names = st.one_of(
    st.sampled_from([name.replace("_", "-").title() for name in READ]),
    st.sampled_from(
        ["Content-Length", "Transfer-Encoding", "Expect", "X_Real_IP", "x-forwarded-FOR", "Cookie", "Host "]
    ),
    st.text(st.characters(max_codepoint=0x7F), max_size=10),
)
values = st.one_of(
    st.sampled_from(
        ["a", "close", "0", "5", "chunked", "text/plain", " \tx ", "1.2.3.4", "[::1]:80", "", "a\rb", "\x85"]
    ),
    st.text(st.characters(max_codepoint=0xFF), max_size=20),
)
fields = st.builds(
    lambda name, gap, value: f"{name}{gap}{value}", names, st.sampled_from([":", ": ", ":\t", " :"]), values
)
targets = st.one_of(
    st.sampled_from(
        [
            "/",
            "/health",
            "//",
            "/?tz=UTC",
            "*",
            "http://h/x?y#z",
            "http://h",
            "http://h?x",
            "/a%00b",
            "//x?y",
            "http://[/",
            "/a#b",
        ]
    ),
    st.text(st.characters(max_codepoint=0xFF), max_size=20),
)
first = st.builds(
    lambda method, target, version: f"{method} {target}{version}",
    st.sampled_from(["GET", "HEAD", "OPTIONS", "get", "POST", "G\x01T", "X'", ""]),
    targets,
    st.sampled_from([" HTTP/1.1", " HTTP/1.0", " HTTP/2.0", "", " HTTP/1.1 "]),
)
heads = st.builds(
    lambda space, line, host, rest, end: (space + "\r\n".join([line, *host, *rest]) + end).encode("latin-1"),
    st.sampled_from([*[""] * 6, "\r\n", " ", "\n", "\x0b"]),
    first,
    st.sampled_from([["Host: test"], ["Host: a/b"], []]),
    st.lists(fields, max_size=6),
    st.sampled_from(["\r\n\r\n", "\r\n\r\n", "\n\n", "\r\n", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", "\r\n\r\nbody"]),
)


ALB = (
    b"GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n"
    b"Host: time.example.com\r\nX-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,*/*;q=0.8\r\n\r\n"
)


def parse(kind: type[HTTPRequestParser], data: bytes) -> tuple[HTTPRequestParser, int]:
    parser = kind(LIMITS)
    return parser, parser.received(data)


def test_a_balancers_request_is_read_fast() -> None:
    plain = READER.read(ALB)
    assert plain is not None
    assert plain[:3] == ("GET", "/", "")
    assert plain[3]["X_FORWARDED_FOR"] == "203.0.113.7"


@given(heads)
@example(ALB)
@example(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\ncontent-length: 1\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n")
@example(b"GET /%2f?a=%00 HTTP/1.1\r\nHost: a\r\nAccept:text/plain \r\n\r\n")
def test_what_is_read_fast_is_what_the_parser_reads(data: bytes) -> None:
    for _ in range(2):  # the second time from memory
        plain = READER.read(data)
        if plain is None:
            return
        parser, consumed = parse(RequestParser, data)
        assert isinstance(parser, RequestParser)
        assert (parser.completed, parser.error, consumed, parser.body_rcv) == (True, None, len(data), None)
        assert (parser.command, parser.path, parser.query, parser.version) == (*plain[:3], "1.1")
        assert {name: value for name, value in parser.headers.items() if name in READ} == plain[3]


@given(heads)
@example(ALB)
@example(b"\r\nGET http://[/ HTTP/1.1\r\nHost: a\r\n\r\n")
def test_what_the_strict_parser_accepts_waitress_reads_in_the_same_way(data: bytes) -> None:
    strict, consumed = parse(RequestParser, data)
    if not strict.completed or strict.error:
        return
    if strict.empty:  # Waitress takes empty lines together with what follows, whatever that is
        assert data[:consumed] == b"\r\n" * (consumed // 2)
        return
    loose, loose_consumed = parse(HTTPRequestParser, data)
    assert (loose.completed, loose.error, loose_consumed) == (True, None, consumed)
    assert loose.headers == strict.headers


def test_a_line_that_is_too_long_is_refused_before_anything_could_remember_it() -> None:
    """`urlsplit` remembers what it has split."""
    remembering: Any = urlsplit
    remembering.cache_clear()
    for number in range(200):
        parser, _ = parse(RequestParser, b"GET /%d%b HTTP/1.1\r\nHost: a\r\n\r\n" % (number, b"x" * 30_000))
        assert isinstance(parser.error, UriTooLong)
    assert remembering.cache_info().currsize == 0


def test_what_is_remembered_has_a_limit() -> None:
    reader = PlainReader()
    for number in range(5 * MOST_LINES):
        assert reader.read(b"GET /%d HTTP/1.1\r\nHost: a\r\nX-%d: y\r\n\r\n" % (number, number)) is not None
    assert max(len(memory) for memory in reader.memories()) <= MOST_LINES


def test_long_lines_are_not_remembered() -> None:
    reader = PlainReader()
    assert reader.read(b"GET /%b HTTP/1.1\r\nHost: a\r\nCookie: %b\r\n\r\n" % (b"x" * 300, b"y" * 300)) is not None
    assert sorted(len(memory) for memory in reader.memories()) == [0, 1]
