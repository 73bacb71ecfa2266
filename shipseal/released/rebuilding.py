"""Build an image again from what its provenance records, offline, and compare every byte."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import anyio.to_thread

from shipseal.digest import Digest
from shipseal.documents.facts import FactsDocument
from shipseal.documents.image import ImageDocument
from shipseal.engine.run import Run
from shipseal.engine.run_contents import RunContents
from shipseal.engine.stage import Context, Stage
from shipseal.engine.table import TABLE
from shipseal.engine.world import choose
from shipseal.errors import UsageError, VerificationFailed
from shipseal.locked.inputs import Inputs
from shipseal.oci.differences import ComparedImage, first_difference
from shipseal.oci.layout import Layout
from shipseal.project.config import Config
from shipseal.project.revision import take
from shipseal.released.release_context import ReleaseContext
from shipseal.statements.rebuild import BuildClaims, check_configuration, check_materials, needed

_ROWS = ("facts", "build", "image")


async def rebuild(
    ground: ReleaseContext, config: Config, recorded: ComparedImage, records: Sequence[BuildClaims]
) -> list[str]:
    """Build a project, and compare what comes of it; return what people should know besides.

    Args:
        ground: of the verb.
        config: the project, which has to be configured as the first of the records says.
        recorded: the image.
        records: what its provenances say.

    Raises:
        VerificationFailed: something differs, and is told; or the project is not what was recorded.
        ToolFailed: the store lacks something that it was built from.
    """
    run = Run(ground.work / "run", config, ground.store, {}, choose("dry-run", config), ground.observe)
    await _perform(run, needed(config), records[0])
    left = RunContents(run.directory)
    notes = _notes(str(FactsDocument.read(left).tree), records)
    built = ComparedImage("rebuilt", Layout(run.directory / "image" / "layout"), ImageDocument.read(left).digest)
    compare(recorded, built, notes)
    return notes


async def _perform(run: Run, inputs: Inputs, record: BuildClaims) -> None:
    """Run the rows that lead to the image, over the store alone."""

    async def listed(context: Context) -> str:
        listing = await anyio.to_thread.run_sync(inputs.listing, context.store)
        listing.write(context)
        return "as the locks name them, all from the store"

    rows = {row.name: row for row in TABLE}
    check_configuration(run.config, record)
    check_materials(inputs, run.store, record)
    run.begin()
    for stage in (rows["facts"], Stage("inputs", listed), *(rows[name] for name in _ROWS[1:])):
        await run.perform(stage)


def _notes(tree: str, records: Sequence[BuildClaims]) -> list[str]:
    if any(record.tree == tree for record in records):
        return []
    record = records[0]
    state = " with changes that are in no commit" if record.dirty else ""
    return [f"this checkout is another tree ({tree}) than the recorded one ({record.tree}, {record.revision}{state})"]


def compare(one: ComparedImage, other: ComparedImage, notes: Sequence[str] = ()) -> None:
    """Raise `VerificationFailed` with the first difference of two images, if there is one."""
    found = first_difference(one, other)
    if found:
        raise VerificationFailed(
            f"{other.name} image is not {one.name} image",
            why=[f"{one.name} {one.digest}, {other.name} {other.digest}", *found, *notes],
            remedy="check out what was recorded, or find out what else the bytes depend on"
            if notes
            else "find out why",
        )


def from_clone(clone: Path, records: Mapping[Digest, BuildClaims], target: Path) -> tuple[Digest, Path]:
    """Write the files of the recorded commit; return the bundle of the provenance that names it, and where they are.

    Args:
        clone: a git clone; where several commits have given the image, it needs one of them.
        records: what provenances say that were verified, by their bundles.
        target: a directory, for a new one below it.

    Raises:
        UsageError: the clone has none of the commits.
        VerificationFailed: what was built is in no commit, or an object of the clone is not what its name says.
    """
    absent: list[str] = []
    for number, (bundle, record) in enumerate(_clean(records)):
        try:
            take(clone, record.revision, target / f"project-{number}")
        except UsageError as failure:
            absent.append("; ".join((failure.what, *failure.why)))
        else:
            return bundle, target / f"project-{number}"
    raise UsageError(
        f"{clone} does not have what the image was built from",
        why=absent,
        remedy="fetch that commit, whole: no shallow or partial clone of it",
    )


def _clean(records: Mapping[Digest, BuildClaims]) -> Iterable[tuple[Digest, BuildClaims]]:
    found = [(bundle, record) for bundle, record in records.items() if not record.dirty]
    if not found:
        raise VerificationFailed(
            "the image was built from a tree that is in no commit", remedy="no clone can have it: give no --source"
        )
    return found
