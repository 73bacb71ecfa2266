"""What the tests of the workflows run: programs of an environment of their own, and a Dagger engine where one is."""

import os
import shutil
from pathlib import Path

import pytest

from shipseal.project.config import HOME

CONFIGURED = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"


@pytest.fixture(scope="session")
def programs() -> Path:
    """Give the directory of act, actionlint and zizmor; `make` fills it."""
    directory = HOME / ".venv-workflows" / "bin"
    missing = [name for name in ("act", "actionlint", "zizmor") if not (directory / name).exists()]
    assert not missing, f"missing {missing}: run `make .venv-workflows/ok`"
    return directory


@pytest.fixture(scope="session")
def base() -> str:
    """Give the image that stages run in, where the engine reaches no other; empty for the module's own."""
    if not os.environ.get(CONFIGURED) or not shutil.which("dagger"):
        pytest.skip(f"no Dagger engine: {CONFIGURED} is not set, or dagger not installed; `make test-engine` has both")
    return os.environ.get("DAGGER_TEST_BASE", "")
