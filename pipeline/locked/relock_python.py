"""Lock Python packages again, with uv."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import RemoteFailed, ToolFailed
from pipeline.toolbox import Toolbox

_PYTHON = "3.11"  # the oldest that the pipeline runs on, and Debian 12's
_SECONDS = 600


async def relock_python(tools: Toolbox, sources: Sequence[Path], lock: Path, *, upgrade: bool) -> None:
    """Write a hash-locked requirements file for all platforms with uv.

    Args:
        tools: `python` is used, in whose environment uv is.
        sources: what is asked for: `.in` files or a pyproject.toml.
        lock: written; versions in it stay unless `upgrade` is set or what is asked for has changed.
        upgrade: take the newest versions that fit.

    Raises:
        RemoteFailed: no set of versions fits, or the index does not answer.
    """
    try:
        await tools.run(
            "python", "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", _PYTHON,
            "--generate-hashes", "--no-header", "--no-annotate", *(["--upgrade"] if upgrade else []),
            *sources, "--output-file", lock, timeout=_SECONDS,
        )  # fmt: skip
    except ToolFailed as failure:
        raise RemoteFailed(
            f"uv could not lock {lock.name}",
            why=[failure.what, *failure.why],
            do=f"correct {', '.join(source.name for source in sources)}, or try again later",
        ) from failure
