"""How the image starts the service: as configured, from a Python module, or as a callable behind Waitress."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from pydantic import ValidationError

from shipseal.errors import ConfigError
from shipseal.image import callable_server
from shipseal.image.start import start
from shipseal.project.config import Service

APP = """
import pathlib, time

HERE = pathlib.Path(__file__).parent

def app(environ, start):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if environ["PATH_INFO"] == "/slow":
        (HERE / "begun").touch()
        while not (HERE / "end").exists():
            time.sleep(0.01)
        body = bytes(20_000_000)
    start("200 OK", [])
    if environ["PATH_INFO"] == "/slow":
        return [body]
    return [b"%d bytes" % len(body)]

class inner:
    app = app
"""


def service(**changes: object) -> Service:
    """Return a service's configuration; paths in it do not matter here."""
    values = {"name": "sample", "lock": "lock", "build-lock": "lock", **changes}
    return Service.model_validate(values, context={"root": Path("/")})


def test_a_command_starts_with_its_package_and_its_main() -> None:
    found = start(service(command=("-m", "sample", "--verbose")), {"sample": 1, "sample.__main__": 1})
    assert found.entrypoint == ("/usr/bin/python3.11", "-I", "-B", "-m", "sample", "--verbose")
    assert found.seeds == ("runpy", "sample", "sample.__main__")


def test_an_application_that_a_server_is_told_of_is_needed_too() -> None:
    names = {"gunicorn": 1, "sample.web": 1}
    found = start(service(command=("-m", "gunicorn", "-b", "0.0.0.0:8080", "sample.web:app", "other:x")), names)
    assert found.seeds == ("runpy", "gunicorn", "sample.web")


def test_a_callable_gets_a_server() -> None:
    found = start(service(callable="sample.web:app", port=9000), {})
    assert found.entrypoint[3:] == ("-m", "serve_callable", "sample.web:app", "9000")
    assert found.seeds == ("runpy", "serve_callable", "sample.web")
    (source,) = found.generated.values()
    assert source == Path(callable_server.__file__)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("uvicorn", ("--host", "0.0.0.0", "--port", "9000", "sample.web:app")),
        ("granian", ("--interface", "asgi", "--host", "0.0.0.0", "--port", "9000", "sample.web:app")),
        ("gunicorn", ("--bind", "0.0.0.0:9000", "--worker-tmp-dir", "/dev/shm", "sample.web:app")),
    ],
)
def test_another_server_is_started_with_the_callable_and_its_port(server: str, words: tuple[str, ...]) -> None:
    there = {server: 1, f"{server}.__main__": 1, "sample.web": 1}
    found = start(service(callable="sample.web:app", port=9000, server=server), there)
    assert found.entrypoint[3:] == ("-m", server, *words)
    assert found.seeds == ("runpy", server, f"{server}.__main__", "sample.web")
    assert found.generated == {}


def test_a_command_is_a_server_of_its_own() -> None:
    with pytest.raises(ValidationError, match="a command is a server of its own"):
        service(command=("-m", "sample"), server="uvicorn")


@pytest.mark.parametrize("command", [("gunicorn", "sample"), ("-m",), ("-c", "print()"), ("/bin/sh", "-c", "x")])
def test_a_command_that_is_no_module_is_refused(command: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="the image cannot start"):
        start(service(command=command), {})


@contextmanager
def served(directory: Path, target: str = "greet:app") -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Have the callable served as the image does it; give the process and its port."""
    (directory / "greet.py").write_text(APP)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(directory), "HOST": "127.0.0.1", "PORT": str(port)}
    command = [sys.executable, "-W", "error", callable_server.__file__, target, "1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            process.stdout.readline()  # it says when it listens
            yield process, port
        finally:
            process.kill()


def ask(port: int, path: str = "/", body: bytes = b"") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def takes(port: int) -> bool:
    """Tell whether a new connection is taken; one that comes while the last is closed is cut."""
    with suppress(ConnectionResetError):
        try:
            ask(port)
        except ConnectionRefusedError:
            return False
    return True


def test_what_is_in_flight_when_it_is_stopped_is_finished_and_nothing_new_is_taken(tmp_path: Path) -> None:
    answers: list[tuple[int, bytes]] = []
    with served(tmp_path) as (process, port):
        asking = threading.Thread(target=lambda: answers.append(ask(port, "/slow")))
        asking.start()
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        while takes(port):
            time.sleep(0.01)
        (tmp_path / "end").touch()
        asking.join()
        assert process.wait(20) == 0
    assert answers == [(200, bytes(20_000_000))]


def test_a_request_that_never_ends_keeps_it_no_longer_than_its_grace(tmp_path: Path) -> None:
    """One grace for all that is to be waited for: Kubernetes gives half as much again, and no more."""
    (tmp_path / "stuck.py").write_text(
        "import sys, time\nsys.modules['__main__'].GRACE = 8\n\ndef app(environ, start):\n    time.sleep(600)\n"
    )
    with served(tmp_path, "stuck:app") as (process, port), socket.create_connection(("127.0.0.1", port)) as asking:
        asking.sendall(b"GET / HTTP/1.0\r\n\r\n")
        time.sleep(0.4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(14) == 0


def test_a_signal_that_interrupts_no_wait_ends_it_soon(tmp_path: Path) -> None:
    """As one does that comes right before the wait, or to another thread: to this one, which is never done."""
    (tmp_path / "caught.py").write_text(
        "import signal, sys, threading, time\nsys.modules['__main__'].GRACE = 1\n\n"
        "def app(environ, start):\n"
        "    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)\n    time.sleep(600)\n"
    )
    with served(tmp_path, "caught:app") as (process, port), socket.create_connection(("127.0.0.1", port)) as asking:
        asking.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert process.wait(20) == 0


def test_a_body_that_waitress_keeps_in_a_file_arrives_whole(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port):
        assert ask(port, body=bytes(2_000_000)) == (200, b"2000000 bytes")


def test_the_callable_may_be_inside_something(tmp_path: Path) -> None:
    with served(tmp_path, "greet:inner.app") as (_, port):
        assert ask(port)[0] == 200
