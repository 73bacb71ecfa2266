"""What one call of the Dagger module describes: one container a row, each once, each over finished directories."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import dagger
from dagger import dag

from shipseal.digest import Digest
from shipseal.engine.dagger_services import Named, bound
from shipseal.engine.schedule import execute, wanted
from shipseal.engine.stage import INPUTS, TOOLS, Stage
from shipseal.errors import flatten
from shipseal.project import reads

HOME, PROJECT, RUN, STORE = "/shipseal", "/project", "/run-directory", "/store"
PYTHON = "/environment/bin/python"
MODULE = (PYTHON, "-P", "-m")
"""How an interpreter starts here: without -P it would import from the directory that it stands in before our code."""
CONFIG = f"{PROJECT}/{reads.FILENAME}"
COUNTED, GIVEN, SERVICES = "/counted", "/given", "/services.json"

# How a row without a network starts, and one that makes namespaces too: as root of a user namespace, whose capabilities
# reach what that namespace owns and nothing else.
_OFFLINE = ("unshare", "--net", "--", *MODULE, "shipseal.engine.offline", "without-privilege")
_NAMESPACES = (
    *("unshare", "--user", "--map-root-user", "--net", "--"),
    *(*MODULE, "shipseal.engine.offline", "within-namespaces"),
)

# The rows that ask a registry or signing services. `inputs` and `tools` have a network, and are not their business.
_REACH = {"attest", "publish", "verify", "promote", "deploy"}

# Files that a configuration names for a tool. The host reads them wherever they are, and digests none as its own.
_FILES_OF = {
    "grype": (("scan", "database"),),
    "oras": (("registry", "ca-file"),),
    "cosign": (("sign", "signing-config"), ("sign", "trusted-root")),
}


@dataclass
class Graph:
    """What one call describes: each stage once, however many stages need it, so that nothing live runs twice.

    Args:
        table: the rows; one needs only rows above it.
        project: the project's files.
        store: what the rows' inputs and tools are taken from.
        base: the container that every row starts from: Python, the requirements and our code.
        policy: what comes with the pipeline where a project has no policy of its own.
        configuration: the project's parsed `pipeline.toml`.
        world: `dry-run` or `release`.
        secrets: by the name under which a row declares one.
        agreed: whether whoever calls has asked for what a release writes outside.
        services: what a container with a network reaches through whoever calls, by the name of its host.
    """

    table: Sequence[Stage]
    project: dagger.Directory
    store: dagger.Directory
    base: dagger.Container
    policy: dagger.Directory
    configuration: Mapping[str, Any]
    world: str
    secrets: Mapping[str, dagger.Secret]
    agreed: bool = False
    services: Named = ()
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    counted: dagger.Directory | None = None
    counting: anyio.Lock = field(default_factory=anyio.Lock)
    finished: dict[str, dagger.Directory] = field(default_factory=dict)

    async def stage(self, name: str) -> dagger.Directory:
        """Run the table up to a stage, each stage as soon as its needs are done, and return its finished directory.

        Each is finished before another one names it: the SDK would otherwise describe a need anew, with all that it
        needs itself, for every stage that reads it.

        Raises:
            UsageError: there is no such stage.
            ExecError: a stage failed; its message and exit code are those of the command.
        """
        await self._perform(name)
        return self.finished[name]

    async def _perform(self, *names: str) -> list[Stage]:
        """Run the table up to some stages; return all that this took."""
        needed = wanted(self.table, *names)
        try:
            await execute((row for row in needed if row.name not in self.finished), self._finish, grace=0)
        except BaseExceptionGroup as failures:
            raise flatten(failures)[0] from None  # Dagger tells people a failure, and not a group of them
        return needed

    async def run_directory(self, *names: str) -> dagger.Directory:
        """Return the run directory up to some stages, as the host engine writes it."""
        run = dag.directory()
        for row in await self._perform(*names):
            run = run.with_directory(row.name, self.finished[row.name])
        about = {"run_id": self.run_id, "world": self.world, "ended": True}
        return await run.with_new_file("run.json", json.dumps(about)).with_new_file(".gitignore", "*\n").sync()

    async def reported(self, name: str) -> dagger.Directory:
        """Return the run directory up to a stage, with a report of it: the stage that writes one comes after a deploy.

        Raises:
            ExecError: a stage failed; its message and exit code are those of the command.
        """
        run = await self.run_directory(name)
        container = self.base.with_mounted_directory(PROJECT, self.project, read_only=True).with_directory(RUN, run)
        command = [*_OFFLINE, *MODULE, "shipseal", "report", "--config", CONFIG, "--run-dir", RUN]
        done = container.with_workdir(HOME).with_exec(command, insecure_root_capabilities=True)
        return await done.directory(RUN).sync()

    async def take_over(self, given: dagger.Directory, services: dagger.File | None) -> dagger.Directory:
        """Check a run that another job has made, and release it, in one container; return the run that comes of it.

        Raises:
            ExecError: it is not what it should be; the message and exit code are those of the command.
        """
        [last] = [row for row in self.table if row.name == "promote"]  # it signs and pushes, and so has all secrets
        container = self.base.with_mounted_directory(PROJECT, self.project, read_only=True)
        container = container.with_mounted_directory(STORE, self.store, read_only=True).with_workdir(HOME)
        container = container.with_mounted_directory(f"{HOME}/policy", self.policy, read_only=True)
        container = container.with_mounted_directory(GIVEN, given, read_only=True)
        container = self._entrusted(container, last).with_env_variable("RUN_ID", self.run_id)  # no cache answers
        where = ["--config", CONFIG, "--store", STORE, "--run", GIVEN, "--run-dir", RUN]
        if services is not None:
            container = container.with_mounted_file(SERVICES, services)
            where += ["--signing-config", SERVICES]
        done = bound(container, self.services).with_exec(
            [*MODULE, "shipseal", "sign", *where, *(["--yes"] if self.agreed else [])]
        )
        return await done.directory(RUN).sync()

    async def headline(self, name: str) -> str:
        """Run the table up to a stage, and return what it says of itself in one line."""
        record = await (await self.stage(name)).file("record.json").contents()
        return str(json.loads(record)["headline"])

    async def ask(self, row: str, *words: str) -> str:
        """Run a verb that has the name of a row, with what that row sees but no finished stage; return what it says.

        Raises:
            ExecError: it failed; its message and exit code are those of the command.
        """
        [found] = [each for each in self.table if each.name == row]
        container = self.base.with_mounted_directory(PROJECT, self.project, read_only=True)
        container = container.with_mounted_directory(STORE, self.store, read_only=True).with_workdir(HOME)
        container = self._entrusted(container, found).with_env_variable("RUN_ID", self.run_id)  # no cache answers
        where = ["--config", CONFIG, "--store", STORE]
        return await bound(container, self.services).with_exec([*MODULE, "shipseal", row, *words, *where]).stdout()

    async def _finish(self, row: Stage) -> None:
        container = await self._container(row)
        self.finished[row.name] = await container.directory(f"{RUN}/{row.name}").sync()

    async def _container(self, row: Stage) -> dagger.Container:
        container = self.base.with_mounted_directory(PROJECT, await self._project(row), read_only=True)
        container = container.with_mounted_directory(STORE, await self._store(row), read_only=True)
        if "policy" in row.reads:
            container = container.with_mounted_directory(f"{HOME}/policy", self.policy, read_only=True)
        for need in row.needs:
            container = container.with_mounted_directory(f"{RUN}/{need}", self.finished[need], read_only=True)
        reached = self.services if self.world == "release" and row.name in _REACH else ()
        return (
            bound(self._entrusted(container, row), reached)
            .with_workdir(HOME)
            .with_exec([*_start(row), *self._command(row)], insecure_root_capabilities=not row.network)
        )

    def _entrusted(self, container: dagger.Container, row: Stage) -> dagger.Container:
        """Give a row the secrets that it declares, and no other."""
        for name in row.secrets:
            if name in self.secrets:
                container = container.with_secret_variable(name, self.secrets[name])
        for name in row.secret_files:
            if name in self.secrets:
                file = f"/run/secrets/{name}"
                container = container.with_mounted_secret(file, self.secrets[name]).with_env_variable(name, file)
        return container

    def _command(self, row: Stage) -> list[str]:
        identity = ["--run-id", self.run_id] if row.uncached or row.name == "report" else []
        where = ["--config", CONFIG, "--run-dir", RUN, "--store", STORE, "--world", self.world]
        agreed = ["--yes"] if self.agreed and row.writes else []
        return [*MODULE, "shipseal", "stage", row.name, *where, *agreed, *identity]

    async def _project(self, row: Stage) -> dagger.Directory:
        """Return what a row reads of the project, so that a change elsewhere voids no cache."""
        if "repository" in row.reads:
            return self.project
        counted = await self._counted()
        paths = [path for name in row.reads for path in reads.paths(self.configuration, name)]
        seen = counted if "." in paths else counted.filter(include=_at_or_below(reads.FILENAME, *paths))
        named = [named for tool in row.tools for named in _FILES_OF.get(tool, ())]
        more = [path for section, key in named if (path := str(self.configuration.get(section, {}).get(key, "")))]
        # A database is no part of the sources: git ignores it in most projects.
        return seen.with_directory(".", self.project.filter(include=_at_or_below(*more))) if more else seen

    async def _counted(self) -> dagger.Directory:
        """Return the project without what git ignores: a row that is given a part of it has no repository to ask."""
        async with self.counting:
            if self.counted is None:
                container = self.base.with_mounted_directory(PROJECT, self.project, read_only=True)
                command = [*_OFFLINE, *MODULE, "shipseal.project.checkout", PROJECT, COUNTED]
                made = container.with_exec(command, insecure_root_capabilities=True)
                self.counted = await made.directory(COUNTED).sync()
        return self.counted

    async def _store(self, row: Stage) -> dagger.Directory:
        """Return what a row takes from the store, and nothing else: `inputs` and `tools` alone see all of it."""
        if row.name in {INPUTS, TOOLS}:
            return self.store
        if not row.inputs and not row.tools:
            return dag.directory()
        # Where this runs there is nothing of ours but the code, and no pydantic: the model is for the stages.
        listing = json.loads(await self.finished[INPUTS].file("inputs.json").contents())
        return self.store.filter(
            include=[f"{digest.algorithm}/{digest.hex}/*" for digest in sorted(_taken(row, listing))]
        )


def _at_or_below(*paths: str) -> list[str]:
    return [each for path in paths for each in ((path,) if path == reads.FILENAME else (path, f"{path}/**"))]


def _start(row: Stage) -> tuple[str, ...]:
    """Return what starts a row's command: nothing where it has a network, and no privilege therefore."""
    if row.network:
        return ()
    return _NAMESPACES if row.namespaces else _OFFLINE


def _taken(row: Stage, listing: Mapping[str, Any]) -> set[Digest]:
    """Return the digests of a row's tools and of the groups that it takes."""
    tools = [tool for name, tool in listing["tools"].items() if name in row.tools]
    groups = {f"{kind}/{name}": group for kind in ("wheels", "debian") for name, group in listing[kind].items()}
    taken = [group for name, group in groups.items() if name.startswith(row.inputs)] if row.inputs else []
    return {Digest.parse(each["digest"]) for each in (*tools, *(entry for group in taken for entry in group))}
