"""The rows of the stages that list, scan, state and judge, as the table has them; and a quick way to their start."""

import shutil
import tempfile
from pathlib import Path

from shipseal.documents.smoke import NotWatched, TraceDocument
from shipseal.engine.run import Run
from shipseal.engine.stage import Context, Stage
from shipseal.stages.admit import admit
from shipseal.stages.assess import assess
from shipseal.stages.sbom import sbom
from shipseal.stages.scan import scan
from shipseal.stages.vex import vex
from tests.stages.images import SmallImage

SBOM = Stage("sbom", sbom, needs=("image",), tools=("syft",))
SCAN = Stage("scan", scan, needs=("image", "sbom"), tools=("grype",), reads=("policy",), uncached=True)
VEX = Stage("vex", vex, needs=("image", "smoke", "sbom", "scan"), tools=("grype",), reads=("policy",), uncached=True)
ASSESS = Stage("assess", assess, needs=("image", "sbom", "scan", "vex"), reads=("policy",), uncached=True)
ADMIT = Stage("admit", admit, needs=("assess",), uncached=True)


async def _unwatched(context: Context) -> str:
    TraceDocument(NotWatched(why="a small image starts no service")).write(context)
    return "nobody has watched"


SMOKE = Stage("smoke", _unwatched, needs=("image",))

ONE_PLATFORM = SmallImage(platforms=("linux/amd64",))

_begun = tempfile.TemporaryDirectory(prefix="begun-", ignore_cleanup_errors=True)


async def perform(run: Run, *stages: Stage) -> str:
    """Run stages in order and return the last one's headline."""
    for stage in stages:
        record = await run.perform(stage)
    return record.headline


async def begin(run: Run, image: SmallImage = ONE_PLATFORM, *, scanned: bool = True) -> None:
    """Bring a run to where its image is listed and scanned with the sample.

    It is done once for each image and copied from then on: the stages behind it cannot tell.
    """
    stages = (image.stage(), SMOKE, SBOM, SCAN) if scanned else (image.stage(), SBOM)
    done = Path(_begun.name) / f"{hash((repr(image), scanned, run.world.name)):x}"
    if not done.exists():
        await perform(run, *stages)
        for stage in stages:
            shutil.copytree(run.directory / stage.name, done / stage.name)
    for stage in stages:
        shutil.copytree(done / stage.name, run.directory / stage.name, dirs_exist_ok=True)
