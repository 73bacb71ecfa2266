"""The real kustomize, the very bytes that tools/tools.lock.toml names."""

from pathlib import Path

import pytest

from pipeline.digest import Digest
from pipeline.locked.store import Store


@pytest.fixture(scope="session")
def kustomize(store: Store, locked: dict[str, Digest]) -> Path:
    """The locked kustomize, verified now."""
    return store.get(locked["kustomize"])
