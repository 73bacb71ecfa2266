"""Lock Python packages again, with uv."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from shipseal.disk import text_of
from shipseal.errors import ConfigError, RemoteFailed, ToolFailed
from shipseal.locked import locks
from shipseal.relocking import lock_comments
from shipseal.tools.toolbox import Toolbox

OLDEST = "3.11"  # that the pipeline runs on, and Debian 12's
_SECONDS = 600
_NO_WHEEL = re.compile(r"Wheels are required for `([A-Za-z0-9._-]+)`")


async def relock_python(
    tools: Toolbox, sources: Sequence[Path], name: str, text: str, *, upgrade: bool, python: str = OLDEST
) -> str:
    """Return a hash-locked requirements file for all platforms, made with uv; nothing is compiled.

    Args:
        tools: `python` is used, in whose environment uv is.
        sources: what is asked for: `.in` files or a pyproject.toml.
        name: of the lock, for messages.
        text: the lock as it is now, or nothing. Its versions stay unless `upgrade` is set or what is asked for has
            changed, and so do comments that stand on lines of their own.
        upgrade: take the newest versions that fit.
        python: the oldest that it has to work with.

    Raises:
        RemoteFailed: no set of versions with wheels fits, or the index does not answer.
        ConfigError: what came out is no lock that stages can read; or what is asked for, or was locked, says more
            than names and versions: an address or a directory would have uv run what lies there.
    """
    asked = ", ".join(source.name for source in sources)
    locks.require_names(text, name)
    for source in sources:
        if source.suffix == ".in":  # a pyproject.toml is the pipeline's own
            locks.require_names(_asked(source), source.name)
    with tempfile.TemporaryDirectory(prefix="lock-") as scratch:
        output = _write(Path(scratch, name), text)
        try:
            await tools.run(
                "python", "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", python,
                "--no-python-downloads", "--only-binary", ":all:", "--generate-hashes", "--no-header", "--no-annotate",
                *(["--upgrade"] if upgrade else []), "--output-file", output, "--", *sources, timeout=_SECONDS,
            )  # fmt: skip
        except ToolFailed as failure:
            raise RemoteFailed(
                f"uv could not lock {name}",
                why=[failure.what, *failure.why],
                remedy=_remedy(failure.why, f"correct {asked} or {name}, or try again later"),
            ) from failure
        made = lock_comments.keep(text, _read(output))
    try:
        locks.requirements(made, name)
    except ConfigError as refused:
        raise ConfigError(
            f"what {asked} asks for cannot be locked", why=refused.what, remedy="name released packages there"
        ) from refused
    return made


def _remedy(said: Sequence[str], otherwise: str) -> str:
    """Return what to do about a package that has no wheel: it would have to be compiled, which nothing here does."""
    named = next((match[1] for line in said if (match := _NO_WHEEL.search(line))), "")
    return f"ask for a version of {named} that has a wheel, or for another package" if named else otherwise


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _asked(source: Path) -> str:
    try:
        return text_of(source)
    except (OSError, ValueError) as failure:
        raise ConfigError(f"{source} cannot be read", why=str(failure), remedy="make it, or restore it") from failure


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
