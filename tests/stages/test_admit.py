"""`admit` is the one gate: it says what the verdict says, with every reason."""

import json

import pytest
from pipeline.errors import PolicyDenied

from tests.conftest import MakeRun
from tests.stages.images import SmallImage
from tests.stages.rows import ADMIT, ASSESS, SBOM, SCAN, VEX, perform


async def test_the_runtime_that_we_ship_may_ship(make_run: MakeRun) -> None:
    headline = await perform(make_run(), SmallImage().stage(), SBOM, SCAN, VEX, ASSESS, ADMIT)
    assert headline.endswith("may ship")
