"""The real kustomize, the very bytes that tools/tools.lock.toml names, and what the real service says of itself."""

from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.locked.store import Store
from tests.service.client import launch


@pytest.fixture(scope="session")
def kustomize(store: Store, locked: dict[str, Digest]) -> Path:
    """The locked kustomize, verified now."""
    return store.get(locked["kustomize"])


@pytest.fixture(scope="session")
def service() -> str:
    """What the service says of itself after some requests."""
    running = launch(WORKERS="2", REVISION="abc")
    try:
        for target in ("/", "/?tz=No/Where", "/health", "/nowhere"):
            running.ask(target)
        return running.ask("/metrics", port=running.metrics_port).body.decode("ascii")
    finally:
        running.end()
