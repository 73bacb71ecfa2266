"""The Dagger engine: each row of the table becomes one container that runs `python -m pipeline stage NAME`.

Only this module imports dagger, and it imports nothing that would have to be installed besides.
"""

import json
import tomllib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import anyio
import dagger
from dagger import DefaultPath, Doc, Ignore, check, dag, function, object_type

from pipeline import reads
from pipeline.errors import UsageError, flatten
from pipeline.stage import Stage
from pipeline.table import TABLE

# Debian 12 with Python 3.11 and apt-get. Its digest is as public projects pin it.
BASE = "python:3.11-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3"

_HOME, _PROJECT, _RUN, _STORE = "/pipeline", "/project", "/run-directory", "/store"
_PYTHON = "/environment/bin/python"
_OFFLINE = ("unshare", "--net", "--", _PYTHON, "-m", "pipeline.offline")
_ROWS = {stage.name: stage for stage in TABLE}
_OWN = ["pipeline/**", "tools/**", "image/debian.lock.toml", "requirements.lock"]

F = TypeVar("F", bound=Callable[..., Any])


def anew(body: F) -> F:
    """Make a function of the module whose result no cache may stand for."""
    return function(cache="never")(body)  # type: ignore[call-overload,no-any-return] # the overloads lack `cache`


@dataclass
class Graph:
    """What one call describes: each stage once, however many stages need it, so that nothing live runs twice."""

    project: dagger.Directory
    store: dagger.Directory
    base: dagger.Container
    configuration: Mapping[str, Any]
    world: str
    secrets: Mapping[str, dagger.Secret]
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    finished: dict[str, dagger.Directory] = field(default_factory=dict)

    async def stage(self, name: str) -> dagger.Directory:
        """Run the table up to a stage, each stage as soon as its needs are done, and return its finished directory.

        Each is finished before another one names it: the SDK would otherwise describe a need anew, with all that it
        needs itself, for every stage that reads it.

        Raises:
            UsageError: there is no such stage.
            ExecError: a stage failed; its message and exit code are those of the command.
        """
        if name not in _ROWS:
            raise UsageError(f"there is no stage {name}", do=f"choose one of {', '.join(_ROWS)}")
        rows = [row for row in _needed(name) if row.name not in self.finished]
        done = {row.name: anyio.Event() for row in rows}

        async def one(row: Stage) -> None:
            for need in _reads_of(row):
                if need in done:
                    await done[need].wait()
            container = await self._container(row)
            self.finished[row.name] = await container.directory(f"{_RUN}/{row.name}").sync()
            done[row.name].set()

        try:
            async with anyio.create_task_group() as group:
                for row in rows:
                    group.start_soon(one, row)
        except BaseExceptionGroup as failures:
            raise flatten(failures)[0] from None  # Dagger tells people a failure, and not a group of them
        return self.finished[name]

    async def run_directory(self, name: str) -> dagger.Directory:
        """Return the run directory up to a stage, as the host engine writes it."""
        await self.stage(name)
        run = dag.directory()
        for row in _needed(name):
            run = run.with_directory(row.name, self.finished[row.name])
        about = {"run_id": self.run_id, "world": self.world, "ended": True}
        return await run.with_new_file("run.json", json.dumps(about)).with_new_file(".gitignore", "*\n").sync()

    async def _container(self, row: Stage) -> dagger.Container:
        container = self.base.with_mounted_directory(_PROJECT, self._project(row), read_only=True)
        container = container.with_mounted_directory(_STORE, await self._store(row), read_only=True)
        for need in row.needs:
            container = container.with_mounted_directory(f"{_RUN}/{need}", self.finished[need], read_only=True)
        for secret in row.secrets:
            if secret in self.secrets:
                container = container.with_secret_variable(secret, self.secrets[secret])
        return container.with_workdir(_PROJECT).with_exec(
            [*(() if row.network else _OFFLINE), *self._command(row)], insecure_root_capabilities=not row.network
        )

    def _command(self, row: Stage) -> list[str]:
        identity = ["--run-id", self.run_id] if row.live or row.name == "report" else []
        where = ["--run-dir", _RUN, "--store", _STORE, "--world", self.world]
        return [_PYTHON, "-m", "pipeline", "stage", row.name, *where, *identity]

    def _project(self, row: Stage) -> dagger.Directory:
        """Return what a row reads of the project, so that a change elsewhere voids no cache."""
        paths = [path for name in row.reads for path in reads.paths(self.configuration, name)]
        if "." in paths:
            return self.project
        return self.project.filter(include=[reads.FILENAME, *(each for path in paths for each in (path, f"{path}/**"))])

    async def _store(self, row: Stage) -> dagger.Directory:
        """Return what a row takes from the store, and nothing else: `inputs` alone sees all of it."""
        if row.name == "inputs":
            return self.store
        if not row.inputs and not row.tools:
            return dag.directory()
        listing = json.loads(await self.finished["inputs"].file("inputs.json").contents())
        return self.store.filter(include=[f"{digest.replace(':', '/')}/*" for digest in _taken(row, listing)])


