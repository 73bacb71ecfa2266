"""A request says all that it needs to, its answer is judged by what it holds, and what is wrong is told with why."""

from pathlib import Path
from typing import Any

import pytest

from shipseal.errors import SubjectFailed
from shipseal.locked.store import Store
from shipseal.project.smoke import SmokeRequest
from shipseal.smoke.namespaces import forbidden
from shipseal.smoke.request import judge, wire
from tests.stages.services import Service
from tests.stages.test_smoke import needs_bubblewrap, smoked

DOCUMENT = b'{"ip": "::1", "n": 1, "on": true, "items": [{"name": "x"}], "a/b": {"~": null}}'


def answered(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    "values",
    [
        {"/ip": "::1"},
        {"/n": 1.0, "/on": True},
        {"/items/0/name": "x", "/items": [{"name": "x"}]},
        {"/a~1b/~0": None},
        {"": {"ip": "::1", "n": 1, "on": True, "items": [{"name": "x"}], "a/b": {"~": None}}},
    ],
)
def test_a_value_is_found_by_its_pointer(values: dict[str, Any]) -> None:
    assert judge(SmokeRequest(path="/", json=values), answered(DOCUMENT)).passed


@pytest.mark.parametrize(
    ("values", "body", "wrong"),
    [
        ({"/ip": "::2"}, DOCUMENT, '/ip is "::1", expected "::2"'),
        ({"/n": True}, DOCUMENT, "/n is 1, expected true"),
        ({"/items": [{"name": "y"}]}, DOCUMENT, '/items is [{"name": "x"}], expected [{"name": "y"}]'),
        ({"/items/1": 1}, DOCUMENT, "/items/1 is not there, expected 1"),
        ({"/items/00": 1}, DOCUMENT, "/items/00 is not there, expected 1"),
        ({"/ip/x": 1}, DOCUMENT, "/ip/x is not there, expected 1"),
        ({"": 2}, b"1", "the whole is 1, expected 2"),
        ({"/ip": ""}, b"<html>", "'<html>', expected JSON"),
        ({"/ip": ""}, b"[" * 100_000, f"{'[' * 120!r}, expected JSON"),
        ({"/ip": ""}, b"\xff", "'\ufffd', expected JSON"),
    ],
)
def test_a_value_that_is_another_is_told_with_what_it_is(values: dict[str, Any], body: bytes, wrong: str) -> None:
    assert judge(SmokeRequest(path="/", json=values), answered(body)).wrong == (wrong,)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (answered(b"Oh no", "500 Broken"), "500 'Oh no', expected 200"),
        (b"timed out", "no status 'timed out', expected 200"),
        (b"HTTP/1.0 \xb2\xb2\xb2 OK\r\n\r\n", "no status 'HTTP/1.0 \ufffd\ufffd\ufffd OK\\r\\n\\r\\n', expected 200"),
    ],
)
def test_another_status_or_none_is_told_with_what_came_instead(answer: bytes, wrong: str) -> None:
    assert judge(SmokeRequest(path="/"), answer).wrong == (wrong,)


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        ({}, b"GET /x HTTP/1.0\r\nHost: localhost\r\n\r\n"),
        ({"method": "POST"}, b"POST /x HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
        (
            {"method": "PUT", "headers": {"host": "example.org", "X-A": "b"}, "body": "ü"},
            b"PUT /x HTTP/1.0\r\nhost: example.org\r\nX-A: b\r\nContent-Length: 2\r\n\r\n\xc3\xbc",
        ),
    ],
)
def test_a_request_is_sent_as_it_is_written(request_: dict[str, Any], sent: bytes) -> None:
    assert sent == wire(SmokeRequest(path="/x", **request_))


def app(answer: str) -> dict[str, str]:
    return {"app.py": f"import json\n\n\ndef app(environ, start):\n    {answer}\n"}


ECHO = (
    "start('201 Created' if environ['REQUEST_METHOD'] == 'POST' else '200 OK', []); "
    "given = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0)).decode(); "
    "return [json.dumps({'said': given, 'token': environ.get('HTTP_X_TOKEN')}).encode()]"
)
POSTED = """
[[smoke.requests]]
path = "/items"
method = "POST"
headers = { "Content-Type" = "application/json", "X-Token" = "abc" }
body = '{"name": "x"}'
status = 201
json = { "/said" = '{"name": "x"}', "/token" = "abc" }
"""


def callable_service(answer: str, requests: str = "") -> Service:
    return Service(files=app(answer), start='callable = "app:app"', waitress=True, settings={"smoke": requests})


@needs_bubblewrap
async def test_a_service_is_asked_with_method_headers_and_body_and_its_json_is_compared(
    store: Store, tmp_path: Path
) -> None:
    found = await smoked(callable_service(ECHO, POSTED), store, tmp_path / "posted")
    assert [(each["method"], each["status"]) for each in found["requests"]] == [("GET", 200), ("POST", 201)]


BREAKS = (
    "start('200 OK', []); return [b'fine'] if environ['PATH_INFO'] == '/health' else json.loads('no JSON' + chr(27))"
)


@needs_bubblewrap
async def test_an_answer_of_500_is_told_with_what_the_service_said_last(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SubjectFailed) as caught:
        await smoked(callable_service(BREAKS, 'requests = [{ path = "/page" }]'), store, tmp_path / "breaks")
    assert caught.value.why[0].startswith("GET /page: 500 ")
    assert caught.value.why[-1].startswith("json.decoder.JSONDecodeError: Expecting value")


@needs_bubblewrap
async def test_an_answer_that_is_only_another_is_told_without_the_services_log(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SubjectFailed) as caught:
        await smoked(callable_service(ECHO, POSTED.replace("201", "202")), store, tmp_path / "other")
    assert len(caught.value.why) == 1


MEDDLES = """import os
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and int(name) != os.getpid():
                with open("/proc/" + name + "/fd/1", "wb") as answers:
                    answers.write(b"answer zz\\nready \\xff\\n")
        except OSError:
            pass
    """


@needs_bubblewrap
async def test_a_service_that_writes_between_its_own_answers_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SubjectFailed, match="has written between the answers that were counted"):
        await smoked(callable_service(MEDDLES + ECHO), store, tmp_path / "meddles")


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "/etc/apparmor.d"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces="),
    ],
)
def test_a_machine_that_forbids_namespaces_is_told_with_its_setting_and_the_remedy(
    tmp_path: Path, name: str, value: str, remedy: str
) -> None:
    assert forbidden(tmp_path) == ""
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(f"{1 - int(value)}\n")
    assert forbidden(tmp_path) == ""
    (tmp_path / name).write_text(f"{value}\n")
    said = forbidden(tmp_path)
    assert said.startswith(f"{name.replace('/', '.')} is {value} here")
    assert remedy in said
