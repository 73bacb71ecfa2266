"""A small image that is really released: what comes before `attest` stands in, and everything from there on is real.

As a program, `python -m tests.release.small ROOT STORE VERSION [PLATFORM]`, it makes one release in its own process.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import anyio

from shipseal.errors import ShipsealError
from shipseal.local.sigstore import ISSUER, LocalSigstore
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests.conftest import PIPELINE_TOML, commit
from tests.release.projects import IDENTITY, SOURCE, Project
from tests.release.registries import Served

REPOSITORY = "acme/sample"
REVOKER = "https://code.invalid/acme/security"
STRANGER = "https://code.invalid/evil/sample"
WRITER = "https://code.invalid/acme/scanner"
"""May sign scans, and nothing else."""


def project(directory: Path, registry: Served, authority: LocalSigstore, store: Path) -> Project:
    """Make a project whose policy lets one identity sign everything, one revoke, and one sign scans."""
    root, home = directory / "sample", directory / "home"
    home.mkdir()
    for name in ("service", "tests", "policy"):
        (root / name).mkdir(parents=True)
    for lock in ("requirements", "requirements-build", "requirements-test"):
        (root / "service" / f"{lock}.lock").write_text("")
    config = PIPELINE_TOML.replace("registry.example", registry.host) + f'source = "{SOURCE}"\n'
    config += '[registry]\nplain-http = true\n[sign]\nsigning-config = "signing.json"\ntrusted-root = "root.json"\n'
    (root / "pipeline.toml").write_text(config)
    (root / "signing.json").write_text(json.dumps(authority.signing_config()))
    for name in ("root.json", "policy/root.json"):
        (root / name).write_text(json.dumps(authority.trusted_root()))
    require = (HOME / "policy" / "verification.toml").read_text().partition("[policies.production]")[0]
    rules = f'trust-root = "file"\ntrust-root-file = "root.json"\nslsa-build-level = 1\nsource = "{SOURCE}"\n'
    signers = "".join(
        f'[[policies.production.signers]]\nidentity = "{who}"\nissuer = "{ISSUER}"\n{statements}'
        for who, statements in (
            (IDENTITY, ""),
            (REVOKER, 'statements = ["revocation"]\n'),
            (WRITER, 'statements = ["vulns"]\n'),
        )
    )
    (root / "policy" / "verification.toml").write_text(f"{require}[policies.production]\n{rules}{signers}")
    commit(root)
    return Project(root, registry, authority, home, store)


def release(project: Project, version: str, *platforms: str) -> "subprocess.CompletedProcess[str]":
    """Release an image of a version that no byte of another version is in, and return how that ended."""
    shutil.rmtree(project.run_dir, ignore_errors=True)  # what stands in does not depend on the version by its inputs
    return subprocess.run(
        [sys.executable, "-m", "tests.release.small", project.root, project.store, version, *platforms],
        cwd=HOME,
        env={**os.environ, "PYTHONPATH": str(HOME), **project.variables()},
        capture_output=True,
        text=True,
        check=False,
    )


def publish(project: Project, version: str, *platforms: str) -> str:
    """Release an image, and return its reference."""
    done = release(project, version, *platforms)
    assert done.returncode == 0, done.stderr
    return str(project.read("publish/receipt.json")["reference"])


def main(root: str, store: str, version: str, *platforms: str) -> int:
    """Release once; return the exit code."""
    from tests import upstream  # noqa: PLC0415 - what comes next changes it, in this process alone
    from tests.release import machine  # noqa: PLC0415 - the same

    upstream.PLATFORMS = platforms or machine.PLATFORMS
    upstream.VERSION = version
    try:
        anyio.run(machine.release, Path(root), Store(Path(store)))
    except ShipsealError as failure:
        sys.stderr.write(failure.explain())
        return failure.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
