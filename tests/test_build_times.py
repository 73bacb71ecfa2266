"""Whoever waits for a build is told about how long, and nothing depends on it."""

from pathlib import Path

import pytest

from shipseal.locked.build_times import SHIPPED, Times, about
from shipseal.locked.inputs import TOOLS, Inputs
from shipseal.locked.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / SHIPPED).write_text("syft = 240\ngrype = 60\n")
    return tmp_path


def test_what_comes_with_the_lock_knows_every_tool(store: Store) -> None:
    names = [tool.name for tool in Inputs.of_tools().tools]
    assert set(names) == set(Times.read(TOOLS, store, names).seconds)


def test_this_machines_own_time_goes_before(store: Store, sources: Path) -> None:
    Times.read(sources, store, ["syft"]).note(store, "syft", 100)
    assert Times.read(sources, store, ["syft", "grype", "other"]).seconds == {"syft": 100, "grype": 60}


def test_a_build_that_found_most_of_it_compiled_is_no_measure(store: Store, sources: Path) -> None:
    Times.read(sources, store, ["syft"]).note(store, "syft", 20)
    assert Times.read(sources, store, ["syft"]).seconds == {"syft": 240}


@pytest.mark.parametrize("text", ["", "nan", "-3", "1e99", "soon", "9" * 1000])
def test_what_is_no_time_is_passed_over(store: Store, sources: Path, text: str) -> None:
    (store.root / "build-seconds").mkdir()
    (store.root / "build-seconds" / "syft").write_text(text)
    (sources / SHIPPED).write_text("grype = nan\nother = 'x'\nsyft = 240\n")
    assert Times.read(sources, store, ["syft", "grype", "other"]).seconds in ({"syft": 240}, {"syft": 1})


def test_what_is_left_is_told_of_all_or_of_none(store: Store, sources: Path) -> None:
    times = Times.read(sources, store, ["syft", "grype"])
    assert times.left(["syft", "grype"]) == "about 5 min"
    assert times.left(["syft"], spent=150) == "about 90 s"
    assert times.left(["syft"], spent=300) == "soon"
    assert times.left(["syft", "grype"], at_once=2) == "about 2 min"
    assert times.left(["syft", "other"]) == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "5 s"), (33, "35 s"), (119, "120 s"), (121, "2 min"), (499, "8 min")]
)
def test_times_are_told_roughly(seconds: float, words: str) -> None:
    assert about(seconds) == f"about {words}"
