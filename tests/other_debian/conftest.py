"""The pipeline on a Python of Debian 13, whatever this machine's is: made of the packages that its lock names.

They are started by their own loader, from a directory. They come from a mirror, and the wheels for that Python from an
index: this needs a network.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shipseal.locked.debian import Lock
from shipseal.locked.fetch_debian import MIRROR
from shipseal.locked.store import Store
from shipseal.project.config import HOME, PACKAGE_LOCKS
from tests.commands import NOW, Ended, clone

BASE = "debian-13"
LOCK = Lock.parse(PACKAGE_LOCKS[BASE].read_text(encoding="utf-8"))
_LOADER = "usr/lib64/ld-linux-x86-64.so.2"
_PLATFORM = "linux/amd64"
_SECONDS = 240

Newer = Callable[..., Ended]


def _run(*words: str | Path, cwd: Path, **more: str) -> Ended:
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **more}, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def mirror() -> str:
    """Give the mirror that the user names, else that of this machine's apt, which has other suites too."""
    if MIRROR in os.environ:
        return os.environ[MIRROR]
    asked = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", cwd=HOME).stdout
    return next(each for each in asked.splitlines() if each.endswith("/debian/")).removesuffix("/debian/")


@pytest.fixture(scope="session")
def python(mirror: str, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a Python of Debian 13 that has what the pipeline's own requirements are."""
    scratch = tmp_path_factory.mktemp("debian-13")
    project = clone("greetings", scratch / "greetings")
    names = sorted({each.name for each in LOCK.packages} - set(LOCK.base))
    switch(project, f"extra-packages = {names}")
    fetched = _run(HOME / ".venv/bin/python", "-m", "shipseal", "store", "fetch", cwd=project, **{MIRROR: mirror})
    assert fetched.code == 0, fetched.output
    root = scratch / "root"
    for package in LOCK.select(_PLATFORM, names):
        _run("dpkg-deb", "-x", store.get(package.digest), root, cwd=scratch)
    started = root / "usr" / "bin" / "python3"
    started.write_text(
        f'#!/bin/sh\nexec {root / _LOADER} --library-path {root}/usr/lib/x86_64-linux-gnu --argv0 "$0" '
        f'{root / LOCK.runtime.interpreter} "$@"\n'
    )
    started.chmod(0o755)
    uv, venv = HOME / ".venv/bin/uv", scratch / "venv"
    install = ("pip", "install", "--quiet", "--python", venv, "--require-hashes", "-r", "requirements.lock")
    for words in (("venv", "--quiet", "--python", started, venv), install):
        made = _run(uv, *words, cwd=HOME)
        assert made.code == 0, made.output
    [site] = venv.glob("lib/*/site-packages")
    (site / "pipeline.pth").write_text(f"{HOME}\n")
    return venv / "bin" / "python"


@pytest.fixture(scope="session")
def newer(python: Path, mirror: str) -> Newer:
    """Give the pipeline's command line on that Python."""

    def run(*words: str | Path, cwd: Path) -> Ended:
        as_of = ("--as-of", NOW.isoformat()) if words[0] == "dry-run" else ()
        return _run(python, "-P", "-m", "shipseal", *words, *as_of, cwd=cwd, **{MIRROR: mirror})

    return run


def switch(project: Path, *more: str) -> None:
    """Write the one line that moves a project to Debian 13; and others."""
    file = project / "pipeline.toml"
    lines = "".join(f"{line}\n" for line in (f'base = "{BASE}"', *more))
    file.write_text(file.read_text(encoding="utf-8").replace("[image]\n", f"[image]\n{lines}"), encoding="utf-8")
