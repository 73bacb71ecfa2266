"""Say what a stage is, and what its body may see."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from shipseal.digest import Digest
from shipseal.errors import UsageError, VerificationFailed

if TYPE_CHECKING:  # the Dagger module reads the table in each call, and must not wait for Sigstore to be imported
    from shipseal.engine.world import World
    from shipseal.locked.store import Store
    from shipseal.project.config import Config
    from shipseal.tools.toolbox import Toolbox


INPUTS, TOOLS = "inputs", "tools"
"""The stages that fill the store, and list what is in it."""

OF_THE_MACHINE = frozenset({"python", "apt-get", "go", "docker", "bwrap", "qemu-aarch64-static", "qemu-x86_64-static"})
"""The programs that rows name besides locked tools: a machine has them, or they come with a project's inputs."""

Body = Callable[["Context"], Awaitable[str]]


@dataclass(frozen=True)
class Stage:
    """One row of the table.

    Args:
        name: what it is called: its row, its directory, its verb, and the module of its body.
        own: its body, where that is not the function NAME of `shipseal.stages.NAME`: it reads the finished directories
            of `needs`, writes its own, and returns its headline for the summary.
        needs: names of stages above it whose directories it reads.
        tools: programs that it may start: locked tools, or programs of this machine.
        reads: what it reads of the project itself, by the names of `Config.reads`.
        inputs: what it takes from the store besides its tools: groups of `inputs.json`, by how their names begin.
        secrets: environment variables that hold its credentials.
        secret_files: environment variables that name files with credentials.
        network: whether it talks to anything but loopback.
        namespaces: whether it makes namespaces, for what it starts; where a container's privileges are taken away, it
            keeps those over namespaces that are its own.
        writes: whether a release changes something outside by it, for which somebody has to agree.
        uncached: it reads or changes something outside the run directory, so no cache may answer for it.
        always_run: row zero: done in every run; its products decide what below it is kept.
    """

    name: str
    own: Body | None = None
    needs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    secret_files: tuple[str, ...] = ()
    network: bool = False
    namespaces: bool = False
    writes: bool = False
    uncached: bool = False
    always_run: bool = False

    @property
    def body(self) -> Body:
        """The body, imported when it is asked for: whoever reads the table alone need not wait for what it imports."""
        if self.own:
            return self.own
        found: Body = getattr(import_module(f"shipseal.stages.{self.name}"), self.name)
        return found

    @property
    def after(self) -> tuple[str, ...]:
        """The stages that end before it begins: its needs, and those that fill the store with what it takes."""
        if self.name in {INPUTS, TOOLS}:
            return self.needs
        takes = {INPUTS} if self.inputs or self.tools else set()
        takes |= {TOOLS} if set(self.tools) - OF_THE_MACHINE else set()
        return (*self.needs, *sorted(takes - set(self.needs)))


@dataclass
class Context:
    """All that a stage's body sees of the run, the project and the machine."""

    stage: Stage
    run_dir: Path
    out: Path
    config: "Config"
    store: "Store"
    tools: "Toolbox"
    world: "World"
    now: datetime
    say: Callable[[str], None]
    secrets: Mapping[str, str] = field(default_factory=dict)
    materials: dict[str, Digest] = field(default_factory=dict)
    as_of: datetime | None = None  # `now`, where somebody has asked for another day
    count: Callable[[str, int, int], None] = lambda _text, _done, _total: None  # like `say`, with how many of how many

    def of(self, stage: str) -> Path:
        """Return the finished directory of a stage that this one needs; raise `UsageError` for any other."""
        if stage not in self.stage.needs:
            raise UsageError(f"{self.stage.name} reads {stage}, which its row does not declare as a need")
        return self.run_dir / stage

    def material(self, name: str, digest: Digest) -> None:
        """Record something from outside the run directory that went in; `name` is a package URL or another URI."""
        self.materials[name] = digest

    def write_json(self, relative: str, value: object) -> Path:
        """Write a value for people and machines, the same bytes for the same value, and return where."""
        path = self.out / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    def read(self, stage: str, relative: str) -> bytes:
        """Read a file of a needed stage, whatever it holds; raise `VerificationFailed` when there is none."""
        try:
            return (self.of(stage) / relative).read_bytes()
        except OSError as error:
            raise _unreadable(stage, relative, error) from error


def _unreadable(stage: str, relative: str, error: Exception) -> VerificationFailed:
    return VerificationFailed(
        f"{stage}/{relative} cannot be read", why=str(error), remedy=f"run `shipseal stage {stage}` again"
    )
