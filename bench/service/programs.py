"""Find or build what the benchmark needs; say clearly what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class MissingError(Exception):
    """A program that the benchmark needs is not there; the message says how to get it."""


def program(name: str, remedy: str) -> str:
    """Return the path of a program.

    Raises:
        MissingError: it is not on PATH.
    """
    found = shutil.which(name) or shutil.which(name, path=f"{sys.prefix}/bin:/usr/local/go/bin:/usr/sbin")
    if found is None:
        raise MissingError(f"{name} is missing: {remedy}")
    return found


def build_go(folder: str, package: str, target: Path) -> Path:
    """Build a Go program from a pinned module graph in this directory, statically; return its path.

    Raises:
        MissingError: there is no Go, or it does not build (the reason is in the message).
    """
    go = program("go", "install Go 1.24 or later")
    command = [go, "build", "-trimpath", "-o", str(target), package]
    built = subprocess.run(
        command, cwd=HERE / folder, env={**os.environ, "CGO_ENABLED": "0"}, capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise MissingError(f"{folder} does not build: {built.stderr.strip()[-500:]}")
    return target
