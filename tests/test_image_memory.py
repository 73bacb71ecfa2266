"""The memory that an image takes to write does not grow with what is in it."""

import json
import subprocess
import sys
from pathlib import Path

MB = 1_000_000

# A process of its own makes the wheel: what a parent held counts as its child's peak.
_MAKE = """
import sys
from pathlib import Path
from tests import archives
archives.wheel(Path(sys.argv[1]), "heavy", {"heavy/data.bin": bytes(int(sys.argv[2]))})
"""
_WRITE = """
import json, resource, sys
from pathlib import Path
import anyio
from pipeline.image.blobs import Blobs
from pipeline.image.layer import Entry
from pipeline.image.tree import Component, Tree, unpack_wheel
root = Path(sys.argv[1])
tree = Tree(root / "tree")
(wheel,) = root.glob("*.whl")
unpack_wheel(tree, wheel, Component("pypi", "heavy", "1.0"))
entries = [Entry(path, tree.content(path)) for path in tree.files]
for layout in ("first", "second"):
    blobs = Blobs(root / layout)
    blobs.begin()
    if layout == "second":
        blobs.remember(root / "first", layers)
    (layers,) = anyio.run(blobs.layers, [{"wheels": entries}])
peaks = [resource.getrusage(whose).ru_maxrss * 1024 for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps(peaks))
"""


def peaks(directory: Path, size: int) -> list[int]:
    """Return the peak memory, in bytes, of a process that unpacks a wheel and writes it twice, and of its workers."""
    directory.mkdir()
    subprocess.run([sys.executable, "-c", _MAKE, directory, str(size)], check=True)
    answer = subprocess.run([sys.executable, "-c", _WRITE, directory], check=True, stdout=subprocess.PIPE)
    found: list[int] = json.loads(answer.stdout)
    return found


def test_a_large_wheel_is_never_held_in_memory_neither_written_nor_taken_over(tmp_path: Path) -> None:
    small, large = peaks(tmp_path / "small", 10 * MB), peaks(tmp_path / "large", 200 * MB)
    assert all(more - less < 20 * MB for less, more in zip(small, large, strict=True)), (small, large)
