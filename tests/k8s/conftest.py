"""The real kustomize, the very bytes that tools/tools.lock.toml names."""

import os
import tomllib
from pathlib import Path

import pytest

from pipeline.digest import Digest
from pipeline.store import Store, default_root

LOCK = Path(__file__).resolve().parents[2] / "tools" / "tools.lock.toml"


@pytest.fixture(scope="session")
def kustomize() -> Path:
    """The locked kustomize out of this user's store; `make tools` puts it there."""
    digest = tomllib.loads(LOCK.read_text())["kustomize"]["sha256"]["linux/amd64"]
    return Store(default_root(os.environ)).get(Digest("sha256", digest))
