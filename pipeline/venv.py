"""Make a clean Python environment from wheels of the store, with nothing else in it."""

import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pipeline.digest import Digest
from pipeline.errors import VerificationFailed
from pipeline.stage import Context


@asynccontextmanager
async def scratch(context: Context) -> AsyncIterator[Path]:
    """Give a directory that is gone when the block ends, whatever happens in it."""
    path = context.out / "scratch"
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def locked_wheels(context: Context, group: str) -> list[dict[str, Any]]:
    """Return a group of wheels of `inputs.json`; raise `VerificationFailed` when it has no such group."""
    groups: dict[str, list[dict[str, Any]]] = context.read_json("inputs", "inputs.json")["wheels"]
    if group not in groups:
        raise VerificationFailed(
            f"inputs/inputs.json has no wheels.{group}",
            why=f"it has {', '.join(sorted(groups)) or 'none'}",
            do="run `python -m pipeline stage inputs` again",
        )
    return groups[group]


def service_wheel(context: Context) -> Path:
    """Return the service's own wheel; raise `VerificationFailed` unless `build` has left exactly one."""
    found = sorted((context.of("build") / "wheels" / "service").glob("*.whl"))
    if len(found) != 1:
        raise VerificationFailed(
            f"build/wheels/service holds {len(found)} wheels, and must hold one",
            why=[path.name for path in found],
            do="run `python -m pipeline stage build` again",
        )
    return found[0]


def stored(context: Context, wheels: Iterable[dict[str, Any]]) -> list[Path]:
    """Return wheels of `inputs.json` as verified paths in the store, and record each as a material."""
    paths = []
    for wheel in wheels:
        digest = Digest.parse(wheel["digest"])
        context.material(f"pkg:pypi/{wheel['name']}@{wheel['version']}", digest)
        paths.append(context.store.get(digest))
    return paths


async def create(context: Context, where: Path, wheels: Iterable[Path]) -> Path:
    """Create an environment with exactly these wheels; return its interpreter."""
    await context.tools.run("python", "-m", "venv", "--without-pip", where)
    python = where / "bin" / "python"
    await context.tools.run(
        "python", "-m", "pip", "--python", python, "--disable-pip-version-check", "--no-cache-dir", "install",
        "--quiet", "--no-index", "--no-deps", "--no-compile", *wheels,
    )  # fmt: skip
    return python
