"""Which wheel stands for a locked requirement on a target."""

import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError
from shipseal.locked import wheels
from shipseal.locked.locks import Requirement

AMD64, ARM64 = wheels.image("linux/amd64"), wheels.image("linux/arm64")


def chosen(target: wheels.WheelTarget, *filenames: str) -> str | None:
    """Choose among files that the lock names, all of them at hand."""
    names = {Digest.of(name.encode()): name for name in filenames}
    wheel = wheels.choose(Requirement("cffi", "2.1.1", None, frozenset(names), "lock:1"), names, target)
    return wheel.filename if wheel else None


PURE = "cffi-2.1.1-py3-none-any.whl"
GLIBC = "cffi-2.1.1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"


def test_a_wheel_for_the_platform_is_better_than_one_for_any() -> None:
    """As pip ranks them."""
    assert chosen(AMD64, PURE, GLIBC) == GLIBC
    assert chosen(ARM64, PURE, GLIBC) == PURE


@pytest.mark.parametrize(
    "filename",
    [
        "cffi-2.1.1-cp311-cp311-manylinux_2_36_x86_64.whl",  # Debian 12's own glibc
        "cffi-2.1.1-cp311-cp311-manylinux1_x86_64.whl",
        "cffi-2.1.1-cp39-abi3-manylinux_2_28_x86_64.whl",  # the stable ABI, since an older Python
        "cffi-2.1.1-py2.py3-none-any.whl",
        "cffi-2.1.1-1-py3-none-any.whl",  # with a build tag
    ],
)
def test_what_debian_12_can_load_is_taken(filename: str) -> None:
    """PyPA, "Platform compatibility tags"."""
    assert chosen(AMD64, filename) == filename


@pytest.mark.parametrize(
    "filename",
    [
        "cffi-2.1.1-cp311-cp311-manylinux_2_37_x86_64.whl",  # a newer glibc
        "cffi-2.1.1-cp311-cp311-musllinux_1_2_x86_64.whl",
        "cffi-2.1.1-cp312-cp312-manylinux_2_17_x86_64.whl",
        "cffi-2.1.1-cp312-abi3-manylinux_2_17_x86_64.whl",
        "cffi-2.1.1-cp311-cp311-macosx_11_0_arm64.whl",
        "cffi-2.1.1-cp311-cp311-manylinux_2_17_aarch64.whl",
        "cffi-2.1.1.tar.gz",  # nothing is compiled from sources
    ],
)
def test_what_debian_12_cannot_load_is_not(filename: str) -> None:
    """A wheel for something else is no wheel."""
    assert chosen(AMD64, filename) is None


def test_a_file_that_the_lock_does_not_name_does_not_count() -> None:
    """Whatever else a shared store holds."""
    names = {Digest.of(b"unnamed"): PURE}
    requirement = Requirement("cffi", "2.1.1", None, frozenset({Digest.of(b"named")}), "lock:1")
    assert wheels.choose(requirement, names, AMD64) is None


def test_the_order_of_the_hashes_does_not_count() -> None:
    """Two wheels of the same rank: the same one is chosen every time."""
    first, second = "cffi-2.1.1-1-py3-none-any.whl", "cffi-2.1.1-2-py3-none-any.whl"
    assert chosen(AMD64, first, second) == chosen(AMD64, second, first)


@pytest.mark.parametrize("filename", ["other-2.1.1-py3-none-any.whl", "cffi-2.1.0-py3-none-any.whl"])
def test_a_hash_of_another_package_is_refused(filename: str) -> None:
    """A lock that was put together from two would install one package in the name of the other."""
    with pytest.raises(ConfigError, match=f"lock:1: a hash of cffi 2.1.1 belongs to {filename}"):
        chosen(AMD64, filename)


def test_versions_are_compared_as_versions() -> None:
    """PEP 440: a lock that says 2.1 means the wheel that says 2.1.0."""
    names = {Digest.of(b""): "cffi-2.1.0-py3-none-any.whl"}
    assert wheels.choose(Requirement("cffi", "2.1", None, frozenset(names), "lock:1"), names, AMD64) is not None


def test_markers_are_judged_for_the_image_and_not_for_this_machine() -> None:
    """Debian 12 runs Python 3.11 on Linux, whatever runs this."""
    assert AMD64.environment["python_version"] == "3.11"
    assert [AMD64.environment["platform_machine"], ARM64.environment["platform_machine"]] == ["x86_64", "aarch64"]
    assert AMD64.environment.keys() == wheels.running().environment.keys() - {"extra"}


def test_a_platform_without_images_is_refused() -> None:
    """The message names those that there are."""
    with pytest.raises(ConfigError, match="no image can be made for linux/s390x"):
        wheels.image("linux/s390x")
