"""A project that means harm, and what it lays out around itself: each trick, how it is refused, and how it is undone.

`tests/samples/hostile` has the files that any repository can hold; what only a working tree can hold is made here.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.commands import SAMPLES, commit

SLEEPS = "971313"  # seconds; nobody else's daemon sleeps as long


@dataclass(frozen=True)
class Trick:
    """One thing that the project tries.

    Args:
        code: the exit code that refuses it.
        words: words of the failure.
        undo: takes the trick away, so that the next one is met.
    """

    code: int
    words: str
    undo: Callable[[Path], None]


def arm(root: Path, target: Path) -> None:
    """Make the project, with every trick that its repository and its working tree can hold.

    Args:
        root: where it will be.
        target: a directory outside it that it would like to change.
    """
    shutil.copytree(SAMPLES / "hostile", root)
    with (root / "pipeline.toml").open("a") as file:
        file.write('\n[deploy."\\u001B]0;owned\\u0007\\u202E"]\n')
    _replace(root / "pipeline.toml", "[image]\n", '[image]\npackages = "debian.lock.toml"\n')
    _replace(root / "deploy" / "kustomization.yaml", "resources:\n", "resources:\n  - http://127.0.0.1:9/base.yaml\n")
    (root / ".gitignore").write_text("*_settings.py\n")
    (root / ".gitattributes").write_text("* filter=hostile\n")
    (root / "shipseal" / "steals").symlink_to(target)
    forged = root / ".run" / "build"
    forged.mkdir(parents=True)
    (forged / "record.json").write_text(json.dumps({"stage": "build", "headline": "owned"}))
    commit(root)
    shutil.rmtree(root / ".run")
    (root / ".run").symlink_to(target)
    (root / "shipseal" / "local_settings.py").write_text("PASSWORD = 'hunter2'\n")
    os.mkfifo(root / "shipseal" / "waits")
    for kind in ("clean", "smudge", "process"):
        _git(root, "config", f"filter.hostile.{kind}", f"touch {target}/betrayed-by-a-filter")
    _git(root, "config", "core.fsmonitor", f"touch {target}/betrayed-by-a-monitor")


def _git(root: Path, *arguments: str) -> None:
    """Run git, without what the project's own configuration would have it start."""
    tamed = ["-c", "core.fsmonitor=false", "-c", "filter.hostile.process=", "-c", "filter.hostile.clean="]
    subprocess.run(["git", "-C", str(root), *tamed, *arguments], check=True, capture_output=True)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def _without_the_key(root: Path) -> None:
    path = root / "pipeline.toml"
    path.write_text(path.read_text().partition('\n[deploy."')[0] + "\n")


def _without_the_link(root: Path) -> None:
    (root / ".run").unlink()


def _without_the_forgery(root: Path) -> None:
    _git(root, "update-index", "--force-remove", ".run/build/record.json")


def _without_the_lock(root: Path) -> None:
    _replace(root / "pipeline.toml", 'packages = "debian.lock.toml"\n', "")


def _without_the_pipe(root: Path) -> None:
    (root / "shipseal" / "waits").unlink()


def _without_the_way_out(root: Path) -> None:
    (root / "shipseal" / "steals").unlink()


def _without_the_address(root: Path) -> None:
    _replace(root / "deploy" / "kustomization.yaml", "  - http://127.0.0.1:9/base.yaml\n", "")


def _nothing(_: Path) -> None:
    """Leave the last one: the project never ends well."""


TRICKS = (
    Trick(2, "there is no such key", _without_the_key),
    Trick(2, ".run is a link", _without_the_link),
    Trick(2, ".run comes out of the repository", _without_the_forgery),
    Trick(2, "-oDir::Bin::Methods", _without_the_lock),
    Trick(7, "shipseal/waits is neither a file nor a link", _without_the_pipe),
    Trick(7, "shipseal/steals is a link to", _without_the_way_out),
    Trick(7, "http://127.0.0.1:9/base.yaml", _without_the_address),
    Trick(7, "privileged", _nothing),
)
"""In the order in which they are met; whatever else the project tries has to come to nothing on the way."""
