"""Run a Kubernetes cluster on loopback for as long as a block runs: a real control plane over nodes that kwok plays.

API server, admission, controllers and scheduler are the real ones. A node of kwok starts no container and pulls no
image: it reports what a kubelet would, as the objects in `kwok/stages.yaml` say. Nothing asks a probe, no packet goes
to a pod, and no network policy holds.
"""

import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import Process

from shipseal.local.cluster_keys import write
from shipseal.local.cluster_parts import Server
from shipseal.local.cluster_servers import deployers_kubeconfig, plan
from shipseal.local.cluster_usage import registration
from shipseal.tools.toolbox import Toolbox

ZONES = ("zone-a", "zone-b")
"""Where nodes are unless you say otherwise."""

_HERE = Path(__file__).parent / "kwok"
_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
# A t3.medium; its network interfaces have addresses for 17 pods.
_ROOM = {"cpu": "2", "memory": "4Gi", "pods": "17"}
# Where metrics-server asks what a node's pods use, in place of a kubelet's own path: one kwok answers for all nodes.
_USAGE_AT = "metrics.k8s.io/resource-metrics-path"


@dataclass(frozen=True)
class LocalCluster:
    """A running cluster: how its administrator reaches it and, where there is one, whoever deploys; and its programs.

    `kubectl` is the one that fits it; `servers` are its servers by name.
    """

    kubeconfig: Path
    deployer: Path | None
    kubectl: Path
    servers: Mapping[str, Process]

    async def first_to_end(self) -> str:
        """Wait until a server ends by itself; return its name."""
        ended: list[str] = []

        async def watch(name: str, server: Process) -> None:
            await server.wait()
            ended.append(name)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for name, server in self.servers.items():
                group.start_soon(watch, name, server)
        return ended[0]


@asynccontextmanager
async def cluster(
    tools: Toolbox,
    directory: Path,
    *,
    zones: Sequence[str] = ZONES,
    nodes: int = 4,
    deployers: str = "",
    autoscaler: int = 0,
    within: int = 90,
) -> AsyncIterator[LocalCluster]:
    """Have a cluster for as long as the block runs, and no process of it afterwards.

    Args:
        tools: starts everything; `kubernetes` and `kwok` are declared in it and locked.
        directory: an empty one that this user alone can read; keys and data stay in it, for the caller to remove.
        zones: the value of `topology.kubernetes.io/zone` of each node, in turn.
        nodes: how many nodes there are.
        deployers: a group; somebody in it gets a kubeconfig, and no right by that.
        autoscaler: how many times faster than usual its autoscaler works; with 0 there is no metrics-server, and it
            has no figures to go by.
        within: seconds until everything is ready.

    Raises:
        RemoteFailed: a server ended, or was not ready in time; its last words are the reason.
        ToolFailed: a tool is missing or altered, or the nodes were not ready in time.
    """
    deadline = anyio.current_time() + within
    programs = _linked(tools, directory)
    kubeconfig, plans = plan(directory, deployers, autoscaler)
    home = {"HOME": str(directory), "KUBECONFIG": str(kubeconfig)}  # nobody's own settings of kubectl or kwok
    servers: dict[str, Process] = {}
    deployer = deployers_kubeconfig(directory) if deployers else None
    running = LocalCluster(kubeconfig, deployer, programs["kubectl"], servers)

    def left() -> int:
        return max(1, math.ceil(deadline - anyio.current_time()))

    async def start(each: Server) -> None:
        async def ready() -> bool:
            return await anyio.to_thread.run_sync(each.ready)

        serving = tools.serve(programs[each.name], *each.arguments, ready=ready, env=home, cwd=directory, within=left())
        servers[each.name] = await stack.enter_async_context(serving)

    async def ask(*words: str | Path) -> None:
        await tools.run(running.kubectl, *words, env=home, cwd=directory, timeout=left())

    async with AsyncExitStack() as stack:
        for each in plans[:2]:
            await start(each)
        await ask("create", "-f", _HERE / "crd.yaml", "-f", _nodes(directory, zones, nodes))
        if autoscaler:
            await ask("create", "-f", _HERE / "usage-crds.yaml", "-f", registration(directory))
        for each in plans[2:]:
            await start(each)
        await ask("wait", "--for=condition=Established", "crd", "--all")
        await ask("create", "-f", _HERE / "stages.yaml")
        if autoscaler:
            await ask("create", "-f", _HERE / "usage.yaml")
        await ask("wait", "--for=create", "serviceaccount/default", "--namespace=default")
        await ask("wait", "--for=condition=Ready", "node", "--all", f"--timeout={left()}s")
        yield running


def _linked(tools: Toolbox, directory: Path) -> dict[str, Path]:
    """Give each program the name that it is called by: one binary is all of them but two."""
    verified = {name: tools.path("kubernetes") for name in _PROGRAMS}
    verified |= {name: tools.path(name) for name in ("kwok", "metrics-server")}
    links = {name: directory / "bin" / name for name in verified}
    (directory / "bin").mkdir()
    for name, link in links.items():
        link.symlink_to(verified[name].resolve())
    return links


def _nodes(directory: Path, zones: Sequence[str], count: int) -> Path:
    """Write the nodes as a list of objects; return where it is."""
    items = [_node(f"node-{number}", zones[number % len(zones)]) for number in range(count)]
    return write(directory / "nodes.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode())


def _node(name: str, zone: str) -> dict[str, Any]:
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": zone,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {_USAGE_AT: f"/metrics/nodes/{name}/metrics/resource"},
        },
        "status": {"allocatable": _ROOM, "capacity": _ROOM},
    }