def _needed(name: str) -> list[Stage]:
    """Return the rows that a stage needs, itself included, in the order of the table."""
    names = {name}
    for row in reversed(TABLE):
        if row.name in names:
            names.update(_reads_of(row))
    return [row for row in TABLE if row.name in names]


def _reads_of(row: Stage) -> tuple[str, ...]:
    """Return the stages that must be finished before a row: its needs, and `inputs`, which names its store entries."""
    return (*row.needs, "inputs") if (row.inputs or row.tools) and row.name != "inputs" else row.needs


def _taken(row: Stage, listing: Mapping[str, Any]) -> list[str]:
    """Return the digests of a row's tools and of the groups that it takes."""
    tools = [listing["tools"][tool]["digest"] for tool in row.tools if tool in listing["tools"]]
    groups = {f"{kind}/{name}": entries for kind in ("wheels", "debian") for name, entries in listing[kind].items()}
    taken = [entries for name, entries in groups.items() if name.startswith(row.inputs)] if row.inputs else []
    return sorted({*tools, *(entry["digest"] for entries in taken for entry in entries)})


Source = Annotated[
    dagger.Directory,
    DefaultPath("/"),
    Ignore([".run", ".venv", ".venv-*", "**/__pycache__", "**/.mypy_cache", "**/.ruff_cache", "**/.pytest_cache"]),
    Doc("the project: a git checkout with a pipeline.toml"),
]
Store = Annotated[dagger.Directory | None, Doc("the inputs, as `store export` carries them; else they are fetched")]
Base = Annotated[str, Doc("the image that stages run in: Debian 12 with Python 3.11, by digest")]
Auth = Annotated[dagger.Secret, Doc("the registry's credentials: a Docker config.json, as file://PATH or env://NAME")]
Token = Annotated[dagger.Secret, Doc("an OpenID Connect token for the audience sigstore, as env://NAME")]


Name = Annotated[str, Doc("a stage, as `python -m pipeline stage --help` lists them")]
World = Annotated[str, Doc("dry-run or release")]


