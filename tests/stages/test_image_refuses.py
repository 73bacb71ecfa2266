"""What must not be in an image is refused by name, with what to do, and nothing of an image is left."""

import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.documents.inputs import InputWheel
from shipseal.errors import ShipsealError, exit_code, flatten
from shipseal.locked.debian import Lock
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from shipseal.runtime import BOOKWORM
from tests import archives
from tests.archives import file, special
from tests.elfs import library
from tests.stages.services import FILES, Service

SITE = BOOKWORM.site

COPYRIGHT = file("./usr/share/doc/sample/copyright", b"public domain\n")
Member = tuple[tarfile.TarInfo, bytes]


@dataclass(frozen=True)
class Bad:
    """One thing that is wrong.

    Args:
        named: what the message says, with the name of the offender in it.
        package: files of a Debian package `sample` that the service asks for.
        wheel: files of a locked wheel `other`.
        links: symbolic links in that wheel.
        files: files of the service's own wheel.
        tag: what the service's wheel says that it fits.
        settings: lines of the section `image` of pipeline.toml.
        code: how the command ends.
        licensed: whether the Debian package has a copyright file.
        remedy: what the message says is to be done.
    """

    named: str
    package: tuple[Member, ...] = ()
    wheel: Mapping[str, bytes | str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=lambda: FILES)
    tag: str = "py3-none-any"
    settings: str = ""
    code: int = 7
    licensed: bool = True
    remedy: str = ""


BAD = {
    "a wheel with .. in a path": Bad("'../outside.py'", wheel={"../outside.py": ""}),
    "a wheel with .. deeper in a path": Bad("'a/../../outside.py'", wheel={"a/../../outside.py": ""}),
    "a wheel with an absolute path": Bad("'/etc/cron.d/job'", wheel={"/etc/cron.d/job": ""}),
    "a wheel with an absolute link": Bad(
        "other-1.0-py3-none-any.whl holds a symbolic link, other/link", links={"other/link": "/etc/passwd"}
    ),
    "a package with a link into the running machine": Bad(
        "sample_1_amd64.deb brings an absolute link, usr/lib/link to /proc/self/root",
        (special("./usr/lib/link", tarfile.SYMTYPE, "/proc/self/root"),),
    ),
    "a package with an absolute link that climbs": Bad(
        "sample_1_amd64.deb brings an absolute link, usr/lib/link to /usr/../../etc/passwd",
        (special("./usr/lib/link", tarfile.SYMTYPE, "/usr/../../etc/passwd"),),
    ),
    "a package with a link to everything": Bad(
        "sample_1_amd64.deb brings an absolute link, usr/lib/link to /",
        (special("./usr/lib/link", tarfile.SYMTYPE, "/"),),
    ),
    "a package with a relative link that climbs": Bad(
        "usr/lib/link links to ../../../etc/passwd, which leaves the image",
        (special("./usr/lib/link", tarfile.SYMTYPE, "../../../etc/passwd"),),
    ),
    "a path of a locked wheel and of the service": Bad(
        f"sample brings {SITE}/sample/server.py\nother brings it too", wheel={"sample/server.py": ""}
    ),
    "a path of a package and of a locked wheel": Bad(
        f"other brings {SITE}/other.py\nsample brings it too", (file(f"./{SITE}/other.py"),), wheel={"other.py": ""}
    ),
    "a path of two packages": Bad(
        "sample brings usr/bin/python3.11\npython3.11-minimal brings it too", (file("./usr/bin/python3.11"),)
    ),
    "two paths that differ in case only": Bad(
        "usr/share/sample/NAME and usr/share/sample/name differ in case only",
        (file("./usr/share/sample/NAME"), file("./usr/share/sample/name")),
    ),
    "paths of two layers that differ in case only": Bad(
        f"{SITE}/sample/SERVER.pyc and {SITE}/sample/server.pyc differ in case only",
        (file(f"./{SITE}/sample/SERVER.pyc"),),
    ),
    "directories of two layers that differ in case only": Bad(
        f"{SITE}/Sample and {SITE}/sample differ in case only", (file(f"./{SITE}/Sample/words"),)
    ),
    "a device": Bad("sample_1_amd64.deb brings a device, ./dev/null", (special("./dev/null", tarfile.CHRTYPE),)),
    "a disk": Bad("sample_1_amd64.deb brings a device, ./dev/sda", (special("./dev/sda", tarfile.BLKTYPE),)),
    "a pipe": Bad("sample_1_amd64.deb brings a pipe, ./run/pipe", (special("./run/pipe", tarfile.FIFOTYPE),)),
    "a wheel of the service for another platform": Bad(
        "sample-1.0-cp311-cp311-manylinux_2_17_aarch64.whl does not fit linux/amd64",
        tag="cp311-cp311-manylinux_2_17_aarch64",
    ),
    "a wheel with a module for another platform": Bad(
        f"{SITE}/other.abi3.so is for arm64 and the image is for amd64",
        wheel={"other.abi3.so": library(machine=183)},
        files={**FILES, "sample/server.py": "import other"},
    ),
    "a package without its licence": Bad("sample has no copyright file", (file("./usr/bin/sample"),), licensed=False),
    "a package whose licence is in another one": Bad(
        "sample has no copyright file",
        (file("./usr/bin/sample"), special("./usr/share/doc/sample", tarfile.SYMTYPE, "other")),
        licensed=False,
        remedy='add "other" to image.extra-packages',
    ),
    "a pattern for data that fits nothing": Bad(
        "image.package-data asks for what no wheel has: sample/wrods/*.json\n"
        "most like sample/wrods/*.json: sample/words/a.json, ",
        files={**FILES, "sample/words/a.json": "{}"},
        settings='package-data = ["sample/wrods/*.json", "sample/words/*.json"]',
        code=2,
    ),
    "a module that nobody has": Bad("there is no module sample.sevrer", settings='modules = ["sample.sevrer"]'),
}


