"""Sign a statement as whoever releases, outside of any release: by the real Cosign, and the tests' authority."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rfc8785

from shipseal.tools.toolbox import Toolbox
from tests.release.laboratory import Laboratory


def sign(lab: Laboratory, tools: Toolbox, statement: Mapping[str, Any], work: Path) -> bytes:
    """Return the bundle of a statement."""
    (work / "statement.json").write_bytes(rfc8785.dumps(dict(statement)))
    services, root = work / "signing.json", lab.root / "root.json"
    services.write_text(json.dumps(lab.authority.signing_config()))
    command: list[str | Path] = [tools.path("cosign"), "attest-blob", "--statement", work / "statement.json", "--yes"]
    command += ["--bundle", work / "bundle.json", "--signing-config", services, "--trusted-root", root]
    token = {"SIGSTORE_ID_TOKEN": lab.token(), "HOME": str(work)}
    ended = subprocess.run(command, env=token, capture_output=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return (work / "bundle.json").read_bytes()
