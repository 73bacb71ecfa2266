"""Make a clean Python environment from wheels of the store, with nothing else in it."""

import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from shipseal.engine.stage import Context


@asynccontextmanager
async def scratch(context: Context) -> AsyncIterator[Path]:
    """Give a directory that is gone when the block ends, whatever happens in it."""
    path = context.out / "scratch"
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


async def create(context: Context, where: Path, wheels: Iterable[Path]) -> Path:
    """Create an environment with exactly these wheels; return its interpreter."""
    await context.tools.run("python", "-m", "venv", "--without-pip", where)
    python = where / "bin" / "python"
    await context.tools.run(
        "python", "-m", "pip", "--python", python, "--disable-pip-version-check", "--no-cache-dir", "install",
        "--quiet", "--no-index", "--no-deps", "--no-compile", *wheels,
    )  # fmt: skip
    return python
