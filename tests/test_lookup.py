"""What the locks say of an image is held against the database by the real Grype, and found as in the image itself."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError, ToolFailed
from shipseal.local import advisories
from shipseal.locked import locks
from shipseal.locked.debian import DebianPackage, Lock
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from shipseal.purl import Purl
from shipseal.scanning.advisory_changes import AdvisoryChange, AdvisoryChanges
from shipseal.scanning.findings import Severity
from shipseal.scanning.grype import Grype
from shipseal.scanning.inventory import inventory, with_sources
from shipseal.scanning.lookup import look_up
from shipseal.tools.toolbox import Toolbox

PLATFORMS = ("linux/amd64", "linux/arm64")
LOCK = Lock.parse((HOME / "image" / "debian.lock.toml").read_text())
WHEELS = (HOME / "service" / "requirements.lock").read_text()

Compare = Callable[..., AdvisoryChanges]


@pytest.fixture
def compare(tmp_path: Path, store: Store, locked: dict[str, Digest]) -> Compare:
    """Give a function that looks up a change of locks in the sample database."""

    advisories.build(advisories.read(HOME / "policy" / "sample-advisories.toml"), tmp_path / "sample.db")

    def compare(before: Lock, after: Lock, old: str = WHEELS, new: str = WHEELS) -> AdvisoryChanges:
        tools = Toolbox(store, locked, frozenset({"grype"}), Path(os.devnull))
        grype = Grype(tools, tmp_path / "database", tmp_path)

        async def work() -> AdvisoryChanges:
            identity = await grype.load(tmp_path / "sample.db", "a test")
            return await look_up(grype, identity, packages(before, old), packages(after, new))

        return anyio.run(work)

    return compare


def packages(lock: Lock, wheels: str) -> dict[str, tuple[Purl, ...]]:
    return {each: inventory(lock, locks.requirements(wheels, "a.lock"), each) for each in PLATFORMS}


def at(version: str, name: str, *, source: bool = True) -> Lock:
    """Return the runtime's lock with one package of another version, and of a source that it says or does not."""

    def moved(package: DebianPackage) -> DebianPackage:
        return replace(package, version=version, source=package.source if source else "")

    return replace(LOCK, packages=tuple(moved(each) if each.name == name else each for each in LOCK.packages))


def test_the_locks_have_the_advisories_that_scan_finds_in_the_image(compare: Compare) -> None:
    """The number is the one of `tests/stages/test_scan.py`, for the same packages and the same database."""
    assert compare(LOCK, LOCK) == AdvisoryChanges(closed=(), opened=(), stay=3)


def test_a_binary_package_is_found_by_the_advisories_of_its_source(compare: Compare) -> None:
    """Both platforms are one line."""
    found = compare(at("2.5.0-1+deb12u2", "libexpat1"), at("2.5.0-1+deb12u4", "libexpat1"))
    assert found.closed == (
        AdvisoryChange(
            Severity.HIGH, "CVE-2025-59375", "2.5.0-1+deb12u2", "2.5.0-1+deb12u4", ("libexpat1",), PLATFORMS
        ),
    )
    assert (found.opened, found.stay) == ((), 3)


def test_without_its_source_it_is_missed_and_the_other_lock_is_asked_for_it(compare: Compare) -> None:
    old = at("2.5.0-1", "libexpat1", source=False)
    assert compare(old, LOCK).closed == ()
    assert {turn.id for turn in compare(with_sources(old, LOCK), LOCK).closed} == {"CVE-2023-52425", "CVE-2025-59375"}


def test_the_version_of_the_source_counts_where_it_is_another(compare: Compare) -> None:
    """A rebuild has a version of its own, `+b1`, that advisories do not speak of."""
    rebuilt = replace(LOCK, packages=tuple(map(_rebuilt, LOCK.packages)))
    assert {turn.id for turn in compare(LOCK, rebuilt).opened} == {"CVE-2025-59375"}


def _rebuilt(package: DebianPackage) -> DebianPackage:
    source = "expat (2.5.0-1+deb12u2)" if package.name == "libexpat1" else package.source
    return replace(package, source=source)


def test_a_downgrade_opens_what_the_newer_version_had_closed(compare: Compare) -> None:
    """Two advisories of one wheel are two lines."""
    found = compare(LOCK, LOCK, new=WHEELS.replace("waitress==3.0.2", "waitress==3.0.0"))
    ways = [(turn.id, turn.old, turn.new, turn.packages) for turn in found.opened]
    assert ways == [
        ("GHSA-9298-4cf8-g4wj", "3.0.2", "3.0.0", ("waitress",)),
        ("GHSA-3f84-rpwh-47g6", "3.0.2", "3.0.0", ("waitress",)),
    ]


def test_a_package_that_is_gone_takes_its_advisories_along(compare: Compare) -> None:
    without = replace(LOCK, packages=tuple(each for each in LOCK.packages if each.name != "zlib1g"))
    found = compare(LOCK, without)
    assert [(turn.id, turn.new) for turn in found.closed] == [("CVE-2026-27171", "")]
    assert found.stay == 2


def test_packages_of_one_source_that_go_the_same_way_are_one_line(compare: Compare) -> None:
    names = ("libpython3.11-minimal", "libpython3.11-stdlib", "python3.11-minimal")
    new = next(package.version for package in LOCK.packages if package.name == names[0])
    old = replace(
        LOCK,
        packages=tuple(
            replace(each, version="3.11.2-6+deb12u6") if each.name in names else each for each in LOCK.packages
        ),
    )
    assert compare(old, LOCK).closed == (
        AdvisoryChange(Severity.HIGH, "CVE-2025-8194", "3.11.2-6+deb12u6", new, names, PLATFORMS),
    )


def test_an_advisory_of_one_platform_alone_is_told_with_it(compare: Compare) -> None:
    older = replace(
        LOCK,
        packages=tuple(
            replace(each, version="2.5.0-1+deb12u2")
            if (each.name, each.architecture) == ("libexpat1", "arm64")
            else each
            for each in LOCK.packages
        ),
    )
    assert [(turn.id, turn.platforms) for turn in compare(older, LOCK).closed] == [("CVE-2025-59375", ("linux/arm64",))]


def test_a_database_without_advisories_is_refused_and_not_taken_for_nothing_to_close(
    compare: Compare, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "sample.db") as connection:
        connection.execute("DELETE FROM affected_package_handles")
    connection.close()
    with pytest.raises(ToolFailed) as refused:
        compare(LOCK, LOCK)
    assert "not found: GHSA-9298-4cf8-g4wj in pkg:pypi/waitress@3.0.0" in refused.value.why


def test_a_suite_that_no_advisory_goes_by_is_refused() -> None:
    """Grype would find nothing, and call that a success."""
    with pytest.raises(ConfigError, match="which release of Debian sid is"):
        inventory(replace(LOCK, suite="sid"), (), "linux/amd64")


def test_packages_that_are_there_for_tests_alone_are_none_of_the_image() -> None:
    """The lock has them; the image takes the base, and what `extra-packages` names."""
    names = {each.name for each in inventory(LOCK, (), "linux/amd64")}
    more = {each.name for each in inventory(LOCK, (), "linux/amd64", ["libgcc-s1"])}
    assert (names, more - names) == (set(LOCK.base), {"libgcc-s1"})
