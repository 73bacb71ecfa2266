"""Services for the tests, on free loopback ports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from tests.service.client import Running, Start, launch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask these the same every time: they decide whether an image is made. Those of others look further each time."""
    for item in items:
        test = getattr(item, "obj", None)
        if item.path.parent == Path(__file__).parent and is_hypothesis_test(test):
            settings(derandomize=True)(test)


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
