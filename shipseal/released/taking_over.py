"""Go on with a run that another job has made without an identity, to the end of a release.

All that needs no code of the project is done again, from this job's own checkout, locks and store, and has to come out
the same: so nobody who has the other job can have anything signed but what its wheel and these locks determine.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from shipseal.disk import clear
from shipseal.documents.inputs import InputsDocument
from shipseal.engine.record import FILENAME
from shipseal.engine.run import Event, Run
from shipseal.engine.run_contents import RunContents
from shipseal.engine.schedule import execute
from shipseal.engine.seal import is_ours, key_file
from shipseal.engine.stage import Context, Stage
from shipseal.engine.table import RECORDED
from shipseal.errors import UsageError, VerificationFailed
from shipseal.project.version import declared
from shipseal.released.project_outputs import ADOPTED, adopt
from shipseal.released.reproducibility import require_same
from shipseal.released.untrusted_run import UntrustedRun

# Each is compared before what comes next may read it.
_ORDER = (("build", "image"), ("test", "smoke", "sbom"), ("scan",), ("vex",), ("assess",), ("admit",))
_FIRST = ("facts", "inputs", "tools")
_VERB = "sign"


async def take_over(run: Run, stages: Sequence[Stage], directory: Path) -> None:
    """Check a given run, make again what can be, and do what comes after it.

    Args:
        run: this job's own run, begun, in another directory.
        stages: all rows of a release.
        directory: the given run.

    Raises:
        VerificationFailed: something of it is not what it should be; nothing was signed.
        UsageError: the given run is this one, or there is none.
        ExceptionGroup: what the stages have found.
    """
    _require_apart(run, directory)

    def say(text: str) -> None:
        run.observe(Event(_VERB, "progress", text))

    say(f"holding the given run {directory} against its records")
    given = await anyio.to_thread.run_sync(UntrustedRun.look, directory)
    await _do(run, given, stages, _FIRST, say)
    listing = await anyio.to_thread.run_sync(InputsDocument.read, RunContents(run.directory))
    adopt(given, run, listing, declared(run.config), say)
    if not is_ours(run.directory / "image" / FILENAME, key_file(os.environ)):
        clear(run.directory / "image")  # no layer is taken over that another has laid there
    guarded = [replace(row, own=_refuse) if row.name in ADOPTED else row for row in stages]
    for names in _ORDER:
        await _do(run, given, guarded, names, say)
    say("the given run is what its wheel and this checkout give")
    await execute([row for row in stages if row.name not in RECORDED], run.once)


async def _do(
    run: Run, given: UntrustedRun, rows: Iterable[Stage], names: Sequence[str], say: Callable[[str], None]
) -> None:
    """Run some rows, and hold each against the given run."""
    await execute([row for row in rows if row.name in names], run.once)
    for name in names:
        await anyio.to_thread.run_sync(require_same, given, run.directory, name, say)


async def _refuse(context: Context) -> str:
    """Run nothing: what only the project's code can make has to be taken over as it is."""
    raise VerificationFailed(
        f"{context.stage.name} of the given run was not made from what is here",
        why="another code of the pipeline, another configuration, or other files, inputs or tools have decided it",
        remedy="give the run that this commit and this version of the pipeline have made",
    )


def _require_apart(run: Run, directory: Path) -> None:
    given, own = directory.resolve(), run.directory.resolve()
    if given.is_relative_to(own) or own.is_relative_to(given):
        raise UsageError(
            f"the given run {directory} is where this run writes",
            remedy="give a directory of its own, outside of the checkout, with --run",
        )
