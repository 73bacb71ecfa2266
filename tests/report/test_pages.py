"""The page and its Markdown are made of any run: one that went well, one that ended anywhere, one that is damaged."""

import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from shipseal.documents.image import ImageDocument
from shipseal.errors import PolicyDenied, ShipsealError, ToolFailed
from shipseal.reporting import html_page
from shipseal.reporting.chain import KINDS, chain
from shipseal.reporting.decision import RunOutcome, decision
from shipseal.reporting.documents import Documents, Unreadable
from shipseal.reporting.essence import essence
from shipseal.reporting.panels import panels
from shipseal.reporting.summary import RunSummary, StageOutcome, left_undone, really, stood_in
from tests.commands import Ended, pipeline
from tests.report import runs
from tests.report.written import DIGEST, DOCUMENTS, attacks, image, reason, verdict, verification

HREF = re.compile(r'href="\.\./([^"]+)"')


@pytest.fixture(scope="module")
def run(finished: tuple[Path, Ended]) -> RunSummary:
    """Give the summary of a run that went well."""
    return runs.gathered(finished[0])


@pytest.fixture(scope="module")
def documents(finished: tuple[Path, Ended], run: RunSummary) -> Mapping[str, Any]:
    """Give what the documents of that run say, as they lie there."""
    return runs.left(finished[0], run)


@pytest.fixture
def left(finished: tuple[Path, Ended], tmp_path: Path) -> Path:
    """Give a copy of a project that was run, for a test to take from."""
    return Path(shutil.copytree(finished[0], tmp_path / "project", symlinks=True))


def lines(summary: RunSummary) -> list[str]:
    return essence(summary).splitlines()


def test_a_run_that_went_well_may_ship_and_is_told_in_bounds(run: RunSummary) -> None:
    page = html_page.page(run)
    assert len(page.encode()) < 300_000
    assert len(lines(run)) < 100
    assert (decision(run).answer, decision(run).rehearsed) == (RunOutcome.MAY_SHIP, True)
    assert "Rehearsed, not released" in page
    assert [panel.title for panel in panels(run) if panel.missing] == []
    assert page.count("<svg") == page.count("<title id=") == page.count("<desc id=") > 2


def test_each_link_leads_to_a_file_of_the_run(finished: tuple[Path, Ended], run: RunSummary) -> None:
    found = {unquote(each) for each in HREF.findall(html_page.page(run))}
    assert len(found) > 30
    assert [each for each in found if not (finished[0] / ".run" / each).is_file()] == []


def test_each_sentence_of_the_decision_and_of_what_was_real_names_its_file(run: RunSummary) -> None:
    facts = [decision(run).because, *decision(run).facts, *really(run), *stood_in(run), *left_undone(run)]
    assert len(facts) > 12
    assert [fact.text for fact in facts if not fact.source] == []


def test_what_it_says_to_type_shows_that_it_is_true(finished: tuple[Path, Ended], run: RunSummary) -> None:
    commands = [shlex.split(command.line) for command in decision(run).commands]
    assert [words[:2] for words in commands] == [["shipseal", "verify"], ["shipseal", "replay"]]
    for words in commands:
        ended = pipeline(*words[1:], cwd=finished[0])
        assert ended.code == 0, ended.output


def test_the_chain_has_every_link_and_each_digest_once(run: RunSummary) -> None:
    stations = chain(run)
    assert [station.kind for station in stations if station.links] == list(KINDS)
    digests = [each.digest for station in stations for each in station.links if each.digest]
    assert len(digests) == len(set(digests)) > 12
    said = [each.says for station in stations if station.kind == "statements" for each in station.links]
    assert [each for each in said if not each.startswith("verified: ")] == []


@pytest.mark.parametrize("stage", runs.STAGES)
def test_a_failure_in_each_stage_is_told_with_its_reason_and_remedy(finished: tuple[Path, Ended], stage: str) -> None:
    failure: ShipsealError = ToolFailed(
        f"{stage} went wrong", why=["because of this", "and that"], remedy="do something"
    )
    summary = runs.gathered(finished[0], failure, stage)
    assert decision(summary).answer is RunOutcome.FAILED
    assert len(lines(summary)) < 100
    for text in (html_page.page(summary), essence(summary)):
        for said in (f"{stage}: {stage} went wrong", "Exit code 4", "because of this", "and that", "do something"):
            assert said in text
    if stage != runs.STAGES[-1]:
        assert f"{runs.STAGES[-1]}: the run ended before it" in html_page.page(summary)


