"""What each endpoint answers, over a real socket."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import service
from service import __version__
from tests.service.client import Running, Start

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)")


def test_root_tells_the_time_in_utc_and_the_callers_address(running: Running) -> None:
    response = running.ask("/")
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    told = response.json()
    assert sorted(told) == ["ip", "timestamp"]
    assert told["ip"] == "127.0.0.1"
    assert RFC3339.fullmatch(told["timestamp"])
    assert told["timestamp"].endswith("Z")
    assert abs(datetime.fromisoformat(told["timestamp"]) - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_known_zone_gives_its_offset(running: Running) -> None:
    told = running.ask("/?tz=Asia/Kolkata")
    assert told.status == 200, told.body
    assert told.json()["timestamp"].endswith("+05:30")


def test_without_time_zone_data_the_answer_says_so(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tzdata").mkdir()  # hides the package of that name, should it be installed
    (tmp_path / "tzdata" / "__init__.py").touch()
    path = os.pathsep.join([str(tmp_path), str(Path(service.__file__).parent.parent), *sys.path])
    response = start(PYTHONTZPATH="", PYTHONPATH=path).ask("/?tz=Europe/Berlin")
    assert response.status == 400
    assert "no time zone data" in response.json()["detail"]


@pytest.mark.parametrize(
    "zone",
    [
        "Nowhere/City",
        "../../etc/passwd",
        "/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%ff",
        "",
        "Europe",
        "a" * 300,
    ],
)
def test_a_zone_that_is_none_is_a_problem_that_does_not_quote_it(running: Running, zone: str) -> None:
    response = running.ask(f"/?tz={zone}")
    assert response.status == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert "etc" not in response.body.decode()


def test_text_plain_gives_the_bare_timestamp(running: Running) -> None:
    response = running.ask("/", "GET", "Accept: text/plain")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert RFC3339.fullmatch(response.body.decode().rstrip("\n"))


@pytest.mark.parametrize("accept", ["*/*", "application/json, text/plain;q=0.5", "text/html", "text/plain;q=0"])
def test_json_is_the_answer_unless_text_is_preferred(running: Running, accept: str) -> None:
    assert running.ask("/", "GET", f"Accept: {accept}").headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz", "/startupz"])
def test_probes_say_ok(running: Running, path: str) -> None:
    response = running.ask(path)
    assert (response.status, response.json()) == (200, {"status": "ok"})


def test_version_names_what_runs(start: Start) -> None:
    told = start(REVISION="abc123", IMAGE_DIGEST="sha256:00").ask("/version").json()
    assert told == {"version": __version__, "revision": "abc123", "image": "sha256:00"}


def test_debug_ip_is_off_unless_asked_for(start: Start) -> None:
    assert start().ask("/debug/ip").status == 404


def test_debug_ip_explains_the_choice_without_quoting_the_client(running: Running) -> None:
    told = running.ask("/debug/ip", "GET", "X-Forwarded-For: <script>, 203.0.113.9").json()
    assert told["ip"] == "203.0.113.9"
    assert told["source"] == "x-forwarded-for"
    assert told["x_forwarded_for"] == [None, "203.0.113.9"]


@pytest.mark.parametrize("path", ["/", "/health", "/version", "/nowhere"])
def test_head_is_get_without_the_body(running: Running, path: str) -> None:
    head, get = running.ask(path, "HEAD"), running.ask(path)
    assert head.body == b""
    assert (head.status, head.headers["content-length"]) == (get.status, str(len(get.body)))


@pytest.mark.parametrize("target", ["http://time.example.com", "HTTP://time.example.com?x=y", "http://t:80/"])
def test_a_target_in_absolute_form_needs_no_path(running: Running, target: str) -> None:
    """RFC 9112 section 3.2.2 and 3.2.4."""
    assert [running.ask(target, method).status for method in ("GET", "HEAD", "OPTIONS")] == [200, 200, 204]
    assert "timestamp" in running.ask(target).json()


@pytest.mark.parametrize("target", ["/", "/health", "*"])
def test_options_lists_the_methods(running: Running, target: str) -> None:
    response = running.ask(target, "OPTIONS")
    assert (response.status, response.headers["allow"], response.body) == (204, "GET, HEAD, OPTIONS", b"")
    assert "content-length" not in response.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_refused_with_allow(running: Running, method: str) -> None:
    response = running.ask("/", method)
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert response.json()["status"] == 405


@pytest.mark.parametrize("target", ["/nowhere", "//", "/%00", "/%ff%fe", "/..%2f..", "/health/"])
def test_an_unknown_path_is_a_problem_that_does_not_quote_it(running: Running, target: str) -> None:
    response = running.ask(target)
    assert response.status == 404
    assert response.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing here.",
    }


@pytest.mark.parametrize("target", ["/", "/nowhere", "/health", "/?tz=x"])
def test_nothing_is_stored_and_no_server_is_named(running: Running, target: str) -> None:
    headers = running.ask(target).headers
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert "via" not in headers


def test_openapi_describes_every_public_route(running: Running) -> None:
    document = running.ask("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert sorted(document["paths"]) == ["/", "/health", "/livez", "/readyz", "/startupz", "/version"]


def test_valid_ids_are_returned(running: Running) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = running.ask("/", "GET", f"traceparent: {parent}", "X-Request-Id: order-7").headers
    assert (headers["traceparent"], headers["x-request-id"]) == (parent, "order-7")


@pytest.mark.parametrize("value", ['"quoted"', "with space", "é", "x" * 129, "<b>"])
def test_an_invalid_request_id_is_replaced(running: Running, value: str) -> None:
    assert re.fullmatch(
        r"[0-9a-f]{16}-[0-9a-f]+", running.ask("/", "GET", f"X-Request-Id: {value}").headers["x-request-id"]
    )
