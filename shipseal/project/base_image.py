"""Read the base image of the pipeline's own containers: `base-image` in pyproject.toml, where Dagger reads it too.

It has to stand there as text, so that is where it stands, and nowhere else.
"""

import tomllib
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"  # in a checkout: Dagger's SDK installs one as it is


def base_image() -> str:
    """Return its reference, `NAME:TAG@sha256:HEX`."""
    return str(tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["tool"]["dagger"]["base-image"])
