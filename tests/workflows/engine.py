"""Which Dagger engine the tests use: the one that is configured, else the one that `DAGGER_TEST_ENGINE` starts."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

CONFIGURED = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    Args:
        environment: what its client needs.
        base: the image that stages run in, by digest, where the engine reaches no other; empty for the module's own.
    """

    environment: dict[str, str]
    base: str = ""


def start() -> Engine:
    """Return the engine; skip the test where there is none, saying how one is given."""
    if os.environ.get(CONFIGURED):
        return Engine({}, _base())
    command = os.environ.get("DAGGER_TEST_ENGINE")
    if not command:
        pytest.skip(f"no engine: set {CONFIGURED}, or DAGGER_TEST_ENGINE to a command that starts one")
    subprocess.run([command, "start"], check=True, capture_output=True, timeout=900)
    said = subprocess.run([command, "env"], check=True, capture_output=True, text=True).stdout
    return Engine(dict(word.split("=", 1) for word in shlex.split(_expanded(said)) if "=" in word), _base())


def _expanded(exports: str) -> str:
    return exports.replace("$PATH", os.environ["PATH"])


def _base() -> str:
    """Return what the test engine calls its Debian 12 with Python 3.11; its digest differs between machines."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = Path(os.environ.get("DAGGER_ENGINE_HOME") or f"{cache}/dagger-engine-test")
    return (home / "py.ref").read_text().strip() if (home / "py.ref").exists() else ""