def test_a_denial_is_told_as_that(finished: tuple[Path, Ended]) -> None:
    failure = PolicyDenied("2 findings are not allowed", why=["CVE-2026-1"], remedy="upgrade")
    summary = runs.gathered(finished[0], failure, "admit")
    assert decision(summary).answer is RunOutcome.DENIED
    assert decision(summary).commands == ()
    assert "Nothing was signed in this run" in html_page.page(summary)
    assert "## Denied, rehearsed: a dry run" in essence(summary)


def test_a_verdict_that_says_no_is_a_denial_though_nothing_has_failed() -> None:
    documents = {"assess/verdict.json": verdict(denied=[reason("CVE-2026-1", "severity-high")])}
    assert decision(runs.summary(documents)).answer is RunOutcome.DENIED


def test_a_release_says_that_it_is_real_and_how_a_stranger_verifies_it(run: RunSummary) -> None:
    released = replace(run, world="release")
    page = html_page.page(released)
    assert "Real: a release" in page
    assert "Rehearsed" not in page
    [command] = decision(released).commands
    assert command.line.startswith(f"shipseal verify {run.documents.need(ImageDocument).reference} --policy ")


def test_no_word_of_a_document_becomes_a_word_of_the_command(run: RunSummary) -> None:
    policy = {"name": "x; rm -rf ~ #", "digest": DIGEST, "trust_root": "run"}
    hostile = {"image/image.json": image(), "verify/verification.json": verification(policy=policy)}
    for world in ("dry-run", "release"):
        command = decision(replace(run, documents=runs.read(hostile), world=world)).commands[0].line
        assert "x; rm -rf ~ #" in shlex.split(command)


@pytest.mark.parametrize("stage", ["facts", "build", "image", "sbom", "scan", "assess", "attest", "verify", "deploy"])
def test_a_stage_that_is_gone_is_said_to_be_missing(left: Path, stage: str) -> None:
    shutil.rmtree(left / ".run" / stage)
    summary = runs.gathered(left)
    page = html_page.page(summary)
    assert f"{stage}: not asked for" in page
    assert len(lines(summary)) < 100
    assert (decision(summary).answer is RunOutcome.MAY_SHIP) is (stage != "assess")


def _empty(run: Path) -> None:
    for each in run.iterdir():
        if each.is_dir():
            shutil.rmtree(each)


def _no_directory(run: Path) -> None:
    shutil.rmtree(run / "attest" / "bundles")
    (run / "attest" / "bundles").write_text("")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "half a document": lambda run: (run / "assess" / "verdict.json").write_text("{"),
    "no text": lambda run: (run / "image" / "image.json").write_bytes(b"\xff\xfe"),
    "too deep": lambda run: (run / "verify" / "record.json").write_text("[" * 100_000),
    "no record": lambda run: (run / "scan" / "record.json").write_text('{"stage": 1}'),
    "no run": lambda run: (run / "run.json").write_text("[]"),
    "a file for a directory": _no_directory,
    "all gone": _empty,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_directory_that_is_damaged_has_a_report_that_says_so(left: Path, damage: Callable[[Path], object]) -> None:
    damage(left / ".run")
    summary = runs.gathered(left)
    page = html_page.page(summary)
    told = [row for row in summary.rows if row.outcome in {StageOutcome.FAILED, StageOutcome.NOT_RUN}]
    assert told or not summary.world
    assert "Not known: " in page or "cannot be believed" in page or not summary.world
    assert len(lines(summary)) < 100


@pytest.mark.parametrize("value", [None, [], {}, "text", 3, [None], {"a": None}, [[["x"]]]], ids=repr)
def test_a_document_of_any_other_shape_takes_no_part_of_the_page_with_it(
    run: RunSummary, documents: Mapping[str, Any], value: Any
) -> None:
    for name in documents:
        summary = replace(run, documents=runs.read({**documents, name: value}))
        assert "</html>" in html_page.page(summary)
        assert len(lines(summary)) < 100


def test_no_value_that_is_of_another_kind_ends_in_a_traceback(run: RunSummary, documents: Mapping[str, Any]) -> None:
    kinds: tuple[Any, ...] = (None, 7, -1, 1e400, True, [], {}, "")
    for other in kinds:
        for name in documents:
            changed = runs.replaced(documents[name], other)
            assert "</html>" in html_page.page(replace(run, documents=runs.read({**documents, name: changed})))


