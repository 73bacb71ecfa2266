"""Run the interpreter of an image over the image's own files, as isolated from this machine as it allows.

Docker where a daemon answers and can reach a registry on loopback here, else bubblewrap, else the image's own loader.
Each says why it is not a stronger one, and what it does not keep the program from.
"""

import os
import shutil
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from shipseal.errors import ShipsealError, SubjectFailed, ToolFailed, flatten
from shipseal.image import bytecode
from shipseal.oci.platform_image import Built
from shipseal.smoke import docker, namespaces
from shipseal.smoke.bounding import until_too_much
from shipseal.smoke.inside import SERVICE, SUITE, Command, writable
from shipseal.tools.outputs import Completed
from shipseal.tools.toolbox import Toolbox

EMULATORS = {"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}
"""Debian's names for the programs (package qemu-user-static) that run those of another architecture."""

_UID_MAP = Path("/proc/self/uid_map")  # of user_namespaces(7): users inside, outside, how many
_ANY_CODE = range(-64, 256)
_BUBBLEWRAP_LIMITS = "no system call filter, and processes and memory are counted from outside, not kept small"
_LOADER_LIMITS = "none at all: the program sees the files, processes and network of this machine"


@dataclass(frozen=True)
class Sandbox:
    """A way to run the interpreter of one image.

    Args:
        isolation: `docker`, `bubblewrap` or `loader`.
        why: why it is not a stronger one.
        limits: what is missing from its isolation; nothing where nothing is.
        python: the command that starts the interpreter, as seen from inside.
        tools: starts it.
        command: returns the command that starts the interpreter from outside, with an environment in it, and with a
            directory to be seen at `MOUNT`, where there is one; a program that is lent something gets a /tmp too.
        files: where the image's files lie on this machine, if they do.
        writable: the directories that `smoke.writable` names.
        own_network: whether it has a loopback of its own, and so every port.
        mounts: whether it can show the program a directory beside the image.
        apart: where the copy of the image's files is seen by which the program is started, if there is one.
        first: whether the program is the first process, which no signal ends that it has no handler for.
    """

    isolation: str
    why: str
    limits: str
    python: tuple[str, ...]
    tools: Toolbox
    command: Command
    files: Path | None = None
    writable: tuple[str, ...] = ()
    own_network: bool = True
    mounts: bool = True
    apart: str = ""
    first: bool = True

    async def run(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        seconds: float,
        stdout_to: Path,
        beside: Path | None = None,
    ) -> Completed:
        """Run the interpreter with arguments, whatever its exit code.

        Args:
            beside: a directory that is lent to it.

        Raises:
            SubjectFailed: what it starts becomes too much for the sandbox.
            ToolFailed: it runs too long.
        """
        program, *start = self.command(environment, beside)
        outside = environment if self.isolation == "loader" else None
        completed: Completed | None = None
        found = ""

        async def watch(pid: int) -> None:
            nonlocal found
            mounts = ("/dev", *writable(self.writable, beside))
            if self.isolation == "bubblewrap" and self.files:
                found = await until_too_much(pid, self.files, mounts, SUITE if beside else SERVICE)
                group.cancel_scope.cancel()

        def begin(pid: int) -> None:
            group.start_soon(watch, pid)

        try:
            async with anyio.create_task_group() as group:
                completed = await self.tools.run(
                    program, *start, *arguments, env=outside, timeout=seconds, ok=_ANY_CODE, stdout_to=stdout_to,
                    on_start=begin,
                )  # fmt: skip
                group.cancel_scope.cancel()
        except BaseExceptionGroup as failures:
            raise flatten(failures)[0] from None
        if completed is None:
            raise SubjectFailed(
                f"what the image starts becomes too much: {found}",
                why="it was ended, for this machine's sake",
                remedy="see smoke/log.txt for what it said; start fewer processes, and free what is no longer needed",
            )
        return completed


@asynccontextmanager
async def sandbox(
    tools: Toolbox,
    built: Built,
    architecture: str,
    work: Path,
    program: str | Path = "bwrap",
    named: tuple[str, ...] = (),
) -> AsyncIterator[Sandbox]:
    """Give the strongest sandbox that this machine has.

    Args:
        tools: declares what may be started.
        built: the image.
        architecture: Debian's name of this machine's.
        work: a scratch directory.
        program: starts bubblewrap.
        named: the directories that the image's program may write.

    Raises:
        ToolFailed: there is none, and this process may not start a stranger's program without one.
        ConfigError: a directory of `named` is something else in the image.
    """
    reasons: list[str] = []
    python = built.entrypoint[0]
    name = f"smoke-{uuid.uuid4()}"
    try:
        image = await docker.pull(tools, built, work / "registry")
    except ShipsealError as error:
        reasons.append(f"Docker: {said(error)}")
    else:
        try:
            yield Sandbox(
                "docker", "", "", (python,), tools, docker.command(name, image, python, named), writable=named
            )
        finally:
            with anyio.CancelScope(shield=True):
                for words in (("rm", "--force", name), ("rmi", image)):
                    await tools.run("docker", *words, timeout=60, ok=_ANY_CODE)
        return
    root, apart = work / "root", work / "apart"
    await anyio.to_thread.run_sync(built.unpack, root)
    await anyio.to_thread.run_sync(partial(shutil.copytree, root, apart, symlinks=True))
    bubblewrap = namespaces.command(program, root, python, named, apart=apart)
    try:
        await tools.run(*bubblewrap({}, None), "-I", "-c", "")
    except ShipsealError as error:
        reasons.append(f"bubblewrap: {said(error)}")
        reasons += filter(None, [namespaces.forbidden()])
    else:
        why = "; ".join(reasons)
        box = Sandbox("bubblewrap", why, _BUBBLEWRAP_LIMITS, (python,), tools, bubblewrap, root, named)
        yield replace(box, apart=namespaces.APART)
        return
    _require_unprivileged(reasons)
    inside = python.lstrip("/")
    starts = (bytecode.start(root, architecture, inside), bytecode.start(apart, architecture, inside))
    yield _loader(tools, "; ".join(reasons), root, starts, named)


def _loader(
    tools: Toolbox, why: str, root: Path, starts: tuple[list[str], list[str]], named: tuple[str, ...]
) -> Sandbox:
    """Return the image's own loader, which can show the program no directory that is not this machine's.

    Args:
        starts: how the interpreter is started where the image's files lie, and from the copy of them.
    """
    python, (loader, *rest) = starts

    def command(_: Mapping[str, str], __: Path | None) -> list[str | Path]:
        return [Path(loader), *rest]

    limits = _LOADER_LIMITS
    if named:
        lacking = [path for path in named if not os.access(path, os.W_OK)]
        has = f"cannot be written: {', '.join(lacking)}" if lacking else "can be written"
        limits += f"; what smoke.writable names is this machine's own, and {has}"
    return Sandbox(
        "loader", why, limits, tuple(python), tools, command, root, named, own_network=False, mounts=False, first=False
    )


def _require_unprivileged(reasons: list[str]) -> None:
    """Refuse to go without a sandbox to root of a user namespace who is the machine's root outside of it.

    The kernel's settings are files that such a root owns, whatever its capabilities; and so is a container's stage
    started that is to make a sandbox (`shipseal.engine.offline`).
    """
    if _UID_MAP.exists() and _UID_MAP.read_text(encoding="ascii").split() == ["0", "0", "1"]:
        raise ToolFailed(
            "nothing here can start the image apart from this machine",
            why=reasons,
            remedy="let this machine's users make namespaces, or run the stage where Docker answers",
        )


async def emulated(
    tools: Toolbox, built: Built, architecture: str, root: Path, program: str | Path, named: tuple[str, ...] = ()
) -> Sandbox:
    """Return a sandbox for the image of another architecture: bubblewrap, and an emulator in it.

    Raises:
        ToolFailed: the emulator is not installed, or namespaces may not be made.
        ConfigError: a directory of `named` is something else in the image.
    """
    emulator = tools.path(EMULATORS[architecture])
    await anyio.to_thread.run_sync(built.unpack, root)
    command = namespaces.command(program, root, built.entrypoint[0], named, emulator)
    await tools.run(*command({}, None), "-I", "-c", "")
    python = (namespaces.EMULATOR, built.entrypoint[0])
    return Sandbox("bubblewrap", "", _BUBBLEWRAP_LIMITS, python, tools, command, root, named, first=False)


def said(error: ShipsealError) -> str:
    """Return a failure in one line, with the last of its reasons."""
    return f"{error.what}: {error.why[-1]}" if error.why else error.what
