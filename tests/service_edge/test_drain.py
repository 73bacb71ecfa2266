"""Instances are stopped again and again, behind HAProxy and alone, and no client loses a request."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from string import Template

from tests.service.client import Running, launch
from tests.service_edge.load import Load, begin, finish
from tests.service_edge.proxies import command_line, free_port, serving

CONFIG = Template("""
global
  maxconn 1000
  stats socket $folder/admin.sock level admin
defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout queue 5s
  timeout check 2s
listen edge
  bind 127.0.0.1:$port
  option httpchk GET /readyz
  http-check expect status 200
  default-server check inter 50ms fall 1 rise 1
  server one 127.0.0.1:$one
  server two 127.0.0.1:$two
""")
CYCLES, CLIENTS = 20, 64
ASKED = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
# The service, whose workers are paused for a moment before they close a listener, as in a container out of quota.
PAUSED = """
import sys, time
from service import __main__, server

def close(listener, close=server.wasyncore.dispatcher.close):
    time.sleep(0.02)
    close(listener)

server.wasyncore.dispatcher.close = close
sys.exit(__main__.main([]))
"""


@contextmanager
def balanced(one: int, two: int, folder: Path) -> Iterator[int]:
    port, config = free_port(), folder / "haproxy.cfg"
    config.write_text(CONFIG.substitute(folder=folder, port=port, one=one, two=two))
    with serving(command_line("haproxy", config), port, folder):
        await_up(folder)
        yield port


def await_up(folder: Path) -> None:
    """Wait until the balancer uses both servers."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        lines = list[str]()
        # Its ports are open before its socket has the name that it was given.
        with suppress(FileNotFoundError, ConnectionRefusedError), closing(socket.socket(socket.AF_UNIX)) as admin:
            admin.connect(str(folder / "admin.sock"))
            admin.sendall(b"show stat\n")
            lines = admin.makefile().read().splitlines()
        if sum(line.startswith(("edge,one,", "edge,two,")) and ",UP," in line for line in lines) == 2:
            return
        time.sleep(0.05)
    raise AssertionError("the balancer does not see both instances")


def end_all(instances: dict[str, Running]) -> None:
    for instance in instances.values():
        instance.end()


def roll_out(workers: str, folder: Path) -> Load:
    """Stop and start each of two instances again and again under load; return what the load met."""
    folder.mkdir()
    ports = {name: str(free_port()) for name in ("one", "two")}
    settings = {"WORKERS": workers, "DRAIN_SECONDS": "0.5", "ACCESS_LOG": "off", "METRICS_PORT": "off"}
    instances: dict[str, Running] = {}
    with ExitStack() as stack:
        stack.callback(end_all, instances)
        for name, own in ports.items():
            instances[name] = launch(PORT=own, **settings)
        port = stack.enter_context(balanced(int(ports["one"]), int(ports["two"]), folder))
        load = begin(port, CLIENTS, 600)
        stack.callback(load.kill)
        for _ in range(CYCLES):
            for name, own in ports.items():
                assert instances[name].stop(signal.SIGTERM) == 0
                instances[name].end()
                instances[name] = launch(PORT=own, **settings)
                await_up(folder)
        load.send_signal(signal.SIGINT)  # wrk reports what it has
        return finish(load)


def test_no_request_fails_while_each_instance_is_stopped_20_times(tmp_path: Path) -> None:
    """With one worker, two and four, all at a time: most of it is waiting for those that drain."""
    numbers = ("1", "2", "4")
    with ThreadPoolExecutor(len(numbers)) as pool:
        loads = list(pool.map(roll_out, numbers, (tmp_path / number for number in numbers)))
    for number, done in zip(numbers, loads, strict=True):
        assert done.failed == 0, f"with {number} workers: {done.report}"
        assert done.requests > CYCLES * CLIENTS


def ask_until_refused(port: int) -> tuple[int, int]:
    """Ask on one connection after the other; return how many answers came, and how many did not."""
    answered = lost = 0
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionError:
            return answered, lost
        with closing(connection):
            answer = b"Connection: keep-alive"
            while answer and b"Connection: close" not in answer:
                try:
                    connection.sendall(ASKED)
                    answer = connection.recv(4096)
                except ConnectionError:
                    answer = b""
                answered, lost = (answered + 1, lost) if answer else (answered, lost + 1)


def stop_alone(workers: str, *command: str) -> tuple[int, int]:
    """Stop a service while clients are busy; return how many answers came, and how many did not."""
    service = launch(*command, WORKERS=workers, DRAIN_SECONDS="0.3", ACCESS_LOG="off", METRICS_PORT="off")
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            asking = [pool.submit(ask_until_refused, service.port) for _ in range(CLIENTS)]
            time.sleep(0.3)
            assert service.stop(signal.SIGTERM) == 0
            told = [one.result() for one in asking]
    finally:
        service.end()
    return sum(answered for answered, _ in told), sum(lost for _, lost in told)


def test_no_request_is_lost_when_an_instance_without_a_proxy_is_stopped_20_times() -> None:
    """With one worker, two and four, all at a time: most of it is waiting for clients that try once more."""
    numbers = ("1", "2", "4")
    with ThreadPoolExecutor(len(numbers)) as pool:
        told = [list(pool.map(stop_alone, numbers)) for _ in range(CYCLES)]
    assert [[lost for _, lost in cycle] for cycle in told] == [[0, 0, 0]] * CYCLES
    assert min(answered for cycle in told for answered, _ in cycle) > CLIENTS


def test_no_request_is_lost_when_a_worker_is_paused_before_it_closes_its_listener() -> None:
    for _ in range(3):
        assert stop_alone("2", "-c", PAUSED)[1] == 0
