"""Open a finished dry run to be attacked: it has to be whole, of this project as it is now, and it stays as it is."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from shipseal.attacks import copies
from shipseal.attacks.forging import forge
from shipseal.attacks.gates import row
from shipseal.attacks.target import AttackTarget
from shipseal.engine.record import Record
from shipseal.engine.run import Run
from shipseal.engine.table import RECORDED
from shipseal.errors import ShipsealError, UsageError
from shipseal.signing.verifiers import trusted_root, verify_bundle

STAGES = (*RECORDED, "attest", "publish", "verify", "promote")
"""What attacks are made on."""

DIRECTORY = "attack"
_AGAIN = "type `shipseal dry-run`, and then this again"


@contextmanager
def opened(run: Run, now: datetime) -> Iterator[AttackTarget]:
    """Give a run to be attacked, for as long as the block runs.

    Args:
        run: whose directory has finished; nothing in it changes but `attack.part`, which is gone afterwards.
        now: the time to judge by.

    Raises:
        UsageError: it has not finished, is a release, or is not of the project and the pipeline as they are now.
        VerificationFailed: what it has left was altered already.
    """
    _require_finished(run)
    copies.check(run.directory, STAGES)
    if run.kept(row("image")) is None:
        raise UsageError(
            f"the run in {run.directory} is not of this project as it is now",
            why="its image would be made again: inputs, code or configuration are others by now",
            remedy=_AGAIN,
        )
    attest = run.directory / "attest"
    signed = verify_bundle(
        (attest / "bundles" / "provenance.sigstore.json").read_bytes(), trusted_root(attest / "trusted_root.json"), None
    )
    before = copies.state(run.directory, STAGES)
    work = run.directory / f"{DIRECTORY}.part"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        with forge(signed.who, signed.claims) as signers:
            yield AttackTarget(run, signers, run.world.policy(), now, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if copies.state(run.directory, STAGES) != before:
        raise ShipsealError(f"an attack has changed {run.directory} itself", remedy="report it, and make the run again")


def _require_finished(run: Run) -> None:
    for stage in STAGES:
        try:
            world = Record.read(run.directory / stage).world
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(
                f"there is no finished dry run in {run.directory}", why=f"{stage} has not finished", remedy=_AGAIN
            ) from None
        if world != run.world.name:
            raise UsageError(
                f"the run in {run.directory} is a {world}, and only a dry run is attacked",
                why="attacks sign by an authority of this machine, which nobody else trusts",
                remedy=f"{_AGAIN}, with another --run-dir",
            )
