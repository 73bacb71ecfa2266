"""Services for the tests, on free loopback ports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.service.client import Running, Start, launch

# These tests decide whether an image is made: the same sources get the same answer, everywhere and every time.
settings.register_profile("the same everywhere", derandomize=True)
settings.load_profile("the same everywhere")


@pytest.fixture
def start() -> Iterator[Start]:
    """Start services with settings of their own; all are gone after the test."""
    started: list[Running] = []

    def begin(**environment: str) -> Running:
        started.append(launch(**environment))
        return started[-1]

    yield begin
    for running in started:
        running.end()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """One service for the tests of a module that change nothing in it."""
    service = launch(DEBUG_IP="on", ACCESS_LOG="off")
    yield service
    service.end()
