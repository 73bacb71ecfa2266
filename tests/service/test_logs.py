"""Log lines of the real process, and the stream that writes them."""

from __future__ import annotations

import json
import os

import pytest

from service.logs import CHUNK, MOST, Logs
from tests.service.client import Start


def test_a_request_is_one_object_with_every_field(start: Start) -> None:
    service = start()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = service.ask("/", "GET", f"traceparent: {parent}", "X-Request-Id: abc", "X-Forwarded-For: 203.0.113.1")
    line = service.wait_for("request")
    assert line.pop("duration_ms") > 0
    assert line.pop("bytes") > len(answer.body)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "message": "request",
        "request_id": "abc",
        "trace_id": parent[3:35],
        "method": "GET",
        "path": "/",
        "status": 200,
        "client": "203.0.113.1",
    }


@pytest.mark.parametrize(("share", "lines"), [("off", 0), ("on", 200), ("0.5", 100), ("0.01", 2)])
def test_access_lines_are_sampled_or_off_by_configuration(start: Start, share: str, lines: int) -> None:
    service = start(ACCESS_LOG=share)
    wire = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 199 + b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    assert service.raw(wire).count(b"HTTP/1.1 200") == 200
    service.process.terminate()
    out, _ = service.process.communicate(timeout=10)
    written = sum(json.loads(line)["message"] == "request" for line in out.splitlines())
    assert written == lines


def test_lines_wait_for_the_flush_and_are_written_in_order() -> None:
    reading, writing = os.pipe()
    logs = Logs("info", writing)
    for number in range(1000):
        logs.line(b"%d\n" % number)
    os.set_blocking(reading, False)
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    logs.flush()
    assert os.read(reading, 65536) == b"".join(b"%d\n" % number for number in range(1000))


def test_a_reader_who_does_not_read_stops_nothing_and_the_loss_is_counted() -> None:
    reading, writing = os.pipe()
    lost: list[int] = []
    logs = Logs("info", writing, lost.append)
    line = b"x" * 199 + b"\n"
    for _ in range(MOST // len(line) * 2):
        logs.line(line)
        logs.flush()
    assert sum(lost) > 0
    os.set_blocking(reading, False)
    got = os.read(reading, 1 << 20)
    assert got == line * (len(got) // len(line))  # what was written is whole lines


def test_a_chunk_is_never_larger_than_what_the_kernel_writes_at_once() -> None:
    assert os.fpathconf(1, "PC_PIPE_BUF") >= CHUNK


def test_a_reader_who_has_gone_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    logs = Logs("info", writing)
    logs.event("error", "nobody reads this")
    assert logs.pending == []


def test_events_are_escaped_and_below_the_level_not_written() -> None:
    reading, writing = os.pipe()
    logs = Logs("warning", writing)
    logs.event("info", "not this")
    logs.event("error", 'a "quoted"\nline \x1b\u2028')
    line = os.read(reading, 4096)
    assert line.count(b"\n") == 1
    assert json.loads(line)["message"] == 'a "quoted"\nline \x1b\u2028'
