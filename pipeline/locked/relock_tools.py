"""Lock the tools again: build each from its module graph, and record what came out."""

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.digest import Digest
from pipeline.errors import ConfigError
from pipeline.locked import locks
from pipeline.locked.fetch_tools import build, toolchain
from pipeline.locked.locks import LockedTool
from pipeline.locked.store import Store
from pipeline.tools.toolbox import Toolbox


async def relock_tools(tools: Toolbox, store: Store, sources: Path, text: str, say: Callable[[str], None]) -> str:
    """Build every tool for every platform that the lock names; return the lock with what came out.

    Versions are those of each `go.mod`: `go get -tool PACKAGE@VERSION` in `tools/NAME` is how one is chosen.

    Raises:
        ToolFailed: a build fails.
        ConfigError: a module graph does not hold the tool that the lock names.
    """
    locked = locks.tools(text, "tools.lock.toml")  # before any program starts
    async with toolchain(tools, store, sources, say) as go:
        for tool in locked.values():
            version = _version(sources / tool.name / "go.mod", tool)
            moved = replace(tool, version=version, ldflags=tool.ldflags.replace(tool.version, version))
            text = _replaced(_replaced(text, tool, "version", version), tool, "ldflags", moved.ldflags)
            for platform in tool.digests:
                say(f"building {tool.name} {version} for {platform}")
                with tempfile.TemporaryDirectory(prefix="build-") as scratch:
                    built = await build(tools, go, moved, platform, sources / tool.name, Path(scratch))
                    digest = Digest.of_file(built)
                    store.add(built, digest)
                    text = _replaced(text, tool, f'"{platform}"', digest.hex)
    return text


def _version(module: Path, tool: LockedTool) -> str:
    """Return the version of the module that holds the package; of our own package, of the one it is named after."""
    text = module.read_text()
    required: dict[str, str] = dict(re.findall(r"^\t?(?:require )?(\S+) v(\S+)", text, re.MULTILINE))
    own = f"module {tool.package}" in text.splitlines()
    holding = [
        name
        for name in required
        if (name.endswith(f"/{tool.name}") if own else f"{tool.package}/".startswith(f"{name}/"))
    ]
    if not holding:
        raise ConfigError(
            f"{module} does not require {tool.package}", do=f"run `go get -tool {tool.package}@latest` there"
        )
    return required[max(holding, key=len)]


def _replaced(text: str, tool: LockedTool, key: str, value: str) -> str:
    """Return the lock with one value of a tool replaced; comments and order stay as people wrote them."""
    pattern = rf'(?ms)(^\[{tool.name}(?:\.sha256)?\]$(?:(?!^\[).)*?^{re.escape(key)} = ")[^"]*(")'
    return re.sub(pattern, lambda match: f"{match[1]}{value}{match[2]}", text, count=1)