@object_type
class Pipeline:
    """Build, scan, judge, sign, publish, read back and verify one image, and deploy exactly those bytes."""

    source: Source
    store: Store = None
    base: Base = BASE

    @function
    async def build(self) -> dagger.Directory:
        """Build the image: an OCI layout, the same bytes as on any machine."""
        return (await (await self._graph()).stage("image")).directory("layout")

    @function
    async def image(self) -> dagger.Container:
        """Give the image as a container: `dagger call image as-service up` serves it."""
        layout = (await (await self._graph()).stage("image")).directory("layout")
        packed = (await self._base()).with_mounted_directory("/layout", layout, read_only=True)
        archive = packed.with_exec(["tar", "-cf", "/image.tar", "-C", "/layout", "."]).file("/image.tar")
        return dag.container().import_(archive)

    @function
    @check
    async def test(self) -> dagger.File:
        """Run the service's own tests against its wheel: the JUnit file."""
        return await (await (await self._graph()).stage("test")).file("junit.xml").sync()

    @check
    @anew
    async def scan(self) -> dagger.Directory:
        """Look for known vulnerabilities: Grype's reports, and which database they are from."""
        return await (await (await self._graph()).stage("scan")).sync()

    @check
    @anew
    async def admit(self) -> str:
        """Judge the image by policy; a denial ends the call with every reason, and exit code 3."""
        return await self._headline(await self._graph(), "admit")

    @anew
    async def dry_run(self) -> dagger.Directory:
        """Run the whole release with local stand-ins: the run directory, as the host engine writes it."""
        return await (await self._graph()).run_directory("report")

    @anew
    async def stage(self, name: Name, world: World = "dry-run") -> dagger.Directory:
        """Run the table up to one stage: the run directory so far, on which the host engine can go on."""
        return await (await self._graph(world)).run_directory(name)

    @anew
    async def release(self, token: Token, registry_auth: Auth) -> str:
        """Sign, publish, verify and tag with the configured registry and Sigstore, for everybody to see."""
        secrets = {"SIGSTORE_ID_TOKEN": token, "DOCKER_AUTH_CONFIG": registry_auth}
        return await self._headline(await self._graph("release", secrets), "promote")

    @anew
    async def deploy(self, token: Token, registry_auth: Auth) -> str:
        """Apply the manifests with the verified digest to the cluster: not available yet, and says so."""
        secrets = {"SIGSTORE_ID_TOKEN": token, "DOCKER_AUTH_CONFIG": registry_auth}
        return await self._headline(await self._graph("release", secrets), "deploy")

    @anew
    async def verify(
        self,
        reference: Annotated[str, Doc("an image by digest, or by a tag, which is resolved once")],
        policy: Annotated[str, Doc("the policy file, relative to the project")] = "policy/verification.toml",
    ) -> str:
        """Verify a published image as its consumers can: from the registry, the policy and the trust root alone."""
        graph = await self._graph()
        container = graph.base.with_mounted_directory(_PROJECT, self.source, read_only=True).with_workdir(_PROJECT)
        container = container.with_mounted_directory(_STORE, graph.store, read_only=True)
        command = [_PYTHON, "-m", "pipeline", "verify", reference, "--policy", policy, "--store", _STORE]
        container = container.with_env_variable(
            "RUN_ID", graph.run_id
        )  # whatever the registry said before, ask it again
        return await container.with_exec(command).stdout()

    async def _headline(self, graph: Graph, name: str) -> str:
        record = await (await graph.stage(name)).file("record.json").contents()
        return str(json.loads(record)["headline"])

    async def _graph(self, world: str = "dry-run", secrets: Mapping[str, dagger.Secret] | None = None) -> Graph:
        try:
            configuration = tomllib.loads(await self.source.file(reads.FILENAME).contents())
        except (dagger.QueryError, tomllib.TOMLDecodeError) as error:
            raise UsageError(
                f"the source has no {reads.FILENAME} that can be read: {error}",
                do="give a directory with one: --source=DIR",
            ) from error
        base = await self._base()
        store = self.store or await self._fetched(base, configuration).sync()
        return Graph(self.source, store, base, configuration, world, secrets or {})

    async def _base(self) -> dagger.Container:
        """Return the container of every stage: requirements by hash in a layer of their own, then our code."""
        own = dag.current_module().source().filter(include=_OWN, exclude=["**/__pycache__"])
        lock = own.file("requirements.lock")
        bare = dag.container().from_(self.base).with_exec(["python3", "-m", "venv", "/environment"])
        install = f"{_PYTHON} -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r /lock"
        bare = bare.with_mounted_file("/lock", lock)
        if self.store is not None:
            wheels = self.store.filter(include=["sha256/*/*.whl"])
            bare = bare.with_mounted_directory("/wheels", wheels, read_only=True)
            install = f"mkdir /flat && ln -s /wheels/sha256/*/*.whl /flat && {install} --no-index --find-links /flat"
        installed = bare.with_exec(["sh", "-euc", install]).without_mount("/lock")
        compile_all = [_PYTHON, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", f"{_HOME}/pipeline"]
        coded = installed.with_directory(_HOME, own).with_env_variable("PYTHONPATH", _HOME)
        return await coded.with_exec(compile_all).sync()

    def _fetched(self, base: dagger.Container, configuration: Mapping[str, Any]) -> dagger.Directory:
        """Fetch the inputs in the one container that has a network for it; caches keep what it has built before."""
        locks = [reads.FILENAME, *reads.paths(configuration, "locks")]
        for place in ("/root/.cache/go-build", "/root/go", "/fetched"):
            base = base.with_mounted_cache(place, dag.cache_volume(f"supply-chain-pipeline{place.replace('/', '-')}"))
        project = self.source.filter(include=locks)
        container = base.with_mounted_directory(_PROJECT, project, read_only=True).with_workdir(_PROJECT)
        filled = container.with_exec([_PYTHON, "-m", "pipeline", "store", "fetch", "--store", "/fetched"])
        return filled.with_exec(["cp", "-r", "/fetched", _STORE]).directory(_STORE)
