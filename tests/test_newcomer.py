"""What somebody new is promised: with a mirror nothing is built; without one nobody waits for Syft to see a digest."""

import re
import subprocess
import sys

import pytest

from shipseal.project.config import HOME
from tests.test_fetch_tools import needs_go

pytestmark = [needs_go, pytest.mark.timeout(1500)]

FIGURE = re.compile(r"^ +(\d+\.\d) s  (.+)$", re.MULTILINE)


def test_a_clone_with_an_empty_cache_comes_to_a_verified_image_and_shows_the_digest_before_tools_are_built() -> None:
    """No figure is held against a clock: they are what `make newcomer` prints."""
    command = [sys.executable, "-m", "bench.newcomer"]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    mirrored, alone = (FIGURE.findall(part) for part in done.stdout.split("without a mirror"))
    for figures, shown in ((mirrored, "the image is verified"), (alone, "the digest of the image is shown")):
        assert figures == sorted(figures, key=lambda figure: float(figure[0]))
        assert shown == figures[-2][1]
        assert figures[-1][1].startswith("ended")
