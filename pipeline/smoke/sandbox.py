"""Run the interpreter of an image over the image's own files, as isolated from this machine as it allows.

Docker where a daemon answers and can reach a registry on loopback here, else bubblewrap, else the image's own loader.
Each says why it is not a stronger one, and what it does not keep the program from.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import anyio.to_thread

from pipeline.digest import Digest
from pipeline.errors import PipelineError, ToolFailed
from pipeline.image import bytecode
from pipeline.image.built import Built
from pipeline.image.rootfs import USER
from pipeline.image.tree import PYTHON
from pipeline.toolbox import Completed, Toolbox
from pipeline.world import loopback_registry

BESIDE = "/beside"
"""Where the program sees what is lent to it."""

EMULATORS = {"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}
"""Debian's names for the programs (package qemu-user-static) that run those of another architecture."""

_UID_MAP = Path("/proc/self/uid_map")  # of user_namespaces(7): users inside, outside, how many
_EMULATOR = "/emulator"  # in the sandbox
_REPOSITORY = "pipeline/smoke"
_ANY_CODE = range(-64, 256)
_BUBBLEWRAP_LIMITS = "no system call filter and no memory limit"
_LOADER_LIMITS = "none at all: the program sees the files, processes and network of this machine"


Command = Callable[[Mapping[str, str], Path | None], list[str | Path]]


@dataclass(frozen=True)
class Sandbox:
    """A way to run the interpreter of one image.

    Args:
        isolation: `docker`, `bubblewrap` or `loader`.
        why: why it is not a stronger one.
        limits: what is missing from its isolation; nothing where nothing is.
        python: the command that starts the interpreter, as seen from inside.
        own_network: whether it has a loopback of its own, and so every port.
        tools: starts it.
        command: returns the command that starts the interpreter from outside, with an environment in it, and with a
            directory to be seen at `BESIDE`, where there is one; a program that is lent something gets a /tmp too.
        files: where the image's files lie on this machine, if they do.
        lends: whether it can show the program a directory beside the image.
    """

    isolation: str
    why: str
    limits: str
    python: tuple[str, ...]
    own_network: bool
    tools: Toolbox
    command: Command
    files: Path | None = None
    lends: bool = True

    async def run(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        seconds: float,
        stdout_to: Path,
        beside: Path | None = None,
    ) -> Completed:
        """Run the interpreter with arguments, whatever its exit code; raise `ToolFailed` when it runs too long.

        Args:
            beside: a directory that is lent to it.
        """
        program, *first = self.command(environment, beside)
        outside = environment if self.isolation == "loader" else None
        return await self.tools.run(
            program, *first, *arguments, env=outside, timeout=seconds, ok=_ANY_CODE, stdout_to=stdout_to
        )


@asynccontextmanager
async def sandbox(
    tools: Toolbox, built: Built, architecture: str, work: Path, program: str | Path = "bwrap"
) -> AsyncIterator[Sandbox]:
    """Give the strongest sandbox that this machine has.

    Args:
        tools: declares what may be started.
        built: the image.
        architecture: Debian's name of this machine's.
        work: a scratch directory.
        program: starts bubblewrap.

    Raises:
        ToolFailed: there is none, and this process may not start a stranger's program without one.
    """
    reasons: list[str] = []
    name = f"smoke-{uuid.uuid4()}"
    try:
        image = await _pull(tools, built, work / "registry")
    except PipelineError as error:
        reasons.append(f"Docker: {_said(error)}")
    else:
        try:
            yield Sandbox("docker", "", "", (f"/{PYTHON}",), True, tools, _docker(name, image))
        finally:
            await tools.run("docker", "rm", "--force", name, ok=_ANY_CODE)
            await tools.run("docker", "rmi", image, ok=_ANY_CODE)
        return

    root = work / "root"
    await anyio.to_thread.run_sync(built.unpack, root)
    bubblewrap = _bubblewrap(program, root)
    try:
        await tools.run(*bubblewrap({}, None), "-I", "-c", "")
    except PipelineError as error:
        reasons.append(f"bubblewrap: {_said(error)}")
    else:
        why = "; ".join(reasons)
        yield Sandbox("bubblewrap", why, _BUBBLEWRAP_LIMITS, (f"/{PYTHON}",), True, tools, bubblewrap, root)
        return
    _require_unprivileged(reasons)
    python = bytecode.start(root, architecture)

    def loader(_: Mapping[str, str], __: Path | None) -> list[str | Path]:
        return [Path(python[0]), *python[1:]]

    yield Sandbox("loader", "; ".join(reasons), _LOADER_LIMITS, tuple(python), False, tools, loader, root, lends=False)


