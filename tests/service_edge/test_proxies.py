"""The caller's address through real proxies that append to X-Forwarded-For."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.service.client import launch, parse, read_all
from tests.service_edge.proxies import proxy

KINDS = ("nginx", "haproxy", "envoy")
CLIENT = "127.0.0.77"  # all of 127.0.0.0/8 is ours: proxies see this as their client


def address_told(port: int, *fields: str) -> str:
    """Ask from CLIENT, and return the address that the service tells."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(CLIENT, 0))) as connection:
        head = "\r\n".join(("GET / HTTP/1.1", "Host: test", "Connection: close", *fields, "", ""))
        connection.sendall(head.encode())
        response = parse(read_all(connection))
    assert response.status == 200, response
    return str(json.loads(response.body)["ip"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["first", "trusted-hops"])
def test_an_honest_client_is_told_its_own_address(kind: str, strategy: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = launch(CLIENT_IP_STRATEGY=strategy)
        stack.callback(service.end)
        port = stack.enter_context(proxy(kind, service.port, tmp_path / "one"))
        assert address_told(port) == CLIENT


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_writes_the_header_itself_fools_first_and_not_trusted_hops(kind: str, tmp_path: Path) -> None:
    for strategy, expected in (("first", "203.0.113.99"), ("trusted-hops", CLIENT)):
        with ExitStack() as stack:
            service = launch(CLIENT_IP_STRATEGY=strategy)
            stack.callback(service.end)
            port = stack.enter_context(proxy(kind, service.port, tmp_path / strategy))
            assert address_told(port, "X-Forwarded-For: 203.0.113.99") == expected


@pytest.mark.parametrize("outer", KINDS)
def test_two_proxies_are_two_hops(outer: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = launch(CLIENT_IP_STRATEGY="trusted-hops", TRUSTED_HOPS="2")
        stack.callback(service.end)
        inner = stack.enter_context(proxy("nginx", service.port, tmp_path / "inner"))
        port = stack.enter_context(proxy(outer, inner, tmp_path / "outer"))
        assert address_told(port, "X-Forwarded-For: 203.0.113.99") == CLIENT


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_is_not_trusted_is_itself_the_client(kind: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = launch(TRUSTED_PROXIES="10.0.0.0/8")
        stack.callback(service.end)
        port = stack.enter_context(proxy(kind, service.port, tmp_path / "one"))
        assert address_told(port) == "127.0.0.1"


@pytest.mark.parametrize("kind", KINDS)
def test_an_expectation_without_a_body_is_answered_through_a_proxy(kind: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = launch()
        stack.callback(service.end)
        port = stack.enter_context(proxy(kind, service.port, tmp_path / "one"))
        connection = stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), timeout=10)))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        assert b"HTTP/1.1 200 OK\r\n" in read_all(connection)
