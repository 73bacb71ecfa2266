"""Compile Python by the image's own interpreter, started from the unpacked tree on this machine.

Other versions of Python write other bytes, so no interpreter of the host will do. Byte code says nothing of the
architecture, so one platform's interpreter compiles for all.
"""

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from shipseal.errors import UsageError
from shipseal.image.libraries import TRIPLETS
from shipseal.locked.locks import platform_name
from shipseal.runtime import BOOKWORM, Runtime
from shipseal.tools.toolbox import Toolbox

_PROCESSES = 2
_LOADERS = {"amd64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1"}

# A frozen module may have a second name, under which no file of it is ever read: `importlib` gives one to each of the
# two that it is made of.
_DESCRIBE = """
import _imp, importlib, json, sys
names = set(_imp._frozen_module_names())
frozen = [sys.modules[name] for name in names & sys.modules.keys()]
names.update(name for name, module in sys.modules.items() if any(module is each for each in frozen))
names.discard("__main__")
print(json.dumps({"builtin": sorted(sys.builtin_module_names), "frozen": sorted(names)}))
"""

# An unchecked hash (PEP 552): no time in the file, and none looked at when it is imported. Docstrings are taken out of
# the syntax tree, because `optimize=2` would take the assertions too.
_COMPILE = """
import _imp, ast, importlib.util, json, marshal, sys
DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
def bare(tree):
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [] if len(node.body) > 1 else [ast.copy_location(ast.Pass(), node.body[0])]
    return tree
failed = {}
for source, target, name, without_docstrings in json.load(open(sys.argv[1], encoding="utf-8")):
    text = open(source, "rb").read()
    try:
        code = compile(bare(ast.parse(text)) if without_docstrings else text, name, "exec", 0, True, 0)
    except (SyntaxError, ValueError) as error:
        failed[name] = f"line {getattr(error, 'lineno', '?')}: {getattr(error, 'msg', error)}"
        continue
    digest = _imp.source_hash(importlib.util._RAW_MAGIC_NUMBER, text)
    with open(target, "wb") as file:
        file.write(importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + digest + marshal.dumps(code))
print(json.dumps(failed))
"""


@dataclass(frozen=True)
class Job:
    """One source, where its byte code goes, the name that tracebacks will show, and whether docstrings stay."""

    source: Path
    target: Path
    name: str
    documented: bool = True


@dataclass(frozen=True)
class Interpreter:
    """The image's interpreter, in the tree of the platform that this machine is."""

    tools: Toolbox
    root: Path
    architecture: str
    runtime: Runtime = BOOKWORM

    async def inside(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the names of the modules that are built into it, and of those that are frozen into it."""
        answer = json.loads(await self._run("-c", _DESCRIBE))
        return frozenset(answer["builtin"]), frozenset(answer["frozen"])

    async def compile(self, jobs: Sequence[Job], listing: Path) -> dict[str, str]:
        """Compile all jobs; return what the compiler says of each one that failed, by its name.

        Args:
            jobs: what to compile.
            listing: a scratch file for the list of them; there is one for each process.
        """
        found: dict[str, str] = {}

        async def compile_some(some: Sequence[Job], listing: Path) -> None:
            rows = [[str(job.source), str(job.target), job.name, not job.documented] for job in some]
            await anyio.Path(listing).write_text(json.dumps(rows), encoding="utf-8")
            found.update(json.loads(await self._run("-c", _COMPILE, listing)))

        async with anyio.create_task_group() as group:
            for number in range(min(_PROCESSES, len(jobs))):
                group.start_soon(compile_some, jobs[number::_PROCESSES], listing.with_suffix(f".{number}"))
        return found

    async def _run(self, *arguments: str | Path) -> bytes:
        python = start(self.root, self.architecture, self.runtime.interpreter)
        command = [*python, "-I", "-S", "-B", "-W", "ignore", *arguments]
        return (await self.tools.run(Path(command[0]), *command[1:])).stdout


def start(root: Path, architecture: str, interpreter: str = BOOKWORM.interpreter) -> list[str]:
    """Return the command that starts a tree's interpreter on this machine by the tree's own loader and libraries."""
    triplet = TRIPLETS[architecture]
    libraries = f"{root}/lib/{triplet}:{root}/usr/lib/{triplet}"
    python = str(root / interpreter)
    return [str(root / _LOADERS[architecture]), "--library-path", libraries, "--argv0", python, python]


def this_platform(platforms: Sequence[str]) -> str:
    """Return the platform of an image that this machine can start; raise `UsageError` when there is none."""
    here = platform_name(sys.platform, platform.machine())
    if here not in platforms:
        raise UsageError(
            f"no image for {', '.join(platforms)} can be made on {here}",
            why="Python is compiled by the image's own interpreter, which must run on this machine",
            remedy=f"add {here} to image.platforms" if here.startswith("linux/") else "run this under Dagger",
        )
    return here
