"""The memory that an image takes to write does not grow with what is in it."""

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
import resource, sys
from pathlib import Path
import anyio
from shipseal.digest import Digest
from shipseal.oci.blobs import Blobs, is_sound
from shipseal.oci.layer import Entry
from shipseal.image.tree import Component, Tree
from shipseal.image.wheel import add_wheel
root = Path(sys.argv[1])
tree = Tree(root / "tree")
(wheel,) = root.glob("*.whl")
add_wheel(tree, wheel, Component("pypi", "heavy", "1.0"))
tree.unpack()
entries = [Entry(path, file.content) for path, file in tree.files.items()]
blobs, name = Blobs(root / "layout"), Digest.of(b"")
blobs.begin()
layers = anyio.run(blobs.write, {name: entries})
assert is_sound(layers[name], root / "layout")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak(directory: Path, size: int) -> int:
    """Return the peak memory, in bytes, of a process that unpacks a wheel, writes it, and looks at what it wrote."""
    directory.mkdir()
    subprocess.run([sys.executable, "-c", _MAKE, directory, str(size)], check=True)
    return int(subprocess.run([sys.executable, "-c", _WRITE, directory], check=True, stdout=subprocess.PIPE).stdout)


def test_a_large_wheel_is_never_held_in_memory_neither_unpacked_nor_written_nor_looked_at(tmp_path: Path) -> None:
    small, large = peak(tmp_path / "small", 10 * MB), peak(tmp_path / "large", 200 * MB)
    assert large - small < 20 * MB, (small, large)
