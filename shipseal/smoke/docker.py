"""Have a Docker daemon of this machine start an image."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from shipseal.digest import Digest
from shipseal.engine.world import loopback_registry
from shipseal.errors import ToolFailed
from shipseal.image.rootfs import USER
from shipseal.oci.platform_image import Built
from shipseal.project.smoke import MOUNT
from shipseal.smoke.inside import SERVICE, SUITE, Command, writable
from shipseal.tools.toolbox import Toolbox

_REPOSITORY = "shipseal/smoke"


async def pull(tools: Toolbox, built: Built, files: Path) -> str:
    """Have the daemon pull the image by digest from a registry on loopback; return its name there.

    The registry is this stage's own in every world: an image that nobody has judged yet goes to no other. A daemon
    takes one on loopback without TLS, and asks it past any proxy.

    Args:
        files: where the registry keeps its content; made here.

    Raises:
        ToolFailed: no daemon answers, it is on another machine, or it does not reach the registry.
        RemoteFailed: the registry does not start or takes no image.
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
    address = urlsplit(inspected.stdout.decode("utf-8", "replace").strip())
    if address.scheme not in {"unix", "npipe", "fd"} and address.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise ToolFailed(
            f"its daemon is on another machine ({address.scheme}://{address.hostname})",
            why="it can reach neither the registry on loopback nor the files that smoke lends",
            remedy="unset DOCKER_HOST, or choose a context of this machine",
        )


def command(name: str, image: str, python: str, named: tuple[str, ...]) -> Command:
    """Return how a container of an image is started; `named` are the directories that it may write."""

    def start(environment: Mapping[str, str], beside: Path | None) -> list[str | Path]:
        settings = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
        for path in writable(named, beside):
            settings += ["--tmpfs", f"{path}:exec,mode=1777"]  # as an emptyDir of Kubernetes, which lets programs run
        bounds, memory = SERVICE, "256m"
        if beside:
            # A first process that reaps orphans, as on every machine where tests run.
            settings += ["--init", "--volume", f"{beside}:{MOUNT}:ro"]
            bounds, memory = SUITE, "1g"
        return [
            "docker", "run", "--rm", "--name", name, "--pull", "never", "--read-only", "--network", "none",
            "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", f"{USER}:{USER}",
            "--memory", memory, "--pids-limit", str(bounds.tasks), *settings, "--entrypoint", python, image,
        ]  # fmt: skip

    return start