@pytest.fixture
def own(store: Store, tmp_path: Path) -> Store:
    """Give a store that a test may add to, with the Debian packages of every image."""
    copy = Store(tmp_path / "store")
    for package in Lock.parse((HOME / "image" / "debian.lock.toml").read_text()).select("linux/amd64"):
        target = copy.root / "sha256" / package.digest.hex
        target.mkdir(parents=True)
        os.link(store.get(package.digest), target / str(store.filename(package.digest)))
    return copy


def lock(own: Store, made: Path, members: Sequence[Member]) -> str:
    """Put a package into the store; return the package lock with it."""
    path = made / "sample_1_amd64.deb"
    path.write_bytes(archives.deb(members))
    own.add(path, digest := Digest.of_file(path))
    entry = {"name": "sample", "version": "1", "architecture": "amd64", "sha256": digest.hex, "path": path.name}
    lines = [f'{key} = "{value}"' for key, value in entry.items()]
    before = (HOME / "image" / "debian.lock.toml").read_text()
    return "\n".join([before, "[[package]]", *lines, f"size = {path.stat().st_size}", ""])


def wheel(own: Store, made: Path, bad: Bad) -> InputWheel:
    """Put a wheel into the store; return it as inputs.json names it."""
    path = archives.wheel(made, "other", bad.wheel, links=bad.links)
    own.add(path, digest := Digest.of_file(path))
    return InputWheel(name="other", version="1.0", filename=path.name, digest=digest)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_it_is_refused_by_name_with_what_to_do_and_nothing_is_left(own: Store, tmp_path: Path, bad: Bad) -> None:
    settings, made, project = bad.settings, tmp_path / "made", tmp_path / "project"
    made.mkdir()
    project.mkdir()
    if bad.package:
        members = [*bad.package, *([COPYRIGHT] if bad.licensed else [])]
        (project / "packages.toml").write_text(lock(own, made, members))
        settings = 'packages = "packages.toml"\nextra-packages = ["sample"]'
    wheels = [wheel(own, made, bad)] if bad.wheel or bad.links else []
    service = Service(files=bad.files, settings={"image": settings}, tag=bad.tag, wheels=wheels)
    run = service.run(own, project)
    with pytest.raises((ShipsealError, ExceptionGroup)) as caught:
        anyio.run(service.image, run)
    (failure,) = flatten(caught.value)
    assert isinstance(failure, ShipsealError)
    assert (failure.stage, exit_code([failure])) == ("image", bad.code)
    assert bad.named in "\n".join([failure.what, *failure.why])
    assert failure.remedy
    assert bad.remedy in failure.remedy
    assert not (run.directory / "image").exists()
    assert not list(run.directory.glob("image*/layout")), "not even a part of it"
    assert not list(tmp_path.rglob("outside*"))
