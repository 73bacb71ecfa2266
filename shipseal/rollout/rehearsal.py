"""Rehearse a deploy: a Kubernetes cluster of this machine, with the project's platform applied by its administrator.

API server, admission and controllers are real; its nodes are played by kwok, and no container runs.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from shipseal.cluster import kubeconfig
from shipseal.cluster.access import Access
from shipseal.cluster.api import connect
from shipseal.cluster.resources import path
from shipseal.deploying.manifests import Manifest, entries, parse
from shipseal.engine.world import loopback_cluster
from shipseal.errors import ConfigError
from shipseal.locked.inputs import Inputs
from shipseal.project.config import Config
from shipseal.rollout.rendering import kustomize
from shipseal.tools.toolbox import Toolbox

_ADMINISTRATOR = "administrator"


@asynccontextmanager
async def rehearsed(config: Config, tools: Toolbox, out: Path) -> AsyncIterator[Access]:  # noqa: ARG001 - keys stay out of what a run keeps
    """Give whoever deploys, with the rights of the platform and no others, in a cluster that ends with the block.

    Raises:
        ConfigError: the project names no platform, and nobody would know what whoever deploys may do.
    """
    if config.deploy.platform is None:
        raise ConfigError(
            "there is no platform to deploy upon",
            why="[deploy] platform names no directory",
            remedy="name one with the Namespace and the Role of whoever deploys: k8s/README.md",
        )
    platform = parse(await kustomize(config, tools, config.deploy.platform))
    locked = Inputs.of_cluster().locked()
    own = Toolbox(tools.store, locked, frozenset(locked), tools.log)
    with tempfile.TemporaryDirectory(prefix="shipseal-cluster-") as scratch:
        group = next(_groups(platform), "")
        async with loopback_cluster(own, Path(scratch), deployers=group) as running:
            administrator = kubeconfig.read([running.kubeconfig], "", None)
            await _apply(administrator, platform)
            yield kubeconfig.read([running.deployer], "", None) if running.deployer else administrator


async def _apply(administrator: Access, platform: Sequence[Manifest]) -> None:
    async with connect(administrator, say=lambda _: None) as api:
        for each in sorted(platform, key=lambda each: each.kind != "Namespace"):
            await api.apply(path(each), each.body, _ADMINISTRATOR)


def _groups(platform: Sequence[Manifest]) -> Iterator[str]:
    for binding in (each for each in platform if each.kind == "RoleBinding"):
        for subject in entries(binding.body.get("subjects")):
            if subject.get("kind") == "Group":
                yield str(subject.get("name"))
