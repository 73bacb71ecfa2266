"""A project that means harm ends refused, trick after trick, and changes nothing outside its run directory."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from shipseal.digest import Digest
from tests.commands import Ended, pipeline
from tests.conftest import OFFLINE
from tests.hostile import SLEEPS, TRICKS, Trick, arm

pytestmark = pytest.mark.timeout(600)


class Surroundings:
    """What a project could change: its own files, its user's home, a directory beside them, and this machine."""

    def __init__(self, tmp_path: Path) -> None:
        """Arm the project, and remember everything around it."""
        self.root, self.home, self.target = tmp_path / "hostile", tmp_path / "home", tmp_path / "target"
        for each in (self.home, self.target):
            each.mkdir()
            (each / "mine").write_text("as it was")
        arm(self.root, self.target)
        self.target_before = Digest.of_tree(self.target)

    def run(self, store: Path) -> Ended:
        """Take it through a dry run, from where it lies, as somebody with a home of their own."""
        environment = {"HOME": str(self.home), "HOSTILE_TARGET": str(self.target)}
        words = ("dry-run", "--store", store)
        return pipeline(*words, cwd=self.root, prefix=OFFLINE, env=environment, timeout=300)

    def betrayals(self) -> list[str]:
        """Return every trace of what should not have happened."""
        places = (self.home, self.target, Path("/etc"), Path("/usr"), Path("/var"))
        found = [str(path) for place in places for path in place.glob("betrayed*")]
        found += [] if Digest.of_tree(self.target) == self.target_before else [f"{self.target} has changed"]
        found += [] if (self.home / "mine").read_text() == "as it was" else [f"{self.home} has changed"]
        done = subprocess.run(["pgrep", "-f", f"sleep {SLEEPS}"], capture_output=True, check=False)
        return found + ([] if done.returncode else ["a daemon lives on"])


def files_of_the_project(root: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in root.rglob("*") if ".run" not in path.parts and ".git" not in path.parts)
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in found}


@pytest.mark.skipif(
    shutil.which("bwrap") is None or os.geteuid() != 0, reason="it needs bubblewrap, and root of Debian"
)
def test_every_trick_is_refused_and_none_comes_to_anything(tmp_path: Path, store_root: Path) -> None:
    around = Surroundings(tmp_path)
    for trick in TRICKS:
        before = files_of_the_project(around.root)
        ended = around.run(store_root)
        assert refused(ended, trick), ended.output
        assert ended.output.replace("\n", "").isprintable()
        assert "BETRAYED" not in ended.output
        assert [line for line in ended.output.splitlines() if line.lstrip().startswith("::")] == []
        assert files_of_the_project(around.root) == before
        assert around.betrayals() == []
        trick.undo(around.root)
    (wheel,) = (around.root / ".run" / "build" / "wheels" / "service").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if "settings" in name]


def refused(ended: Ended, trick: Trick) -> bool:
    """Say whether a run has ended as the trick should make it."""
    return ended.code == trick.code and trick.words in ended.output
