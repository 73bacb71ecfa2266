"""Copy layouts without copying their blobs, which never change: a blob is one file, by a name in each layout.

Whoever alters it alters it for all of them, and each of them says so: every stage holds it against its digest.
"""

import os
import shutil
from pathlib import Path


def copy_layouts(source: Path, target: Path) -> None:
    """Copy a directory of layouts (image-layout.md), or of a registry's, to where nothing is.

    Raises:
        OSError: something there cannot be read, or the target is there.
    """
    shutil.copytree(source, target, copy_function=_copy)


def one_file(source: str | Path, target: str | Path) -> None:
    """Give a file another name; where the file system cannot (link(2): EXDEV, EPERM, EMLINK), copy it."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(source, target)


def _copy(source: str, target: str) -> None:
    """Share what is named by its digest, and copy what is written again: `index.json` above all."""
    if Path(source).parts[-3:-1] == ("blobs", "sha256"):
        one_file(source, target)
    else:
        shutil.copy2(source, target)
