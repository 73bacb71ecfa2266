"""Render the manifests with one verified digest, and refuse whatever a deploy may not bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shipseal.deploying import inventory, platform
from shipseal.deploying.admission import require, unmounted
from shipseal.deploying.bases import read_own, require_own
from shipseal.deploying.creation import FILE, first_replicas
from shipseal.deploying.kustomization import cut_off
from shipseal.deploying.manifests import Manifest, dump, parse
from shipseal.deploying.platform import ClusterPlatform, Right
from shipseal.deploying.review import review
from shipseal.digest import Digest, Reference
from shipseal.engine.stage import Context
from shipseal.errors import ConfigError, SubjectFailed
from shipseal.project.config import Config
from shipseal.rollout.names import INVENTORY
from shipseal.statements.deployment import RenderedSet
from shipseal.tools.toolbox import Toolbox

LARGEST = 768 << 10
"""Bytes of a set: it is kept in a ConfigMap, which takes a MiB (kubernetes.io, "ConfigMaps")."""


@dataclass(frozen=True)
class Rendered:
    """What is applied, in the order of the objects, and what the platform says of it.

    Args:
        manifests: the objects, each a member of the inventory.
        first_replicas: what another field manager applies once, at creation.
        rights: what whoever deploys has to be allowed; empty where the project names no platform.
    """

    manifests: tuple[Manifest, ...]
    first_replicas: Manifest | None = None
    rights: frozenset[Right] = frozenset()

    @property
    def data(self) -> bytes:
        """The YAML, the same bytes for the same manifests."""
        return dump(self.manifests)

    @property
    def digest(self) -> Digest:
        """Of the YAML: what a receipt names."""
        return Digest.of(self.data)

    @property
    def namespace(self) -> str:
        """The one namespace that all of it is in."""
        return self.manifests[0].namespace

    @property
    def titles(self) -> list[str]:
        """What messages call the objects."""
        return [each.title for each in self.manifests]

    def said(self, image: Reference, kubernetes: str) -> RenderedSet:
        """Return what is signed of it: that it is the set of an image, checked against a version of Kubernetes."""
        return RenderedSet(
            image=str(image),
            digest=str(self.digest),
            namespace=self.namespace,
            objects=self.titles,
            kubernetes=kubernetes,
        )


async def render(context: Context, directory: Path, reference: Reference) -> Rendered:
    """Render a directory of the project with an image.

    Raises:
        ConfigError: the configuration names no such container or Kubernetes version.
        SubjectFailed: the manifests do not render from this project alone, do not fit the schemas, would weaken a
            cluster, give the container fewer writable directories than it was tried with, or are not what the platform
            allows.
    """
    manifests = _reviewed(context, await kustomize(context.config, context.tools, directory), reference)
    require(unmounted(manifests, context.config.deploy.container, context.config.smoke.writable))
    given = await _platform(context)
    if given is not None:
        require(given.outside(manifests))
    first = read_own(directory / FILE, top(context.config, directory))
    replicas = first_replicas(first, manifests) if first is not None else None
    found = Rendered(_members(manifests), replicas, given.rights if given is not None else frozenset())
    if len(found.data) > LARGEST:
        raise SubjectFailed(
            f"the rendered set has {len(found.data):,} bytes, and {LARGEST:,} can be kept with its receipt",
            remedy="bring large files by other means than the manifests",
        )
    return found


async def own_platform(context: Context) -> ClusterPlatform:
    """Return the namespace that deploys change, and what they may do: by the platform, or else by the manifests."""
    if (given := await _platform(context)) is not None:
        return given
    manifests = parse(await kustomize(context.config, context.tools, manifests_of(context)))
    return ClusterPlatform(_only_namespace(manifests), frozenset())


async def _platform(context: Context) -> ClusterPlatform | None:
    directory = context.config.deploy.platform
    if directory is None:
        return None
    return platform.read(parse(await kustomize(context.config, context.tools, directory)))


def manifests_of(context: Context) -> Path:
    """Return the directory that is rendered; raise `ConfigError` where none is configured."""
    directory = context.config.deploy.manifests
    if directory is None:
        raise ConfigError("[deploy] manifests names no directory", remedy="name the directory of a kustomization")
    return directory


async def read(context: Context, data: bytes, reference: Reference) -> Rendered:
    """Read a set that was rendered before, by the rules of today.

    Raises:
        SubjectFailed: today it would be refused, or it is not as `render` writes it.
    """
    found = Rendered(_members(_reviewed(context, data, reference)))
    if (given := await _platform(context)) is not None:
        require(given.outside(found.manifests))
    if found.data != data:
        raise SubjectFailed(
            "the kept set is not as it would be rendered with its image", remedy="deploy from the manifests"
        )
    return found


def _reviewed(context: Context, data: bytes, reference: Reference) -> tuple[Manifest, ...]:
    also = [Reference.parse(image) for image in context.config.deploy.also_images]
    return review(data, context.config.deploy.kubernetes, context.config.deploy.container, reference, also)


def _members(manifests: Sequence[Manifest]) -> tuple[Manifest, ...]:
    identifier = inventory.identifier(INVENTORY, _only_namespace(manifests))
    return tuple(inventory.member(each, identifier) for each in manifests)


def _only_namespace(manifests: Sequence[Manifest]) -> str:
    namespaces = {each.namespace for each in manifests}
    if len(namespaces) != 1:
        raise SubjectFailed(
            f"the manifests are in {len(namespaces)} namespaces", why=sorted(namespaces), remedy="keep to one"
        )
    return namespaces.pop()


def top(config: Config, directory: Path) -> Path:
    """Return what of the project may be read beside a directory: what the row declares, and its digest covers."""
    return next(each for each in config.reads("manifests") if directory.is_relative_to(each.resolve()))


async def kustomize(config: Config, tools: Toolbox, directory: Path) -> bytes:
    """Return what the real kustomize makes of a directory of the project; raise `SubjectFailed` where it does not."""
    # A base that is fetched now would be locked by nothing, and one beside what the row declares is in no digest.
    require_own(directory, top(config, directory))
    hidden = cut_off(tools.environment)
    done = await tools.run("kustomize", "build", directory, env=hidden, timeout=60, ok=(0, 1))
    if done.code:
        raise SubjectFailed(
            f"{directory.relative_to(config.root)} does not render",
            why=tools.last_words(done.stderr),
            remedy="correct kustomization.yaml; what it names must be files of this project",
        )
    return done.stdout
