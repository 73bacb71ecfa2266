"""The rows of the stages that list, scan, state and judge, as the table has them."""

from pipeline.run import Run
from pipeline.stage import Stage
from pipeline.stages.admit import admit
from pipeline.stages.assess import assess
from pipeline.stages.sbom import sbom
from pipeline.stages.scan import scan
from pipeline.stages.vex import vex

SBOM = Stage(sbom, needs=("image",), tools=("syft",))
SCAN = Stage(scan, needs=("image", "sbom"), tools=("grype",), reads=("policy",), live=True)
VEX = Stage(vex, needs=("image", "sbom", "scan"), tools=("grype",), reads=("policy",), live=True)
ASSESS = Stage(assess, needs=("image", "scan", "vex"), reads=("policy",), live=True)
ADMIT = Stage(admit, needs=("assess",), live=True)


async def perform(run: Run, *stages: Stage) -> str:
    """Run stages in order and return the last one's headline."""
    for stage in stages:
        record = await run.perform(stage)
    return record.headline
