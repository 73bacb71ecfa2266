"""Have uv choose the versions of what a project asks for, with the sha256 of every file."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio

from shipseal.relocking.relock_python import relock_python
from shipseal.scaffold.config_writer import preferences, requirements
from shipseal.scaffold.plan import ScaffoldPlan
from shipseal.tools.toolbox import Toolbox

_TO = {"runtime": "run", "build": "be built", "test": "be tested"}


async def choose(tools: Toolbox, plan: ScaffoldPlan, say: Callable[[str], None]) -> dict[str, str]:
    """Return the locks, by name; versions that the project has chosen before stay where they can.

    Args:
        tools: `python` is used, in whose environment uv is.
        plan: what is asked for.
        say: told of each lock.

    Raises:
        RemoteFailed: no set of versions with wheels fits, or the index does not answer.
        ConfigError: what is asked for is no name of the index.
    """
    made: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="init-") as scratch:
        for name, text in requirements(plan).items():
            source = anyio.Path(scratch, f"{name}.in")
            await source.write_text(text, encoding="utf-8")
            say(f"locking what it needs to {_TO[name]}")
            # The tests run beside what the service runs with: one version of a package in both.
            before = made["runtime"] if name == "test" else preferences(plan) if name == "runtime" else ""
            made[name] = await relock_python(
                tools, [Path(source)], f"{name}.lock", before, upgrade=False, python=plan.python
            )
    return made
