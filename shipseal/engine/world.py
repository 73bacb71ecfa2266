"""Give a stage its registry, its signer and its cluster: stand-ins in a dry run, the configured ones in a release.

Nothing that a world starts outlives the stage that asked for it: results pass as files.
"""

import os
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import anyio.to_thread

from shipseal.digest import split_repository
from shipseal.distribution.credentials import login_for
from shipseal.distribution.reaching import authorities
from shipseal.distribution.realm import require_own_realm
from shipseal.distribution.registry import Registry
from shipseal.errors import ConfigError, UsageError
from shipseal.judging.policy_files import either, policy_of
from shipseal.local import advisories
from shipseal.oci.layout_copy import copy_layouts
from shipseal.project.config import Config
from shipseal.signing.browser import Browser
from shipseal.signing.signer import Signer, release_signer
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.trust import Policy

if TYPE_CHECKING:
    from shipseal.cluster.access import Access
    from shipseal.local.cluster import LocalCluster
    from shipseal.local.sigstore import LocalSigstore

Rehearse = Callable[[Config, Toolbox, Path], "AbstractAsyncContextManager[Access]"]
"""Starts a cluster of this machine, for as long as the block runs; its files go into the directory."""


class World(Protocol):
    """Where a stage's registry and signer come from."""

    @property
    def name(self) -> str:
        """`dry-run` or `release`: recorded, and part of what decides whether a stage is kept."""

    @property
    def keeps_only_own(self) -> bool:
        """Whether a finished stage is kept only if this user's own runs made it."""

    def registry(
        self, tools: Toolbox, files: Path | None, *, writable: bool = False
    ) -> AbstractAsyncContextManager[Registry]:
        """Give the registry; `files` is where a stand-in keeps its content, or has it from an earlier stage."""

    @property
    def rehearses(self) -> bool:
        """Whether it starts a cluster of its own."""

    @property
    def public(self) -> bool:
        """Whether others rely on what comes of it: then no sample judges, and a commit says what is built."""

    def policy(self) -> tuple[Policy, Path]:
        """Return who may sign what, and the directory of the file that says so; raise `ConfigError` without one."""

    def content(self, out: Path, earlier: Path | None = None) -> Path | None:
        """Make the directory that a stand-in for a registry keeps its content in, with that of an earlier stage."""

    async def preflight(self, tools: Toolbox, ask: Callable[[Registry], Awaitable[None]]) -> None:
        """Ask the registry what has to be known before anything is signed; a stand-in has nothing to say."""

    def signer(self, tools: Toolbox, out: Path) -> AbstractAsyncContextManager[Signer]:
        """Give the signer; a stand-in writes the trust root that verifies it into `out`."""

    def cluster(self, tools: Toolbox, out: Path) -> "AbstractAsyncContextManager[Access | None]":
        """Give how the cluster is reached, as whoever deploys; None where there is none, and nothing is applied."""

    def sample_database(self, target: Path) -> None:
        """Write the vulnerability database that stands in where none is configured."""


@dataclass(frozen=True)
class DryRun:
    """Everything on loopback, for as long as a stage runs.

    Args:
        config: the project.
        rehearsed: starts a cluster of this machine with the project's platform in it, where one was asked for.
    """

    config: Config
    rehearsed: "Rehearse | None" = None
    name: str = "dry-run"
    keeps_only_own: bool = False
    public: bool = False

    @property
    def rehearses(self) -> bool:
        """Whether a cluster of this machine was asked for."""
        return self.rehearsed is not None

    def policy(self) -> tuple[Policy, Path]:
        """Read what the project says of the signatures of dry runs."""
        return policy_of(self.config, "dry-run")

    def content(self, out: Path, earlier: Path | None = None) -> Path | None:
        """Make `registry` in the directory of a stage: empty, or as an earlier stage has left it."""
        files = out / "registry"
        if earlier:
            copy_layouts(earlier / "registry", files)
        else:
            files.mkdir()
        return files

    async def preflight(self, tools: Toolbox, ask: Callable[[Registry], Awaitable[None]]) -> None:
        """Ask nothing: the registry of a dry run is empty until `publish` writes to it."""

    @asynccontextmanager
    async def registry(self, tools: Toolbox, files: Path | None, *, writable: bool = False) -> AsyncIterator[Registry]:
        """Start olareg over a directory, on a free port of loopback."""
        if files is None:
            raise UsageError("a dry run's registry needs a directory for its content")
        repository = self.config.image.repository.partition("/")[2]
        async with loopback_registry(tools, files, repository, writable=writable) as registry:
            yield registry

    def signer(self, tools: Toolbox, out: Path) -> AbstractAsyncContextManager[Signer]:
        """Start a local test authority; nobody else trusts what it signs."""
        from shipseal.local.signer import dry_run_signer  # noqa: PLC0415 - it is slow, and most stages sign nothing

        return dry_run_signer(tools, out)

    @asynccontextmanager
    async def cluster(self, tools: Toolbox, out: Path) -> "AsyncIterator[Access | None]":
        """Start a cluster on loopback if one was asked for."""
        if self.rehearsed is None:
            yield None
            return
        async with self.rehearsed(self.config, tools, out) as access:
            yield access

    def sample_database(self, target: Path) -> None:
        """Build the database of a few true advisories that comes with the policy."""
        advisories.build(advisories.read(either(self.config.policy.directory, "sample-advisories.toml")), target)


