"""What happens when a handler fails, and what the process holds in memory."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

import service
from service.app import make_app
from service.board import Board
from service.clock import Clock
from service.exchange import Exchange
from service.handlers import Handlers, Request
from service.logs import Logs, take_over_logging
from service.settings import Settings
from tests.service.client import parse

HEAVY = {
    *(
        "ssl",
        "_ssl",
        "hashlib",
        "_hashlib",
        "hmac",
        "secrets",
        "http",
        "email",
        "asyncio",
        "wsgiref",
        "multiprocessing",
    ),
    *("tempfile", "typing", "dataclasses", "inspect", "pathlib", "zoneinfo", "subprocess", "concurrent", "random"),
}


@pytest.fixture
def log() -> Iterator[int]:
    """A pipe that gets all logs of this process; its reading end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    reading, writing = os.pipe()
    take_over_logging(Logs("info", writing))
    yield reading
    root.handlers[:], root.level = handlers, level
    os.close(reading)
    os.close(writing)


def test_a_handler_that_fails_is_500_and_is_logged_with_its_traceback(log: int) -> None:
    def fail(_: Request) -> NoReturn:
        raise RuntimeError("deliberate")

    settings, clock = Settings.from_environment({"ACCESS_LOG": "off"}), Clock()
    handlers = Handlers(settings, clock)
    handlers.routes["/fail"] = fail
    exchange = Exchange(settings, handlers, clock, Board(1).columns[0], Logs("error"))
    data, close = exchange.respond(Request("GET", "/fail", "", "127.0.0.1"), "1.1", 0.0)
    answer = parse(data)
    assert (answer.status, close, answer.headers["connection"]) == (500, True, "close")
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"deliberate" not in data
    line = json.loads(os.read(log, 65536))
    assert line["message"] == "a handler failed"
    assert line["traceback"].endswith("RuntimeError: deliberate\n")


def test_nothing_heavy_is_imported_to_serve() -> None:
    code = "import sys, service.__main__; print(*sys.modules)"
    folder = Path(service.__file__).parent.parent
    path = os.pathsep.join([str(folder), *sys.path])
    command = [sys.executable, "-S", "-c", code]  # -S: what .pth files of this environment import is not the service's
    loaded = subprocess.run(
        command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "waitress.server" in loaded
    assert HEAVY & {name.partition(".")[0] for name in loaded} == set()
    assert len(loaded) < 140


ENVIRON = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", "REMOTE_ADDR": "127.0.0.1"}


@pytest.mark.parametrize("peer", ["", "unix:", "localhost", "/run/gunicorn.sock"])
def test_a_peer_without_an_address_is_on_this_machine(peer: str) -> None:
    """That is what WSGI servers tell of a Unix socket."""
    app, environ = make_app(Settings.from_environment({"DEBUG_IP": "on"})), {**ENVIRON, "REMOTE_ADDR": peer}
    (body,) = app({**environ, "HTTP_X_FORWARDED_FOR": "203.0.113.1"}, lambda *_: None)
    assert json.loads(body)["ip"] == "203.0.113.1"
    for forwarded in ("", "unknown"):
        (body,) = app({**environ, "HTTP_X_FORWARDED_FOR": forwarded}, lambda *_: None)
        assert json.loads(body)["ip"] == "127.0.0.1"
    (body,) = app({**environ, "PATH_INFO": "/debug/ip"}, lambda *_: None)
    assert json.loads(body)["peer"] == "127.0.0.1"


def test_the_empty_path_of_a_wsgi_application_is_its_root() -> None:
    """PEP 3333: PATH_INFO may be empty."""
    (body,) = make_app(Settings.from_environment({}))({**ENVIRON, "PATH_INFO": ""}, lambda *_: None)
    assert json.loads(body)["ip"] == "127.0.0.1"


def test_the_wsgi_application_answers_as_the_service_does() -> None:
    told: list[object] = []
    environ = ENVIRON
    app = make_app(Settings.from_environment({}))
    (body,) = app({**environ, "HTTP_X_FORWARDED_FOR": "203.0.113.1"}, lambda *arguments: told.extend(arguments))
    assert json.loads(body)["ip"] == "203.0.113.1"
    assert told[0] == "200 OK"
    (body,) = app({**environ, "PATH_INFO": "/nowhere"}, lambda *arguments: told.extend(arguments))
    assert json.loads(body)["status"] == 404
