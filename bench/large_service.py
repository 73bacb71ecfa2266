"""Measure a dry run of a service with 500 MB of wheels, stage by stage: `python -m bench.large_service`.

What a stage after `image` does with so many bytes should cost seconds: they are read once, and lie on disk once where
file systems have hard links. The wheel's content is random, as what somebody else has compressed is to a compressor.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.dry_run import rows, table
from shipseal.digest import Digest
from shipseal.locked.store import Store, default_root
from tests import archives
from tests.commands import SAMPLES, arguments
from tests.conftest import commit

MB = 1_000_000
_FILES, _EACH = 50, 10 * MB


def contents() -> Iterator[tuple[str, bytes]]:
    """Yield the wheel's files, the same ones every time."""
    chance = random.Random(0)
    yield "heavy/__init__.py", b""
    for number in range(_FILES):
        yield f"heavy/{number}.bin", chance.randbytes(_EACH)


def project(root: Path, wheel: Path) -> Path:
    """Make a repository of a sample service that needs the wheel, and has all of it in its image."""
    shutil.copytree(SAMPLES / "greetings", root)
    lock, settings, module = root / "locks/run.lock", root / "pipeline.toml", root / "app/greetings/__init__.py"
    lock.write_text(f"{lock.read_text()}heavy==1.0 \\\n    --hash=sha256:{Digest.of_file(wheel).hex}\n")
    settings.write_text(settings.read_text().replace("package-data = [", 'package-data = ["heavy/*.bin", '))
    module.write_text(f"{module.read_text()}\nimport heavy as heavy\n")
    commit(root)
    return root


def disk(directory: Path) -> tuple[int, int]:
    """Return how many bytes the files of a directory have, and how many they take: what is linked counts once."""
    found = [path.lstat() for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(each.st_size for each in found), sum({each.st_ino: each.st_size for each in found}.values())


def main() -> None:
    """Run it twice, with nothing kept and then with everything that can be, and print the tables."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        work = Path(scratch)
        wheel = archives.wheel(work, "heavy", dict(contents()))
        shutil.copytree(default_root(os.environ), work / "store", copy_function=os.link)
        Store(work / "store").add(wheel, Digest.of_file(wheel))
        root = project(work / "project", wheel)
        for title in ("nothing kept", "the same again"):
            began = time.monotonic()
            command = arguments("dry-run", "--store", work / "store")
            subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL, stderr=sys.stderr)
            whole = time.monotonic() - began
            print(f"# {wheel.stat().st_size / MB:.0f} MB of wheels: {title}\n")
            print(*table(rows(root / ".run"), whole), "", sep="\n")
        every, taken = disk(root / ".run")
        _, image = disk(root / ".run" / "image")
        print(
            f"the run directory: {every / MB:.0f} MB in files, {taken / MB:.0f} MB on disk; image: {image / MB:.0f} MB"
        )


if __name__ == "__main__":
    main()
