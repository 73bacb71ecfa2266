"""Read a wheel in place: what is in it, where that goes in an image, and each file's bytes when somebody wants them.

Format: PyPA, "Binary distribution format". A file's bytes are held against the wheel's RECORD while they are read, so
that whatever is read to its end is what its maker recorded, and nothing is read for the sake of that alone.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZipFile

import installer
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import RecordEntry, parse_record_file
from installer.sources import WheelContentElement, WheelFile

from shipseal.formats.wheel_archive import DAMAGE, WheelMember, archive, invalid
from shipseal.image.tree import Component, File, Tree

# RECORD: "the hash algorithm must be sha256 or better"; a signature of RECORD has no hash in it.
_ALGORITHMS = frozenset({"", "sha256", "sha384", "sha512"})
_LARGEST_INFORMATION = 64 << 20  # bytes of what is read into memory as a whole


def add_wheel(tree: Tree, path: Path, component: Component) -> None:
    """Take in what PyPA's installer would install, but start scripts: an image starts one program.

    Raises:
        SubjectFailed: it is damaged, does not list the files of its own RECORD, or holds a path or link that leaves the
            image.
    """
    wheel = _InPlace(archive(path))
    try:
        wheel.read_dist_info("RECORD")  # so that one that cannot be read is told in words, and not as an exception
        wheel.validate_record(validate_contents=False)
        installer.install(wheel, _Destination(tree, component), additional_metadata={})
    except (InstallerError, *DAMAGE) as error:
        raise invalid(path, error) from error


class _InPlace(WheelFile):
    """A wheel whose contents are members, which nobody has opened, in place of streams."""

    def __init__(self, members: ZipFile) -> None:
        super().__init__(members)
        self._archive = members

    @property
    def dist_info_filenames(self) -> list[str]:
        """Leave out what start scripts are made from: none is made, and it may be no such file."""
        return [name for name in super().dist_info_filenames if name != "entry_points.txt"]

    def read_dist_info(self, filename: str) -> str:
        """Read a small file; raise `ValueError` for one that is not small."""
        name = f"{self.dist_info_dir}/{filename}"
        size = self._archive.getinfo(name).file_size
        if size > _LARGEST_INFORMATION:
            raise ValueError(f"{name} has {size} bytes")
        with WheelMember(self._archive, name, size, "").open() as stream:
            return stream.read().decode("utf-8")

    def get_contents(self) -> Iterator[WheelContentElement]:
        rows = {row[0]: row for row in parse_record_file(self.read_dist_info("RECORD").splitlines())}
        for item in self._archive.infolist():
            if not item.is_dir() and "__pycache__" not in item.filename.split("/")[:-1]:
                row = rows.get(item.filename, (item.filename, "", ""))
                if (algorithm := row[1].partition("=")[0]) not in _ALGORITHMS:
                    raise ValueError(f"RECORD has no hash of {row[0]} that counts, but one by {algorithm}")
                mode = item.external_attr >> 16
                executable = stat.S_ISREG(mode) and bool(mode & 0o111)
                member = WheelMember(self._archive, item.filename, item.file_size, row[1])
                yield row, cast(BinaryIO, member), executable


@dataclass
class _Destination(WheelDestination):
    """Where the installer puts files: libraries into the site directory, data below usr/local."""

    tree: Tree
    component: Component

    def write_file(
        self, scheme: str, path: str | os.PathLike[str], stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        name = os.fspath(path)
        if scheme in {"purelib", "platlib", "data"}:
            place = f"usr/local/{name}" if scheme == "data" else f"{self.tree.runtime.site}/{name}"
            self.tree.add(File(place, self.component, is_executable, content=cast(WheelMember, stream)))
        return RecordEntry(name, None, None)

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:  # noqa: ARG002 - theirs
        return RecordEntry(name, None, None)

    def finalize_installation(self, scheme: str, record_file_path: str, records: object) -> None:
        """Write no RECORD: what is in the image is known only when all is chosen."""
