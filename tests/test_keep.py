"""What the image is about to hold is compared with the list that people have reviewed."""

import pytest

from shipseal.errors import ConfigError, SubjectFailed
from shipseal.image.closure import Module, Origin
from shipseal.image.keep import KeepList, check

KEPT = KeepList(frozenset({"os", "re"}), frozenset({"waitress"}), frozenset({"libc.so.6"}))


def refused(computed: KeepList, reviewed: KeepList) -> SubjectFailed:
    with pytest.raises(SubjectFailed) as caught:
        check(computed, reviewed, "image/keep.toml", {"re": "sample.server", "waitress": ""}, ".run/image/keep.toml")
    return caught.value


def test_a_list_reads_as_it_was_written() -> None:
    assert KeepList.parse(KEPT.text()) == KEPT


def test_the_same_list_passes() -> None:
    check(KEPT, KeepList.parse(KEPT.text()), "keep.toml", {}, "here")


def test_a_new_import_is_told_with_the_line_to_add_and_who_imports_it() -> None:
    failure = refused(KEPT, KeepList(frozenset({"os"}), KEPT.wheels, KEPT.libraries))
    assert failure.why == ('add to standard: "re",  # imported by sample.server',)
    assert "cp .run/image/keep.toml image/keep.toml" in failure.remedy


def test_what_is_no_longer_there_is_told_with_the_line_to_remove() -> None:
    failure = refused(KeepList(KEPT.standard, frozenset(), KEPT.libraries), KEPT)
    assert failure.why == ('remove from wheels: "waitress",',)


def test_a_long_difference_is_cut_and_counted() -> None:
    many = KeepList(frozenset(f"m{number:02}" for number in range(40)), frozenset(), frozenset())
    failure = refused(many, KeepList(frozenset(), frozenset(), frozenset()))
    assert failure.what.endswith("40 more, 0 less")
    assert failure.why[-1] == "and 28 more lines"


def test_modules_go_by_who_made_them_the_services_own_are_left_out_and_libraries_go_by_file() -> None:
    modules = [
        Module("os", "usr/lib/python3.11/os.py", Origin.STANDARD),
        Module("waitress", "usr/local/lib/python3.11/dist-packages/waitress/__init__.py", Origin.WHEEL),
        Module("sample", "usr/local/lib/python3.11/dist-packages/sample.py", Origin.SERVICE),
    ]
    paths = ["lib/x86_64-linux-gnu/libz.so.1.2.13", "usr/lib/python3.11/lib-dynload/_json.cpython-311.so", "etc/passwd"]
    expected = KeepList(frozenset({"os"}), frozenset({"waitress"}), frozenset({"libz.so.1.2.13"}))
    assert KeepList.of(modules, paths) == expected


@pytest.mark.parametrize("text", ["standard = [", "standard = []", 'standard = "os"\nwheels = []\nlibraries = []'])
def test_a_file_that_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a valid keep-list"):
        KeepList.parse(text)
