"""Compile Python by the image's own interpreter, started from the unpacked tree on this machine.

Other versions of Python write other bytes, so no interpreter of the host will do. All files are compiled in one
process; byte code says nothing of the architecture, so one interpreter compiles for all platforms.
"""

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from pipeline.errors import UsageError
from pipeline.libraries import TRIPLETS
from pipeline.locks import platform_name
from pipeline.toolbox import Toolbox
from pipeline.tree import PYTHON

_LOADERS = {"amd64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1"}

_DESCRIBE = """
import _imp, json, sys
print(json.dumps({"builtin": sorted(sys.builtin_module_names), "frozen": sorted(_imp._frozen_module_names())}))
"""

# UNCHECKED_HASH (PEP 552): no time in the file, and none looked at when it is imported.
_COMPILE = """
import json, py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
failed = {}
for source, target, name in json.load(open(sys.argv[1], encoding="utf-8")):
    try:
        py_compile.compile(source, target, name, doraise=True, optimize=0, invalidation_mode=mode)
    except (py_compile.PyCompileError, ValueError) as error:
        failed[name] = str(getattr(error, "msg", error))
print(json.dumps(failed))
"""


@dataclass(frozen=True)
class Job:
    """One source, where its byte code goes, and the name that tracebacks will show."""

    source: Path
    target: Path
    name: str


@dataclass(frozen=True)
class Interpreter:
    """The image's interpreter, in the tree of the platform that this machine is."""

    tools: Toolbox
    root: Path
    architecture: str

    async def inside(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the names of the modules that are built into it, and of those that are frozen into it."""
        answer = json.loads(await self._run("-c", _DESCRIBE))
        return frozenset(answer["builtin"]), frozenset(answer["frozen"])

    async def compile(self, jobs: Sequence[Job], listing: Path) -> dict[str, str]:
        """Compile all jobs in one process; return what the compiler says of each one that failed, by its name.

        Args:
            jobs: what to compile.
            listing: a scratch file for the list of them.
        """
        rows = [[str(job.source), str(job.target), job.name] for job in jobs]
        await anyio.Path(listing).write_text(json.dumps(rows), encoding="utf-8")
        found: dict[str, str] = json.loads(await self._run("-c", _COMPILE, listing))
        return found

    async def _run(self, *arguments: str | Path) -> bytes:
        command = [*start(self.root, self.architecture), "-I", "-S", "-B", "-W", "ignore", *arguments]
        return (await self.tools.run(Path(command[0]), *command[1:])).stdout


def start(root: Path, architecture: str) -> list[str]:
    """Return the command that starts a tree's interpreter on this machine by the tree's own loader and libraries."""
    triplet = TRIPLETS[architecture]
    libraries = f"{root}/lib/{triplet}:{root}/usr/lib/{triplet}"
    python = str(root / PYTHON)
    return [str(root / _LOADERS[architecture]), "--library-path", libraries, "--argv0", python, python]


def this_platform(platforms: Sequence[str]) -> str:
    """Return the platform of an image that this machine can start; raise `UsageError` when there is none."""
    here = platform_name(sys.platform, platform.machine())
    if here not in platforms:
        raise UsageError(
            f"no image for {', '.join(platforms)} can be made on {here}",
            why="Python is compiled by the image's own interpreter, which must run on this machine",
            do=f"add {here} to image.platforms" if here.startswith("linux/") else "run this under Dagger",
        )
    return here
