"""Other people's checkers: promtool on the metrics, schemathesis on the description that the service ships."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.service.client import launch
from tests.service_edge.proxies import from_lock, program


def test_promtool_finds_nothing_to_complain_of() -> None:
    promtool = program("promtool", "Debian's prometheus")
    service = launch(WORKERS="2", REVISION="abc")
    try:
        for target in ("/", "/?tz=No/Where", "/health", "/nowhere"):
            service.ask(target)
        text = service.ask("/metrics", port=service.metrics_port).body
    finally:
        service.end()
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_schemathesis_finds_no_request_that_breaks_the_description(tmp_path: Path) -> None:
    tool = from_lock("bin/schemathesis", "schemathesis")
    service = launch(ACCESS_LOG="off")
    try:
        url = f"http://127.0.0.1:{service.port}"
        # Left out: that every valid value is accepted. Which zones exist is not the description's to say.
        left_out = "--exclude-checks=positive_data_acceptance"
        command = [tool, "run", f"{url}/openapi.json", "--max-examples=100", "--seed=1", "--no-color", left_out]
        checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
        assert service.ask("/livez").status == 200
    finally:
        service.end()
    assert checked.returncode == 0, checked.stdout[-6000:]
