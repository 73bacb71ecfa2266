"""The wheel is a whole pipeline: it is built, installed where no checkout is, and dry runs what others made."""

import subprocess
import sys
from pathlib import Path

import pytest

from shipseal.project.config import HOME
from tests.commands import NOW, Ended, clone
from tests.installing import install

pytestmark = pytest.mark.timeout(300)

PATH = "/usr/bin:/bin"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the command of an installed wheel, with the packages that it needs, and none of them from a checkout."""
    return install(tmp_path_factory.mktemp("wheel"))


def run(command: Path, *words: str | Path, cwd: Path) -> Ended:
    """Run it as people do who have installed it."""
    env = {"PATH": f"{command.parent}:{PATH}", "HOME": str(Path.home())}
    done = subprocess.run(
        [command.name, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=240, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def files(command: Path) -> set[str]:
    return {str(path) for path in command.parents[1].rglob("*")}


def test_a_project_of_others_is_dry_run_and_verified(installed: Path, tmp_path: Path) -> None:
    """And nothing is written to where it is installed."""
    project, before = clone("greetings", tmp_path / "greetings"), files(installed)
    ended = run(installed, "dry-run", "--as-of", NOW.isoformat(), cwd=project)
    assert ended.code == 0, ended.output
    root = project / ".run" / "attest" / "trusted_root.json"
    policy, layout = project / "rules" / "verification.toml", project / ".run" / "attest" / "layout"
    verified = run(
        installed, "verify", layout, "--policy", policy, "--as", "dry-run", "--trusted-root", root, cwd=tmp_path
    )
    assert verified.code == 0, verified.output
    assert "accepted by sigstore-python and Cosign" in verified.stdout
    assert files(installed) == before


def test_its_locks_and_prices_come_with_it(installed: Path, tmp_path: Path) -> None:
    project = clone("greetings", tmp_path / "greetings")
    found = {
        line.split()[0]: line for line in run(installed, "doctor", cwd=project).stdout.splitlines() if line[0] != " "
    }
    assert " as locked" in found["packages"]
    assert found["inputs"].split()[1] == "ok"
    assert "production" in run(installed, "cost", cwd=tmp_path).stdout


def test_what_it_says_to_type_works_there(installed: Path, tmp_path: Path) -> None:
    ended = run(installed, "update-locks", "tools", cwd=clone("greetings", tmp_path / "greetings"))
    assert ended.code == 2
    assert "it comes with the pipeline: a newer one has newer ones" in ended.stderr
    assert "python -m" not in run(installed, "store", "fetch", "--help", cwd=tmp_path).output
    missing = run(installed, "stage", "sbom", "--store", tmp_path / "empty", cwd=tmp_path / "greetings")
    assert "`shipseal " in missing.stderr


def test_it_says_its_version_and_its_commit(installed: Path, tmp_path: Path) -> None:
    words = run(installed, "--version", cwd=tmp_path).stdout.split(maxsplit=2)
    assert words == ["shipseal", "0.1.0", "(no commit)\n"]  # it was built of files, not of a repository


def test_a_checkout_says_its_commit(capsys: pytest.CaptureFixture[str]) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HOME, check=True, capture_output=True, text=True).stdout
    done = subprocess.run(
        [sys.executable, "-P", "-m", "shipseal", "--version"], cwd=HOME, check=True, capture_output=True, text=True
    )
    assert done.stdout == f"shipseal 0.1.0 ({head[:12]}, a checkout)\n"
