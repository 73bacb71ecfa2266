"""The Dagger engine: each row of the table becomes one container that runs `shipseal stage NAME`.

This module is what `dagger call` shows; `dagger_graph` describes the containers. What both import
the SDK has installed, as pyproject.toml names it.
"""

import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar, cast

import dagger
from dagger import Doc, check, dag, function, object_type

from shipseal.engine.dagger_arguments import (
    Amazon,
    Auth,
    Base,
    Given,
    Kubeconfig,
    Mirror,
    Name,
    Reached,
    Services,
    Signers,
    Source,
    Store,
    Token,
    World,
)
from shipseal.engine.dagger_graph import CONFIG, HOME, MODULE, PROJECT, STORE, Graph
from shipseal.engine.dagger_secrets import require
from shipseal.engine.dagger_services import bound, named
from shipseal.engine.dagger_summary import RunDirectory, telling
from shipseal.engine.table import TABLE
from shipseal.errors import ShipsealError, UsageError
from shipseal.locked import mirror_places
from shipseal.project import reads
from shipseal.project.base_image import base_image

BASE = base_image()
"""Debian 12 with Python 3.11 and apt-get, the image of this module itself."""

_OWN = ["shipseal/**", "tools/**", "image/*.toml", "requirements.lock"]

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


def explained(body: F) -> F:
    """Make a function end with what failed, why, and what to do, and not with a traceback."""

    @functools.wraps(body)
    async def run(*arguments: Any, **more: Any) -> Any:
        try:
            return await body(*arguments, **more)
        except (ShipsealError, dagger.ExecError) as error:
            logging.getLogger("dagger.mod").setLevel(logging.CRITICAL)  # it was foreseen: the SDK adds no traceback
            if isinstance(error, dagger.ExecError):
                raise
            raise RuntimeError(error.explain().removeprefix("error: ")) from None

    return cast(F, run)


def never_cached(body: F) -> F:
    """Make such a function of the module, whose result no cache may stand for."""
    return function(cache="never")(explained(body))  # type: ignore[call-overload,no-any-return] # the overloads lack `cache`