@pytest.mark.parametrize("number", [-1, 0, 10**400], ids=["less than none", "none", "more than there is"])
def test_no_number_ends_in_a_traceback(run: RunSummary, documents: Mapping[str, Any], number: int) -> None:
    for name in documents:
        changed = runs.altered(documents[name], lambda _: number, kind=int)
        assert "</html>" in html_page.page(replace(run, documents=runs.read({**documents, name: changed})))


def malformed(name: str) -> RunSummary:
    return runs.summary({**DOCUMENTS, name: {**DOCUMENTS[name], "unheard-of": 1}})


def test_of_a_malformed_document_no_part_of_the_page_says_that_there_is_none() -> None:
    why = "is of an unknown shape (unheard-of: there is no such key)"
    for name, part in {
        "assess/verdict.json": "What the verdict says is not known",
        "verify/verification.json": "Who has signed it is not known",
    }.items():
        assert decision(malformed(name)).answer is not RunOutcome.MAY_SHIP
        assert f"{part}: {name} {why}." in html_page.page(malformed(name))
    for name, wrong in {
        "promote/tags.json": "No tag was moved in this run",
        "verify/verification.json": "not verified by this run",
        "assess/verdict.json": "There is no verdict",
    }.items():
        page = html_page.page(malformed(name))
        assert f"Not known: {name} {why}." in page
        assert wrong not in page


def test_without_a_listing_the_layers_are_drawn_and_with_a_malformed_one_that_is_said() -> None:
    files = "sbom/linux-amd64/sbom.syft.json"
    missing = {panel.name: panel.missing for panel in panels(runs.summary({**DOCUMENTS, files: {"files": {}}}))}
    assert missing["composition"].startswith(f"{files} is of an unknown shape (files: ")
    assert not {panel.name: panel.missing for panel in panels(runs.summary(DOCUMENTS))}["composition"]


def test_a_verdict_of_another_version_is_not_guessed_at() -> None:
    page = html_page.page(runs.summary({"assess/verdict.json": verdict(version=3)}))
    assert "it is of version 3, and this program reads version 2" in page


def test_a_document_that_could_not_be_read_is_named_with_the_reason() -> None:
    unread = Documents.of([("image/image.json", Unreadable("PermissionError"))])
    page = html_page.page(replace(runs.summary({}), documents=unread))
    assert "Not known: image/image.json cannot be read (PermissionError)." in page


def test_twenty_thousand_findings_are_all_named_and_most_of_them_folded() -> None:
    summary = runs.summary(runs.many(20_000, 150))
    page = html_page.page(summary)
    assert len(page.encode()) < 2_000_000
    assert len(set(re.findall(r"CVE-2026-\d{5}", page))) == 20_000
    visible = re.sub(r'<details class="many">.*</details>', "", page, flags=re.DOTALL)
    assert len(set(re.findall(r"CVE-2026-\d{5}", visible))) <= 200
    assert len(lines(summary)) < 100
    assert "20,000 high" in essence(summary)


def test_an_attack_that_was_not_refused_is_seen(run: RunSummary, documents: Mapping[str, Any]) -> None:
    def page(document: Any) -> str:
        return html_page.page(replace(run, documents=runs.read({**documents, "attack/attack.json": document})))

    told = page(attacks(True, True, False))
    assert "2 of 3 attacks, each on a copy of a run, and 1 of 1 untouched controls came out as expected" in told
    assert told.count("✗ NO") == told.count("nothing: it was accepted") - 1 == 1
    assert "Not attacked, and why" in told
    another = "another image than this run"
    own = str(run.documents.need(ImageDocument).reference)
    assert another in told
    assert another not in page({**attacks(True), "image": own})
    assert "it lists no attack" in page(attacks())
    assert "it lists no control" in page({**attacks(True), "control": []})
    assert "Attacks that were tried" not in html_page.page(run)


def test_no_number_of_findings_files_or_characters_makes_a_page_without_end(
    run: RunSummary, documents: Mapping[str, Any]
) -> None:
    every = [reason(f"CVE-{number}", "noted", "lib 1") for number in range(40_000)]
    long = reason("y" * 10**6, "x", "z" * 10**6, message="m" * 10**6, remedy="r" * 10**6)
    judged = {"assess/verdict.json": verdict(denied=[long], noted=every)}
    products = {f"test/{number}": DIGEST for number in range(20_000)}
    summary = replace(run, documents=runs.read({**documents, **judged}), products=products)
    page = html_page.page(summary)
    assert len(page.encode()) < 2_000_000
    assert "19,801 more are in the file alone" in page
    assert "20000 files with their digests, 1000 of them here" in page
    assert "996,000 characters more" in page
    assert len(essence(summary)) < 60_000