@dataclass(frozen=True)
class ReleaseWorld:
    """The registry, the Sigstore and the cluster that `pipeline.toml` names.

    Args:
        config: the project.
        agreed: whether they may be written to.
        kubeconfig: the file that the user has named for this command, in place of all that is configured.
        browser: the person who logs in to sign, where one has agreed to.
    """

    config: Config
    agreed: bool = False
    kubeconfig: Path | None = None
    browser: Browser | None = None
    name: str = "release"
    keeps_only_own: bool = True
    public: bool = True
    rehearses: bool = False

    def policy(self) -> tuple[Policy, Path]:
        """Read what the project says of the signatures of releases."""
        return policy_of(self.config, "production")

    def content(self, out: Path, earlier: Path | None = None) -> Path | None:  # noqa: ARG002 - a remote registry keeps its own files
        """Make nothing."""
        return None

    async def preflight(self, tools: Toolbox, ask: Callable[[Registry], Awaitable[None]]) -> None:
        """Ask with the right to write, which is what has to be found out."""
        async with self.registry(tools, None, writable=True) as registry:
            await ask(registry)

    @asynccontextmanager
    async def registry(self, tools: Toolbox, files: Path | None, *, writable: bool = False) -> AsyncIterator[Registry]:  # noqa: ARG002 - a remote registry keeps its own files
        """Give the configured registry, with the login that the environment names."""
        if writable:
            self._require_agreed(f"pushing to {self.config.image.repository}")
        host, repository = split_repository(self.config.image.repository)
        how = self.config.registry
        with login_for(host, os.environ, plain_http=how.plain_http) as found:
            tools.secrets += found.secrets
            ca_file = authorities(how.ca_file)
            registry = Registry(tools, host, repository, how.plain_http, found.environment, ca_file, writable)
            await require_own_realm(registry, found, how.realm)
            yield registry

    def signer(self, tools: Toolbox, out: Path) -> AbstractAsyncContextManager[Signer]:  # noqa: ARG002 - a release writes no trust root
        """Give the configured signer: the public Sigstore where nothing else is configured."""
        self._require_agreed("signing, which writes the signer's identity into a public log")
        require_own_names(self.config)
        return release_signer(tools, self.config.sign, self.browser)

    @asynccontextmanager
    async def cluster(self, tools: Toolbox, out: Path) -> "AsyncIterator[Access | None]":  # noqa: ARG002 - nothing is started
        """Give the configured cluster."""
        from shipseal.cluster.access_config import configured  # noqa: PLC0415 - httpx is slow, and one stage asks for it

        yield await configured(self.config.deploy, os.environ, self.kubeconfig)

    def _require_agreed(self, what: str) -> None:
        """Refuse what everybody would see unless this user has agreed to it: the one gate before all of it."""
        if not self.agreed:
            raise UsageError(
                f"nobody agreed to {what}", remedy="say --yes, or `release`, which asks; nothing was written outside"
            )

    def sample_database(self, target: Path) -> None:  # noqa: ARG002 - there is nothing to write
        """Refuse: a sample says nothing of what is known today."""
        raise ConfigError(
            "a release needs a whole vulnerability database, and none is configured",
            remedy="run `shipseal db update`, and name its directory as [scan] database in pipeline.toml",
        )


@asynccontextmanager
async def loopback_registry(
    tools: Toolbox, files: Path, repository: str, *, writable: bool = False
) -> AsyncIterator[Registry]:
    """Serve a directory as a registry on a free port of loopback, for as long as the block runs."""
    port = _free_port()
    arguments = ["serve", "--addr", "127.0.0.1", "--port", str(port), "--dir", str(files), "--gc-frequency", "-1s"]

    async def answers() -> bool:
        return await anyio.to_thread.run_sync(_answers, f"http://127.0.0.1:{port}/v2/")

    async with tools.serve("olareg", *arguments, *([] if writable else ["--store-ro"]), ready=answers):
        yield Registry(tools, f"127.0.0.1:{port}", repository, plain_http=True, writable=writable)


def loopback_cluster(
    tools: Toolbox, directory: Path, zones: Sequence[str] = (), **asked: Any
) -> "AbstractAsyncContextManager[LocalCluster]":
    """Run a Kubernetes cluster on loopback, for as long as the block runs; `local.cluster` says what may be asked."""
    from shipseal.local.cluster import ZONES, cluster  # noqa: PLC0415 - it is slow, and few stages ask for one

    return cluster(tools, directory, zones=zones or ZONES, **asked)


def loopback_sigstore() -> "AbstractContextManager[LocalSigstore]":
    """Run an authority with its log on loopback, for as long as the block runs: what it certifies nobody trusts yet."""
    from shipseal.local.sigstore import local_sigstore  # noqa: PLC0415 - it is slow, and one verb asks for it

    return local_sigstore()


def require_own_names(config: Config) -> None:
    """Raise `ConfigError` while a release could not be verified, because its policy names nobody real."""
    policy, _ = policy_of(config, "production")
    policy.require_own_names()


def choose(
    name: str,
    config: Config,
    *,
    agreed: bool = False,
    kubeconfig: Path | None = None,
    rehearsed: Rehearse | None = None,
    browser: Browser | None = None,
) -> World:
    """Return a world by its name; raise `UsageError` for any other.

    Args:
        name: `dry-run` or `release`.
        config: names the registry, the signer and the cluster of a release.
        agreed: whether this user agreed that a release writes outside.
        kubeconfig: the file that the user has named for this command.
        rehearsed: starts the cluster of a dry run, where one was asked for.
        browser: the person who logs in to sign a release.
    """
    if name == "dry-run":
        return DryRun(config, rehearsed)
    if name == "release":
        return ReleaseWorld(config, agreed, kubeconfig, browser)
    raise UsageError(f"there is no world {name}", remedy="choose dry-run or release")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    """Say whether a server answers on loopback, whatever proxy this machine uses for the rest of the world."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1) as answer:  # loopback only
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