@object_type
class Shipseal:
    """Build, scan, judge, sign, publish, read back and verify one image, and deploy exactly those bytes."""

    source: Source
    store: Store = None
    base: Base = BASE
    mirror: Mirror = ""
    registry_service: Reached = None
    signing_service: Signers = None

    @function
    @explained
    async def build(self) -> dagger.Directory:
        """Build the image: an OCI layout, the same bytes as on any machine."""
        return (await (await self._graph()).stage("image")).directory("layout")

    @function
    @explained
    async def image(self) -> dagger.Container:
        """Give the image as a container: `dagger call image as-service up` serves it."""
        layout = (await (await self._graph()).stage("image")).directory("layout")
        packed = (await self._base()).with_mounted_directory("/layout", layout, read_only=True)
        archive = packed.with_exec(["tar", "-cf", "/image.tar", "-C", "/layout", "."]).file("/image.tar")
        return dag.container().import_(archive)

    @check
    @function
    @explained
    async def test(self) -> dagger.File:
        """Run the service's own tests against its wheel: the JUnit file."""
        return await (await (await self._graph()).stage("test")).file("junit.xml").sync()

    @check
    @never_cached
    async def scan(self) -> dagger.Directory:
        """Look for known vulnerabilities: Grype's reports, and which database they are from."""
        return await (await (await self._graph()).stage("scan")).sync()

    @check
    @never_cached
    async def admit(self) -> str:
        """Judge the image by policy; a denial ends the call with every reason, and exit code 3."""
        return await (await self._graph()).headline("admit")

    @never_cached
    async def dry_run(self) -> dagger.Directory:
        """Run the whole release with local stand-ins: the run directory, as the host engine writes it."""
        return await (await self._graph()).run_directory("report")

    @never_cached
    async def summary(self, run: RunDirectory = None) -> dagger.File:
        """Tell a run in Markdown, as for a job's summary: the report of one that is given, or what ends another one."""
        return await telling(run, self._graph)

    @never_cached
    async def stage(self, name: Name, world: World = "dry-run") -> dagger.Directory:
        """Run the table up to some stages: the run directory so far, on which the host engine can go on."""
        return await (await self._graph(world)).run_directory(*name.split(","))

    @never_cached
    async def release(self, token: Token, registry_auth: Auth) -> dagger.Directory:
        """Sign, publish, verify and tag with the configured registry and Sigstore: the run directory, with a report."""
        secrets = {"SIGSTORE_ID_TOKEN": token, "DOCKER_AUTH_CONFIG": registry_auth}
        return await (await self._graph("release", secrets)).reported("promote")

    @never_cached
    async def sign(self, run: Given, token: Token, registry_auth: Auth, services: Services = None) -> dagger.Directory:
        """Check a run that was made without an identity, make again what can be, and release it: its run directory."""
        secrets = {"SIGSTORE_ID_TOKEN": token, "DOCKER_AUTH_CONFIG": registry_auth}
        return await (await self._graph("release", secrets)).take_over(run, services)

    @never_cached
    async def deploy(
        self,
        token: Token,
        registry_auth: Auth,
        kubeconfig: Kubeconfig = None,
        aws_access_key_id: Amazon = None,
        aws_secret_access_key: Amazon = None,
        aws_session_token: Amazon = None,
    ) -> str:
        """Release, and have the cluster run exactly that: applied, waited for, compared, with a signed receipt."""
        given = {
            "SIGSTORE_ID_TOKEN": token,
            "DOCKER_AUTH_CONFIG": registry_auth,
            "KUBECONFIG": kubeconfig,
            "AWS_ACCESS_KEY_ID": aws_access_key_id,
            "AWS_SECRET_ACCESS_KEY": aws_secret_access_key,
            "AWS_SESSION_TOKEN": aws_session_token,
        }
        graph = await self._graph("release", {name: each for name, each in given.items() if each is not None})
        await graph.ask("deploy", "--check")  # what is signed before the cluster is asked stays signed
        return await graph.headline("deploy")

    @never_cached
    async def verify(
        self,
        reference: Annotated[str, Doc("an image by digest, or by a tag, which is resolved once")],
        policy: Annotated[str, Doc("the policy file, relative to the project")] = "policy/verification.toml",
    ) -> str:
        """Verify a published image as its consumers can: from the registry, the policy and the trust root alone."""
        graph = await self._graph()
        container = graph.base.with_mounted_directory(PROJECT, self.source, read_only=True).with_workdir(HOME)
        container = container.with_mounted_directory(STORE, graph.store, read_only=True)
        of_project = str(PurePosixPath(PROJECT, policy))
        command = [*MODULE, "shipseal", "verify", "--policy", of_project, "--store", STORE, "--", reference]
        container = container.with_env_variable("RUN_ID", graph.run_id)  # whatever it said before, ask the registry
        return await bound(container, graph.services).with_exec(command).stdout()

    async def _graph(self, world: str = "dry-run", secrets: Mapping[str, dagger.Secret] | None = None) -> Graph:
        try:
            text = await self.source.file(reads.FILENAME).contents()
        except dagger.QueryError as error:
            raise UsageError(
                f"the source has no {reads.FILENAME} that can be read: {error}",
                remedy="give a directory with one: --source=DIR",
            ) from error
        configuration = reads.parse(text, f"the source's {reads.FILENAME}")
        services = await named(configuration, self.source, self.registry_service, self.signing_service)
        base = await self._base()
        for name, secret in (secrets or {}).items():
            await require(name, secret, base)
        store = self.store or await self._fetched(base, configuration).sync()
        policy = dag.current_module().source().directory("policy")
        # Whoever hands over a token and a login has asked for what they are for.
        agreed, secrets = bool(secrets), secrets or {}
        return Graph(TABLE, self.source, store, base, policy, configuration, world, secrets, agreed, services)

    async def _base(self) -> dagger.Container:
        """Return the container of every stage: requirements by hash in a layer of their own, then our code."""
        own = dag.current_module().source().filter(include=_OWN, exclude=["**/__pycache__"])
        lock = own.file("requirements.lock")
        bare = dag.container().from_(self.base).with_exec(["python3", "-P", "-m", "venv", "/environment"])
        install = (
            f"{' '.join(MODULE)} pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r /lock"
        )
        bare = bare.with_mounted_file("/lock", lock)
        if self.store is not None:
            wheels = self.store.filter(include=["sha256/*/*.whl"])
            bare = bare.with_mounted_directory("/wheels", wheels, read_only=True)
            install = f"mkdir /flat && ln -s /wheels/sha256/*/*.whl /flat && {install} --no-index --find-links /flat"
        installed = bare.with_exec(["sh", "-euc", install]).without_mount("/lock")
        compile_all = [*MODULE, "compileall", "-q", "--invalidation-mode", "unchecked-hash", f"{HOME}/shipseal"]
        coded = installed.with_directory(HOME, own).with_env_variable("PYTHONPATH", HOME)
        coded = coded.with_env_variable("PYTHONSAFEPATH", "1").with_workdir(HOME)
        return await coded.with_exec(compile_all).sync()

    def _fetched(self, base: dagger.Container, configuration: Mapping[str, Any]) -> dagger.Directory:
        """Fetch the inputs in the one container that has a network for it; caches keep what it has built before."""
        locks = [reads.FILENAME, *reads.paths(configuration, "locks")]
        base = base.with_env_variable("GOCACHE", "/go-build").with_env_variable("GOPATH", "/go")
        for place in ("/go-build", "/go", "/fetched"):
            base = base.with_mounted_cache(place, dag.cache_volume(f"supply-chain-pipeline{place.replace('/', '-')}"))
        container = base.with_mounted_directory(PROJECT, self.source.filter(include=locks), read_only=True)
        told = mirror_places.for_another_machine(self.mirror)
        container = container.with_env_variable(mirror_places.VARIABLE, told)
        fetch = [*MODULE, "shipseal", "store", "fetch", "--config", CONFIG, "--store", "/fetched"]
        filled = container.with_exec(fetch)
        return filled.with_exec(["cp", "-r", "/fetched", STORE]).directory(STORE)
