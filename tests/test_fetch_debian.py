"""Fetching locked Debian packages with the real apt, and from a mirror, both on loopback."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, VerificationFailed
from shipseal.locked.debian import DebianPackage
from shipseal.locked.fetch_debian import fetch_packages
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests.origins import apt_settings, make_deb, make_repository, served, toolbox

pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="this machine has no apt")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[tuple[str, list[DebianPackage]]]:
    """Serve a repository with an epoch, a plus sign and two architectures in it; give its address and its packages."""
    root = tmp_path / "repository"
    packages = [
        make_deb(root, "zlib1g", "1:1.2.13+dfsg-1"),
        make_deb(root, "zlib1g", "1:1.2.13+dfsg-1", "arm64"),
        make_deb(root, "base-files", "12.4", "all"),
    ]
    make_repository(root, packages)
    with served(root) as address:
        yield address, packages


def fetch(tmp_path: Path, packages: list[DebianPackage], apt: str, mirror: str = "") -> tuple[Store, list[str]]:
    """Fetch packages; return the store and what was said."""
    store, said = Store(tmp_path / "store"), list[str]()
    tools = toolbox(store, tmp_path / "log.txt", apt_settings(apt, tmp_path))
    anyio.run(fetch_packages, tools, store, packages, {"DEBIAN_MIRROR": mirror}, said.append)
    return store, said


def test_apt_brings_packages_of_every_architecture(tmp_path: Path, repository: tuple[str, list[DebianPackage]]) -> None:
    """They lie in the store under the names that the pool has for them."""
    address, packages = repository
    store, said = fetch(tmp_path, packages, address)
    assert sorted(entry.path.name for entry in store.entries()) == [
        "base-files_12.4_all.deb",
        "zlib1g_1.2.13+dfsg-1_amd64.deb",
        "zlib1g_1.2.13+dfsg-1_arm64.deb",
    ]
    assert said == ["asking apt for 3 Debian packages"]


def test_how_much_of_them_has_come_is_counted_while_apt_works(
    tmp_path: Path, repository: tuple[str, list[DebianPackage]]
) -> None:
    """From nothing to all of what the lock says that they have, and never more."""
    address, packages = repository
    store, counts = Store(tmp_path / "store"), list[tuple[int, int]]()
    tools = toolbox(store, tmp_path / "log.txt", apt_settings(address, tmp_path))

    async def run() -> None:
        await fetch_packages(tools, store, packages, {}, lambda _: None, lambda _, *two: counts.append(two))

    anyio.run(run)
    whole = sum(each.size for each in packages)
    assert (counts[0], counts[-1]) == ((0, whole), (whole, whole))
    assert counts == sorted(counts)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_apt_needs_no_rights(repository: tuple[str, list[DebianPackage]]) -> None:
    """Nobody at all can fetch: no package is installed, and nothing of the system's is written."""
    address, packages = repository
    body = (
        # All that is imported, while root may.
        "import os, sys, anyio, anyio._backends._asyncio, anyio._core._subprocesses, encodings.idna\n"
        "from pathlib import Path\n"
        "from tests.test_fetch_debian import fetch\n"
        "from shipseal.locked.debian import DebianPackage\n"
        "from shipseal.digest import Digest\n"
        "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\nos.environ['HOME'] = sys.argv[1]\n"
        f"store, _ = fetch(Path(sys.argv[1]), {packages!r}, sys.argv[2])\nprint(len(list(store.entries())))\n"
    )
    with tempfile.TemporaryDirectory() as home:  # pytest's own are closed to others
        os.chown(home, 65534, 65534)
        command = [sys.executable, "-c", body, home, address]
        done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_a_version_that_apt_no_longer_has_comes_from_the_mirror(
    tmp_path: Path, repository: tuple[str, list[DebianPackage]]
) -> None:
    """A point release has replaced one package: apt brings the others, the mirror that one."""
    address, packages = repository
    make_repository(tmp_path / "repository", packages[1:])
    store, said = fetch(tmp_path, packages, address, mirror=address)
    assert {entry.digest for entry in store.entries()} == {package.digest for package in packages}
    assert said == ["asking apt for 3 Debian packages", "asking DEBIAN_MIRROR for 1 Debian packages"]


def test_what_is_found_nowhere_is_named_with_what_each_origin_said(
    tmp_path: Path, repository: tuple[str, list[DebianPackage]]
) -> None:
    """What was found is kept all the same."""
    address, packages = repository
    gone = replace(packages[0], name="gone", version="9", path="debian/pool/gone.deb", digest=Digest.of(b"gone"))
    with pytest.raises(RemoteFailed, match="1 Debian packages were found nowhere: gone") as raised:
        fetch(tmp_path, [gone, *packages[1:]], address)
    why = "\n".join(raised.value.why)
    assert "apt: E: Unable to locate package gone" in why
    assert "DEBIAN_MIRROR: not set" in why
    assert "DEBIAN_MIRROR" in raised.value.remedy
    assert len(list(Store(tmp_path / "store").entries())) == 2


def test_a_mirror_with_other_bytes_is_not_believed(tmp_path: Path, repository: tuple[str, list[DebianPackage]]) -> None:
    """Only the sha256 of the lock counts."""
    address, packages = repository
    wanted = replace(packages[2], name="absent-from-apt", digest=Digest.of(b"other bytes"))
    with pytest.raises(VerificationFailed, match=r"base-files_12\.4_all\.deb is not what the lock names"):
        fetch(tmp_path, [wanted], address, mirror=address)
    assert list(Store(tmp_path / "store").entries()) == []


@pytest.mark.parametrize(
    ("mirror", "said"), [("http://127.0.0.1:1", "Connection refused"), ("file:///etc", "not an address")]
)
def test_a_mirror_that_does_not_answer_is_named(
    tmp_path: Path, repository: tuple[str, list[DebianPackage]], mirror: str, said: str
) -> None:
    """And a mirror is reached by http or https only."""
    wanted = replace(repository[1][2], name="absent-from-apt")
    with pytest.raises(RemoteFailed) as raised:
        fetch(tmp_path, [wanted], repository[0], mirror)
    assert said in "\n".join(raised.value.why)
