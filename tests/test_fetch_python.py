"""Fetching locked wheels with the real pip from an index on loopback."""

from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, VerificationFailed
from shipseal.locked import wheels
from shipseal.locked.fetch_python import fetch_wheels
from shipseal.locked.locks import Requirement
from shipseal.locked.store import Store
from tests.origins import make_index, make_wheel, pip_settings, served, toolbox

ARM64 = "cp311-cp311-manylinux_2_17_aarch64"
AMD64 = "cp311-cp311-manylinux_2_28_x86_64"


def locked(*files: Path) -> Requirement:
    """Return the requirement that a lock would have for these files of one package."""
    name, version = files[0].name.split("-")[:2]
    return Requirement(name, version, None, frozenset(map(Digest.of_file, files)), "lock:1")


def fetch(tmp_path: Path, target: wheels.WheelTarget, requirements: list[Requirement], *files: Path) -> Store:
    """Fetch requirements from an index that has the files; return the store."""
    store = Store(tmp_path / "store")
    make_index(tmp_path / "index", *files)
    with served(tmp_path / "index") as address:
        tools = toolbox(store, tmp_path / "log.txt", pip_settings(address, tmp_path))
        anyio.run(fetch_wheels, tools, store, requirements, target)
    return store


@pytest.mark.parametrize(("platform", "tag"), [("linux/amd64", AMD64), ("linux/arm64", ARM64)])
def test_each_platform_of_an_image_gets_its_own_wheel(tmp_path: Path, platform: str, tag: str) -> None:
    """Whatever machine fetches, and though a wheel for any platform is there as well."""
    files = [make_wheel(tmp_path / "made", "sample", "1.0", each) for each in (AMD64, ARM64, "py3-none-any")]
    store = fetch(tmp_path, wheels.image(platform), [locked(*files)], *files)
    assert [entry.path.name for entry in store.entries()] == [f"sample-1.0-{tag}.whl"]


def test_a_wheel_for_the_stable_abi_is_found(tmp_path: Path) -> None:
    """Built against an older Python's limited interface, it serves every later one."""
    file = make_wheel(tmp_path / "made", "sample", "1.0", "cp39-abi3-manylinux_2_17_x86_64")
    store = fetch(tmp_path, wheels.image("linux/amd64"), [locked(file)], file)
    assert store.has(Digest.of_file(file))


def test_this_machine_gets_a_wheel_for_its_own_interpreter(tmp_path: Path) -> None:
    """Build and test requirements run here."""
    pure = make_wheel(tmp_path / "made", "sample", "1.0")
    store = fetch(tmp_path, wheels.running(), [locked(pure)], pure)
    assert store.get(Digest.of_file(pure)).name == pure.name


def test_a_file_that_differs_from_the_lock_is_refused(tmp_path: Path) -> None:
    """An index may be replaced or attacked: its bytes never reach the store."""
    pure = make_wheel(tmp_path / "made", "sample", "1.0")
    requirement = locked(pure)
    pure.write_bytes(pure.read_bytes() + b"\0")
    with pytest.raises(VerificationFailed, match="the index has other bytes than the lock names") as raised:
        fetch(tmp_path, wheels.image("linux/amd64"), [requirement], pure)
    assert "HASH" in " ".join(raised.value.why).upper()
    assert not (tmp_path / "store").exists()


def test_sources_are_never_compiled(tmp_path: Path) -> None:
    """A package that comes as sources only is refused, and the message says that a wheel is needed."""
    sdist = tmp_path / "sample-1.0.tar.gz"
    sdist.write_bytes(b"whatever setup.py would do here")
    with pytest.raises(RemoteFailed) as raised:
        fetch(tmp_path, wheels.image("linux/amd64"), [locked(sdist)], sdist)
    assert "nothing is compiled from sources" in raised.value.remedy
    assert "what is for another platform alone says so where it is asked for" in raised.value.remedy
    assert "sample==1.0" in " ".join(raised.value.why)
