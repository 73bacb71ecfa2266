"""Run a stage: `perform` is the one function that does, whichever engine asks for it.

A stage's directory is written as `NAME.part` and renamed when the body has returned and the record is in it, so that a
half-written directory is never a result. A finished stage is kept when its products are intact and its key is the same;
the key is the digest of everything that decides what the stage does.
"""

import errno
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import rfc8785

from pipeline.config import HOME, Config
from pipeline.digest import Digest
from pipeline.errors import PipelineError, ToolFailed, UsageError, VerificationFailed, flatten
from pipeline.record import LOG, Record, products
from pipeline.stage import Context, Stage
from pipeline.store import Store
from pipeline.toolbox import Toolbox, network_environment
from pipeline.world import World

# What the verbs print and how is no part of what a stage does.
_NOT_CODE = frozenset({"__pycache__", "cli"})


@dataclass(frozen=True)
class Event:
    """Something that happened in a run; `seconds` is how long the stage has taken."""

    stage: str
    kind: str  # started, kept, progress, finished, failed
    text: str
    seconds: float = 0.0


@dataclass
class Run:
    """One run directory, and all that its stages share.

    Args:
        directory: the run directory, made when it is not there.
        locked: the sha256 of each locked tool for this platform.
        observe: told of everything that happens.
        clock: the time now, in UTC; injected, so that no judgement turns with the calendar of a test.
        secrets: credentials by the name of their environment variable.
    """

    directory: Path
    config: Config
    store: Store
    locked: Mapping[str, Digest]
    world: World
    observe: Callable[[Event], None] = lambda _: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    secrets: Mapping[str, str] = field(default_factory=dict)
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @cached_property
    def code(self) -> Digest:
        """The digest of the pipeline's own code and of the requirements that it runs with."""
        requirements = Digest.of_file(HOME / "requirements.lock")
        return Digest.of(f"{Digest.of_tree(HOME / 'pipeline', leave_out=_NOT_CODE)} {requirements}".encode())

    def begin(self, run_id: str | None = None) -> bool:
        """Go on with the run that did not end, if there is one of this world; return whether this one goes on.

        A `run_id` that is given is taken: another engine has begun the run.
        """
        path = self.directory / "run.json"
        try:
            earlier = json.loads(path.read_bytes())
            going_on = not earlier["ended"] and earlier["world"] == self.world.name
        except (OSError, ValueError, KeyError, TypeError):
            going_on = False
        if run_id or going_on:
            self.run_id = run_id or str(earlier["run_id"])
        self._note_run(ended=False)
        return going_on

    def end(self) -> None:
        """Say that this run ended well: the next one does its live stages anew."""
        self._note_run(ended=True)

    async def perform(self, stage: Stage) -> Record:
        """Run one stage over what is there, and return its record.

        Raises:
            UsageError: a stage that it needs has not finished.
            VerificationFailed: what an earlier stage wrote was altered.
            PipelineError: whatever the body found.
        """
        began = time.monotonic()
        self.observe(Event(stage.name, "started", ""))
        try:
            record = await self._perform(stage, began)
        except Exception as error:
            for failure in flatten(error):
                if isinstance(failure, PipelineError):
                    failure.stage = failure.stage or stage.name
                self.observe(Event(stage.name, "failed", str(failure), time.monotonic() - began))
            raise
        self.observe(Event(stage.name, "finished", record.headline, time.monotonic() - began))
        return record

    def kept(self, stage: Stage) -> Record | None:
        """Return the record of a finished stage when it can stand for another run of it, else None."""
        directory = self.directory / stage.name
        if stage.always:
            return None
        try:
            record = Record.read(directory)
            record.check(directory)
            same = record.key == self._key(stage)
        except FileNotFoundError:
            return None
        except VerificationFailed as error:
            self.observe(Event(stage.name, "progress", f"done again: {error.what}"))
            return None
        if not same or (stage.live and record.run_id != self.run_id):
            return None
        why = "same run" if stage.live else "same inputs, code, configuration and tools"
        self.observe(Event(stage.name, "kept", f"{record.headline} ({why})"))
        return record

    async def _perform(self, stage: Stage, began: float) -> Record:
        key = self._key(stage)
        for need in stage.needs:
            Record.read(self.directory / need).check(self.directory / need)
        part = self.directory / f"{stage.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        started = self.clock()
        context = self._context(stage, part, started, began)
        with _disk(part):
            headline = await stage.body(context)
            record = Record(
                stage=stage.name,
                run_id=self.run_id,
                key=key,
                headline=headline,
                commands=tuple(context.tools.commands),
                tools=context.tools.used,
                materials=context.materials,
                products=products(part),
                started=started.isoformat(timespec="milliseconds"),
                finished=self.clock().isoformat(timespec="milliseconds"),
            )
            record.write(part)
            final = self.directory / stage.name
            shutil.rmtree(final, ignore_errors=True)
            part.rename(final)
        return record

    def _context(self, stage: Stage, part: Path, now: datetime, began: float) -> Context:
        secrets = {name: self.secrets[name] for name in stage.secrets if name in self.secrets}
        tools = Toolbox(
            store=self.store,
            locked=self.locked,
            declared=frozenset(stage.tools),
            log=part / LOG,
            environment=network_environment() if stage.network else {},
            secrets=tuple(self.secrets.values()),
        )

        def say(text: str) -> None:
            self.observe(Event(stage.name, "progress", text, time.monotonic() - began))

        return Context(stage, self.directory, part, self.config, self.store, tools, self.world, now, say, secrets)

    def _key(self, stage: Stage) -> Digest:
        """Digest everything that decides what a stage does; raise `UsageError` when a need has not finished."""
        needs = {}
        for need in stage.needs:
            try:
                needs[need] = str(Record.read(self.directory / need).outcome)
            except FileNotFoundError:
                raise UsageError(
                    f"{stage.name} needs {need}, which has not finished in {self.directory}",
                    do=f"run `python -m pipeline stage {need}` first, or the whole table with `dry-run`",
                ) from None
        return Digest.of(
            rfc8785.dumps(
                {
                    "stage": stage.name,
                    "needs": needs,
                    "code": str(self.code),
                    "configuration": str(self.config.digest),
                    "reads": {name: self._read(name) for name in stage.reads},
                    "tools": {tool: str(self.locked[tool]) for tool in stage.tools if tool in self.locked},
                    "world": self.world.name,
                }
            )
        )

    def _read(self, name: str) -> list[str]:
        if name == "repository":  # `facts` digests it, and is done in every run
            return []
        return [_digest_of(path) for path in self.config.reads(name)]

    def _note_run(self, *, ended: bool) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / ".gitignore").write_text("*\n")  # what a run leaves makes no checkout dirty
        path = self.directory / "run.json"
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps({"run_id": self.run_id, "world": self.world.name, "ended": ended}) + "\n")
        draft.rename(path)


def _digest_of(path: Path) -> str:
    if path.is_dir():
        return str(Digest.of_tree(path))
    return str(Digest.of_file(path)) if path.exists() else "absent"


@contextmanager
def _disk(part: Path) -> Iterator[None]:
    """Turn what a disk refuses into a failure that says so."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise
        raise ToolFailed(
            f"{part.parent} cannot be written: {os.strerror(error.errno or 0).lower()}",
            why=str(error),
            do="free some space, then run this again: finished stages are kept",
        ) from error


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the run directory's lock; raise `UsageError` when another run has it, or it cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UsageError(
            f"the run directory {directory} cannot be written", why=str(error), do="name another with --run-dir"
        ) from error
    try:
        _lock(handle, directory)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, directory: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"another run is using {directory}", do="wait for it, or give this one another --run-dir"
        ) from None
