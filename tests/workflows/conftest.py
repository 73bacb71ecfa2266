"""What the tests of the workflows run: programs of an environment of their own."""

from pathlib import Path

import pytest

from pipeline.config import HOME
from tests.workflows.engine import Engine, start


@pytest.fixture(scope="session")
def programs() -> Path:
    """Give the directory of act, actionlint and zizmor; `make` fills it."""
    directory = HOME / ".venv-workflows" / "bin"
    missing = [name for name in ("act", "actionlint", "zizmor") if not (directory / name).exists()]
    assert not missing, f"missing {missing}: run `make .venv-workflows/ok`"
    return directory


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Give the engine that Dagger runs on."""
    return start()