def _require_unprivileged(reasons: list[str]) -> None:
    """Refuse to go without a sandbox to root of a user namespace who is the machine's root outside of it.

    The kernel's settings are files that such a root owns, whatever its capabilities; and so is a container's stage
    started that is to make a sandbox (`pipeline.offline`).
    """
    if _UID_MAP.exists() and _UID_MAP.read_text(encoding="ascii").split() == ["0", "0", "1"]:
        raise ToolFailed(
            "nothing here can start the image apart from this machine",
            why=reasons,
            do="let this machine's users make namespaces, or run the stage where Docker answers",
        )


async def emulated(tools: Toolbox, built: Built, architecture: str, root: Path, program: str | Path) -> Sandbox:
    """Return a sandbox for the image of another architecture: bubblewrap, and an emulator in it.

    Raises:
        ToolFailed: the emulator is not installed, or namespaces may not be made.
    """
    emulator = tools.path(EMULATORS[architecture])
    await anyio.to_thread.run_sync(built.unpack, root)
    command = _bubblewrap(program, root, emulator)
    await tools.run(*command({}, None), "-I", "-c", "")
    return Sandbox("bubblewrap", "", _BUBBLEWRAP_LIMITS, (_EMULATOR, f"/{PYTHON}"), True, tools, command, root)


async def _pull(tools: Toolbox, built: Built, files: Path) -> str:
    """Have the Docker daemon pull the image by digest from a registry on loopback; return its name there.

    The registry is this sandbox's own in every world: an image that nobody has judged yet goes to no other. A daemon
    takes one on loopback without TLS, and asks it past any proxy.
    """
    await _require_near(tools)
    await tools.run("docker", "info", timeout=20)
    await anyio.Path(files).mkdir()
    async with loopback_registry(tools, files, _REPOSITORY, writable=True) as registry:
        (index,) = built.layout.listed()
        await registry.push(built.layout.path, Digest.parse(index["digest"]))
        name = str(registry.reference(built.digest))
        await tools.run("docker", "pull", "--quiet", name, timeout=60)
    return name


async def _require_near(tools: Toolbox) -> None:
    """Refuse a daemon on another machine, as `DOCKER_HOST` or a context may name one.

    It could pull from no registry on loopback here, and see no file that is lent to what it starts. One that is behind
    a socket of this machine and still elsewhere, as with a desktop's virtual machine, fails to pull and says so.
    """
    inspected = await tools.run("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}", timeout=20)
    address = urlsplit(inspected.stdout.decode().strip())
    if address.scheme not in {"unix", "npipe", "fd"} and address.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise ToolFailed(
            f"its daemon is on another machine ({address.scheme}://{address.hostname})",
            why="it can reach neither the registry on loopback nor the files that smoke lends",
            do="unset DOCKER_HOST, or choose a context of this machine",
        )


def _docker(name: str, image: str) -> Command:
    def command(environment: Mapping[str, str], beside: Path | None) -> list[str | Path]:
        settings = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
        memory = "256m"
        if beside:
            # A first process that reaps orphans, as on every machine where tests run.
            settings += ["--init", "--volume", f"{beside}:{BESIDE}:ro", "--tmpfs", "/tmp"]  # noqa: S108 - in the container
            memory = "1g"  # pytest, its plugins and several services at a time
        return [
            "docker", "run", "--rm", "--name", name, "--pull", "never", "--read-only", "--network", "none",
            "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", f"{USER}:{USER}", "--memory", memory,
            *settings, "--entrypoint", f"/{PYTHON}", image,
        ]  # fmt: skip

    return command


def _bubblewrap(program: str | Path, root: Path, emulator: Path | None = None) -> Command:
    for mount in ("proc", "dev"):  # a container's runtime makes these; in the image they are not
        (root / mount).mkdir()
    through: list[str | Path] = ["--ro-bind", emulator, _EMULATOR] if emulator else []
    if emulator:
        (root / _EMULATOR[1:]).touch()

    def command(environment: Mapping[str, str], beside: Path | None) -> list[str | Path]:
        settings = [part for key, value in environment.items() for part in ("--setenv", key, value)]
        lent: list[str | Path] = ["--as-pid-1"]
        if beside:  # then the first process is bubblewrap's, which reaps orphans
            for mount in (BESIDE, "/tmp"):  # noqa: S108 - below the image's root
                (root / mount[1:]).mkdir(exist_ok=True)
            lent = ["--ro-bind", beside, BESIDE, "--tmpfs", "/tmp"]  # noqa: S108 - in the sandbox
        return [
            program, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net",
            "--unshare-cgroup-try", "--uid", str(USER), "--gid", str(USER), "--cap-drop", "ALL", "--new-session",
            "--die-with-parent", "--ro-bind", root, "/", *through, *lent,
            # What root has started may write the kernel's settings without a capability: it is they that root owns.
            "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev",
            "--chdir", "/", "--clearenv", *settings, *([_EMULATOR] if emulator else []), f"/{PYTHON}",
        ]  # fmt: skip

    return command


def _said(error: PipelineError) -> str:
    return f"{error.what}: {error.why[-1]}" if error.why else error.what
