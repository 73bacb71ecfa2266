"""`rebuild LAYOUT`: build an image again from what its provenance records, offline, and compare every byte.

The layout is `attest/layout` of a run, or one that was pulled with its referrers. The project is the one of --config: a
checkout of the recorded commit. With `--against` nothing is built, and two layouts are compared. The first difference
is told with its platform, layer, path, field and offset. Signatures are not looked at: that is what `verify` is for.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import anyio.to_thread

from pipeline.attestation.rebuild import Recorded, check_configuration, check_materials, needed, recorded
from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.cli.progress import progress
from pipeline.digest import Digest
from pipeline.engine.run import Run
from pipeline.engine.stage import Context, Stage
from pipeline.engine.table import TABLE
from pipeline.engine.world import choose
from pipeline.errors import UsageError, VerificationFailed
from pipeline.locked.inputs import Inputs
from pipeline.locked.store_cleaning import in_use
from pipeline.oci.differences import Side, first_difference
from pipeline.oci.layout import Layout
from pipeline.project.config import Config

_ROWS = ("facts", "build", "image")


def add(verbs: Any) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("rebuild", help="build an image again and compare every byte", description=__doc__)
    verb.add_argument("layout", type=Path, metavar="LAYOUT", help="an OCI layout with the image and its provenance")
    verb.add_argument("--against", type=Path, metavar="LAYOUT", help="compare with this image, and build nothing")
    shared.common(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Rebuild or compare, and say that every byte is the same, or fail with the first that is not."""
    for given in (options.layout, options.against or options.layout):
        if not given.is_dir():
            raise UsageError(
                f"there is no layout {given}", do="name a directory: attest/layout of a run, or one pulled"
            )
    layout = Layout(options.layout)
    image = layout.only_image()
    blobs = layout.check_image(image)
    if options.against:
        other = Layout(options.against)
        _compare(Side("the first", layout, image), Side("the second", other, other.only_image()), [])
        notes: list[str] = []
    else:
        with tempfile.TemporaryDirectory(prefix="rebuild-") as work:
            notes = _rebuild(options, Side("recorded", layout, image), Path(work))
    _say(options, image, blobs, notes)
    return 0


def _rebuild(options: argparse.Namespace, side: Side, work: Path) -> list[str]:
    config, store = Config.load(options.config), shared.the_store(options)
    records = recorded(side.layout, side.digest)
    inputs = needed(config)
    run = Run(work / "run", config, store, {}, choose("dry-run", config))
    with in_use(store), progress(as_json=options.json) as run.observe:
        run_async(lambda: _perform(run, inputs, records))
    tree = json.loads((run.directory / "facts" / "facts.json").read_bytes())["tree"]
    notes = _notes(tree, records)
    document = json.loads((run.directory / "image" / "image.json").read_bytes())
    _compare(side, Side("rebuilt", Layout(run.directory / "image" / "layout"), Digest.parse(document["digest"])), notes)
    return notes


async def _perform(run: Run, inputs: Inputs, records: list[Recorded]) -> None:
    """Run the rows that lead to the image, over the store alone."""

    async def listed(context: Context) -> str:
        context.write_json("inputs.json", await anyio.to_thread.run_sync(inputs.listing, context.store))
        return "as the locks name them, all from the store"

    rows = {row.name: row for row in TABLE}
    record = records[0]
    check_configuration(run.config, record)
    check_materials(inputs, run.store, record)
    run.begin()
    for stage in (rows["facts"], Stage("inputs", listed), *(rows[name] for name in _ROWS[1:])):
        await run.perform(stage)


def _notes(tree: str, records: list[Recorded]) -> list[str]:
    if any(record.tree == tree for record in records):
        return []
    record = records[0]
    state = " with changes that are in no commit" if record.dirty else ""
    return [f"this checkout is another tree ({tree}) than the recorded one ({record.tree}, {record.revision}{state})"]


def _compare(one: Side, other: Side, notes: list[str]) -> None:
    found = first_difference(one, other)
    if found:
        raise VerificationFailed(
            f"{other.name} image is not {one.name} image",
            why=[f"{one.name} {one.digest}, {other.name} {other.digest}", *found, *notes],
            do="check out what was recorded, or find out what else the bytes depend on" if notes else "find out why",
        )


def _say(options: argparse.Namespace, image: Digest, blobs: int, notes: list[str]) -> None:
    if options.json:
        print(json.dumps({"event": "rebuild", "digest": str(image), "same": True, "blobs": blobs, "notes": notes}))
        return
    print(f"the same  {image}, every byte of {blobs} blobs")
    for note in notes:
        print(f"note      {note}")
