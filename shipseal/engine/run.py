"""Run a stage: `perform` is the one function that does, whichever engine asks for it.

A stage's directory is written as `NAME.part` and renamed when the body has returned and the record is in it, so that a
half-written directory is never a result. A finished stage is kept when its products are intact and its key is the same;
the key is the digest of everything that decides what the stage does.
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from shipseal.digest import Digest
from shipseal.disk import clear, disk, empty, private, write
from shipseal.documents.run_start import BegunRun
from shipseal.engine.keys import code, key
from shipseal.engine.record import FILENAME as RECORD
from shipseal.engine.record import LOG, Record, products
from shipseal.engine.seal import is_ours, key_file, seal
from shipseal.engine.stage import Context, Stage
from shipseal.engine.world import World
from shipseal.errors import UsageError, VerificationFailed, as_shipseal_error, flatten, set_stage
from shipseal.locked.store import Store
from shipseal.project.config import Config
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Args:
        stage: where.
        kind: started, kept, progress, finished or failed.
        text: what people read.
        seconds: how long the stage has taken.
        count: how many of how many bytes, where that is what is told.
    """

    stage: str
    kind: str
    text: str
    seconds: float = 0.0
    count: tuple[int, int] | None = None


@dataclass
class Run:
    """One run directory, and all that its stages share.

    Args:
        directory: the run directory, made when it is not there.
        locked: the sha256 of each locked tool for this platform.
        observe: told of everything that happens.
        clock: the time now, in UTC.
        as_of: the time that dates are judged against, when that is not now: for a dry run that asks what will expire,
            and for tests, which must not turn with the calendar.
        secrets: credentials by the name of their environment variable.
    """

    directory: Path
    config: Config
    store: Store
    locked: Mapping[str, Digest]
    world: World
    observe: Callable[[Event], None] = lambda _: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    as_of: datetime | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @cached_property
    def _code(self) -> Digest:
        return code()

    def begin(self, run_id: str | None = None) -> bool:
        """Go on with the run that did not end, if there is one of this world; return whether this one goes on.

        A `run_id` that is given is taken: another engine has begun the run.
        """
        earlier = self._unended()
        if run_id or earlier:
            self.run_id = run_id or earlier
        self._note_run(ended=False)
        return bool(earlier)

    def _unended(self) -> str:
        """Return the name of the run of this world that did not end here; nothing where there is none."""
        try:
            earlier = BegunRun.model_validate_json((self.directory / BegunRun.NAME).read_bytes())
        except (OSError, ValueError):
            return ""
        same = (earlier.world, earlier.cluster) == (self.world.name, self.world.rehearses)
        return earlier.run_id if same and not earlier.ended else ""

    def end(self) -> None:
        """Say that this run ended well: the next one does its live stages anew."""
        self._note_run(ended=True)

    async def once(self, stage: Stage) -> Record:
        """Return the record of a stage, which is run unless a finished one can stand for that; raise like `perform`."""
        return self.kept(stage) or await self.perform(stage)

    async def perform(self, stage: Stage) -> Record:
        """Run one stage over what is there, and return its record.

        Raises:
            UsageError: a stage that it needs has not finished.
            VerificationFailed: what an earlier stage wrote was altered.
            ShipsealError: whatever the body found.
        """
        began = time.monotonic()
        self.observe(Event(stage.name, "started", ""))
        try:
            record = await self._perform(stage, began)
        except Exception as error:
            for failure in flatten(error):
                set_stage(failure, stage.name)
                self.observe(Event(stage.name, "failed", as_shipseal_error(failure).what, time.monotonic() - began))
            raise
        self.observe(Event(stage.name, "finished", record.headline, time.monotonic() - began))
        return record

    def kept(self, stage: Stage) -> Record | None:
        """Return the record of a finished stage when it can stand for another run of it, else None."""
        directory = self.directory / stage.name
        if stage.always_run:
            return None
        try:
            record = Record.read(directory)
            record.check(directory)
            self._require_own(directory)
            same = record.key == self._key(stage)
        except FileNotFoundError:
            return None
        except VerificationFailed as error:
            self.observe(Event(stage.name, "progress", f"done again: {error.what}"))
            return None
        if not same or (stage.uncached and record.run_id != self.run_id):
            return None
        why = "same run" if stage.uncached else "same inputs, code, configuration and tools"
        self.observe(Event(stage.name, "kept", f"{record.headline} ({why})"))
        return record

    def _require_own(self, directory: Path) -> None:
        if self.world.keeps_only_own and not is_ours(directory / RECORD, key_file(os.environ)):
            raise VerificationFailed(
                f"{directory.name} was not made by a {self.world.name} of this user on this machine"
            )

    async def _perform(self, stage: Stage, began: float) -> Record:
        self.config.require(stage.reads)
        decided_by = self._key(stage)
        for need in stage.needs:
            self._check(need)
        part = self.directory / f"{stage.name}.part"
        started = self.clock()
        context = self._context(stage, part, self.as_of or started, began)
        with disk(part.parent):
            empty(part)
            headline = await stage.body(context)
            record = Record(
                stage=stage.name,
                run_id=self.run_id,
                world=self.world.name,
                key=decided_by,
                headline=headline,
                commands=tuple(context.tools.commands),
                tools=context.tools.used,
                materials=context.materials,
                products=products(part),
                started=started.isoformat(timespec="milliseconds"),
                finished=self.clock().isoformat(timespec="milliseconds"),
            )
            record.write(part)
            if self.world.keeps_only_own:
                seal(part / RECORD, key_file(os.environ))
            final = self.directory / stage.name
            clear(final)
            part.rename(final)
        return record

    def _check(self, need: str) -> None:
        """Refuse what was altered, and what the other world has left: a release takes no dry run's word."""
        record = Record.read(self.directory / need)
        record.check(self.directory / need)
        if record.world != self.world.name:
            raise UsageError(
                f"{need} was made in a {record.world}, and this is a {self.world.name}",
                remedy=f"run the whole {self.world.name}, or name another directory with --run-dir",
            )

    def _context(self, stage: Stage, part: Path, now: datetime, began: float) -> Context:
        secrets = {name: self.secrets[name] for name in stage.secrets if name in self.secrets}

        def say(text: str) -> None:
            self.observe(Event(stage.name, "progress", text, time.monotonic() - began))

        tools = Toolbox(
            store=self.store,
            locked=self.locked,
            declared=frozenset(stage.tools),
            log=part / LOG,
            environment=network_environment() if stage.network else {},
            secrets=tuple(self.secrets.values()),
            say=say,
        )

        def count(text: str, done: int, total: int) -> None:
            self.observe(Event(stage.name, "progress", text, time.monotonic() - began, (done, total)))

        shared = (self.config, self.store, tools, self.world)
        return Context(stage, self.directory, part, *shared, now, say, secrets, as_of=self.as_of, count=count)

    def _key(self, stage: Stage) -> Digest:
        return key(
            stage,
            self.directory,
            self.config,
            code=self._code,
            locked=self.locked,
            world=self.world.name,
            day=self.as_of.isoformat() if self.as_of else self.clock().astimezone(UTC).date().isoformat(),
        )

    def _note_run(self, *, ended: bool) -> None:
        about = BegunRun(
            run_id=self.run_id,
            world=self.world.name,
            ended=ended,
            cluster=self.world.rehearses,
            as_of=self.as_of.isoformat() if self.as_of else None,
        )
        with disk(self.directory):
            private(self.directory)
            write(self.directory / ".gitignore", "*\n")  # what a run leaves makes no checkout dirty
            write(self.directory / BegunRun.NAME, json.dumps(about.model_dump()) + "\n")
