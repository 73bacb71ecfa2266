"""The commands of a runbook, as a reader would type them."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.cloud.aws import HOME
from tests.cloud.terraform import Done

PAGES = HOME / "docs" / "runbooks"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands(page: str, *, section: str = "") -> list[str]:
    """Return the blocks that a page marks ``sh``, in order, of the section whose heading begins so, or of all.

    :raises AssertionError: when there are none, so that a runbook cannot lose its commands unnoticed
    """
    text = (PAGES / page).read_text(encoding="utf-8")
    if section:
        text = text.partition(f"# {section}")[2]
        text = re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]
    found = _BLOCK.findall(text)
    assert found, f"{page}: no commands in {section or 'it'}"
    return found


def follow(blocks: list[str], directory: Path, environment: Mapping[str, str], timeout: float = 500) -> Done:
    """Run the blocks one after the other in one shell, which ends at the first command that fails."""
    started = time.monotonic()
    script = "set -euo pipefail\n" + "\n".join(blocks)
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=directory,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output = process.communicate()[0] + f"\nstopped after {timeout} s"
    return Done(process.returncode, output, time.monotonic() - started)
