"""What is drawn is what the evidence says: how long, how large, how many."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipseal.documents.image import ImageDocument
from shipseal.documents.previous_image import EarlierImage
from shipseal.documents.verify import DiscoveryDocument
from shipseal.reporting import composition as made
from shipseal.reporting.composition import NOBODY, composition
from shipseal.reporting.content_diff import ContentChange, changes
from shipseal.reporting.finding_table import findings
from shipseal.reporting.matrix import discovery
from shipseal.reporting.summary import Row, RunSummary, StageOutcome, Timing
from shipseal.reporting.timeline import LABEL, timeline
from shipseal.reporting.treemap import Box, cut
from tests.report import runs, written
from tests.report.runs import START, summary
from tests.report.written import reason, verdict


def timed(*stages: tuple[str, float, float, tuple[str, ...]]) -> RunSummary:
    timings = {
        name: Timing(START + timedelta(seconds=began), START + timedelta(seconds=ended), needs)
        for name, began, ended, needs in stages
    }
    rows = tuple(Row(name, StageOutcome.DONE, ended - began, "") for name, began, ended, _ in stages)
    return summary({}, rows=rows, timings=timings)


def test_the_critical_path_is_what_each_stage_waited_for_the_longest() -> None:
    line = timeline(timed(("a", 0, 1, ()), ("b", 0, 4, ()), ("c", 4, 5, ("a", "b")), ("d", 1, 2, ("a",))))
    assert line.critical == ("b", "c")
    assert [bar.row.stage for bar in line.bars if bar.critical] == ["b", "c"]
    assert line.seconds == 5


def test_a_stage_that_could_have_begun_is_told_to_have_waited() -> None:
    line = timeline(timed(("a", 0, 1, ()), ("b", 3, 4, ("a",))))
    assert [bar.waited for bar in line.bars] == [0, 2]
    assert line.bars[1].ready < line.bars[1].x


def test_what_was_kept_has_no_place_in_time_and_is_counted() -> None:
    run = timed(("a", 0, 1, ()), ("b", 3600, 3601, ("a",)))
    kept = replace(run, rows=(replace(run.rows[0], outcome=StageOutcome.KEPT), run.rows[1]))
    line = timeline(kept)
    assert (line.kept, line.seconds, line.bars[0].began, line.bars[1].x) == (1, 1, None, LABEL)


def test_a_run_without_any_time_has_a_time_line_all_the_same() -> None:
    line = timeline(summary({}, timings={}))
    assert (line.seconds, line.critical, line.ticks) == (0, (), ())


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**9), max_size=40))
@example([1, 18232607, 18232675, 33694609])
def test_each_piece_is_as_large_as_its_weight_and_none_stands_outside(weights: list[int]) -> None:
    box = Box(3, 5, 960, 420)
    pieces = cut(sorted(weights, reverse=True), box)
    for weight, piece in zip(sorted(weights, reverse=True), pieces, strict=True):
        assert piece.width * piece.height == pytest.approx(960 * 420 * weight / sum(weights), rel=1e-6, abs=1e-6)
        assert piece.x >= 3 - 1e-6
        assert piece.y >= 5 - 1e-6
        assert piece.x + piece.width <= 963 + 1e-6
        assert piece.y + piece.height <= 425 + 1e-6


def image(**files: dict[str, int]) -> dict[str, Any]:
    """Return the documents of an image with one layer, of these packages with these files."""
    packages = [written.package(name, *of) for name, of in files.items() if name != "none"]
    listed = [
        {"location": {"path": f"/{path}", "layerID": written.BUNDLE}, "metadata": {"type": "RegularFile", "size": size}}
        for of in files.values()
        for path, size in of.items()
    ]
    return {
        "image/image.json": written.image(packages=packages),
        "sbom/linux-amd64/sbom.syft.json": {"files": listed},
    }


def test_bytes_are_counted_by_layer_package_and_file_and_none_is_lost() -> None:
    told = composition(summary(image(libc={"lib/c": 70, "lib/m": 20}, none={"etc/passwd": 10})))
    [layer] = told.layers
    assert (told.size, told.pulled, layer.name) == (100, 50, "runtime")
    assert [(package.name, package.size) for package in layer.parts] == [("libc 1", 90), (NOBODY, 10)]
    assert "runtime / libc 1 / lib/c: 70 bytes" in [piece.says for piece in told.pieces]


def test_a_package_of_very_many_files_is_drawn_with_the_largest_and_one_for_the_others() -> None:
    told = composition(summary(image(libc={f"lib/{number}": 100 for number in range(5000)})))
    assert len(told.pieces) < 30
    assert any(piece.says.endswith("smaller files: 497,600 bytes") for piece in told.pieces)
    assert sum(piece.box.width * piece.box.height for piece in told.pieces if piece.depth == 0) == pytest.approx(
        made.WIDTH * made.HEIGHT
    )


def test_without_sizes_of_files_the_layers_are_drawn() -> None:
    documents = {"image/image.json": image(libc={"a": 1})["image/image.json"]}
    told = composition(summary(documents))
    assert [(piece.label, piece.depth) for piece in told.pieces] == [("runtime", 0)]


def test_findings_are_counted_by_severity_without_vex_and_with_it() -> None:
    lines = [reason("CVE-1", "vex"), reason("CVE-2", "severity-high"), reason("CVE-3", "noted")]
    judged = verdict(excused=lines[:1], denied=lines[1:2], noted=lines[2:])
    denied = [reason("CVE-1", "severity-critical"), lines[1]]
    judged["without_vex"] = {"allowed": False, "denied": list(map(written.bare, denied))}
    matches = [
        runs.match(name, "pkg:deb/debian/zlib@1.2", severity)
        for name, severity in (("CVE-1", "Critical"), ("CVE-2", "High"), ("CVE-3", "Low"))
    ]
    grype = {"linux/amd64": runs.report(matches, "2026-11-25T00:00:00Z")}
    found = findings(summary({"assess/verdict.json": judged, "scan/grype.json": grype}))
    levels = [(each.severity, each.total, each.without, each.denied, each.excused, each.noted) for each in found.levels]
    assert levels == [("critical", 1, 1, 0, 1, 0), ("high", 1, 1, 1, 0, 0), ("low", 1, 0, 0, 0, 1)]
    assert [each.finding for each in found.listed] == ["CVE-2", "CVE-1", "CVE-3"]
    assert found.bare == "Without VEX statements it would be denied, for 2 reasons."


def test_a_severity_that_nobody_tells_is_unknown_and_never_low() -> None:
    found = findings(summary({"assess/verdict.json": verdict(noted=[reason("CVE-1", "noted")])}))
    assert [level.severity for level in found.levels] == ["unknown"]


def earlier(documents: dict[str, Any]) -> EarlierImage:
    return EarlierImage.parse(json.dumps(documents["image/image.json"]).encode())


def test_what_changed_is_each_layer_and_package_that_is_not_as_it_was() -> None:
    before, now = image(libc={"a": 1}, gone={"b": 1}), image(libc={"a": 1}, new={"c": 1})
    found = changes(earlier(before), runs.read(now).need(ImageDocument))
    assert found == [
        ContentChange("linux/amd64", "package", "gone", "1", ""),
        ContentChange("linux/amd64", "package", "new", "", "1"),
    ]
    assert changes(earlier(now), runs.read(now).need(ImageDocument)) == []


def test_what_another_version_of_this_program_has_left_is_compared_as_far_as_it_has_to_be() -> None:
    now = image(libc={"a": 1})
    before = {"image/image.json": {**now["image/image.json"], "format": "none", "more": True}}
    assert changes(earlier(before), runs.read(now).need(ImageDocument)) == []


def test_each_kind_of_evidence_has_a_short_name_and_each_way_an_answer() -> None:
    found, missing = list(written.KINDS[:1]), list(written.KINDS[1:])
    way = {"way": "cosign tree", "measured": False, "found": found, "missing": missing, "says": "no"}
    told = discovery(runs.read({"verify/discovery.json": written.discovery(way)}).need(DiscoveryDocument))
    assert [short for short, _ in told.kinds] == ["provenance", "openvex ns", "spdx Document"]
    assert (told.ways[0].found, told.ways[0].known) == ((True, False, False), "emulated")
