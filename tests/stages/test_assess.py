"""`assess` writes a verdict with its reasons and with the digests of what it rests on, and never says no."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.cli import main
from shipseal.digest import Digest
from shipseal.engine.run import Event, Run
from shipseal.engine.table import TABLE
from shipseal.errors import UsageError, VerificationFailed
from shipseal.judging.case import needed
from shipseal.judging.rules import read_rules
from shipseal.project.config import HOME
from tests.conftest import NOW, MakeRun
from tests.stages.images import SmallImage
from tests.stages.rows import ASSESS, ONE_PLATFORM, VEX, begin, perform
from tests.statements import RULES, SCANF, statement, write


async def judged(run: Run, image: SmallImage = ONE_PLATFORM) -> Any:
    await begin(run, image)
    await perform(run, VEX, ASSESS)
    return json.loads((run.directory / "assess" / "verdict.json").read_bytes())


def denials(verdict: Any) -> list[tuple[str, str]]:
    return [(reason["code"], reason["finding"]) for reason in verdict["denied"]]


async def test_what_we_ship_is_allowed_and_the_excuse_is_on_record(make_run: MakeRun) -> None:
    verdict = await judged(make_run())
    assert verdict["allowed"] is True
    assert [reason["finding"] for reason in verdict["excused"]] == ["CVE-2026-5450", "CVE-2026-5928", "CVE-2026-27171"]
    assert verdict["noted"] == []
    assert verdict["sample"] is True


async def test_a_critical_advisory_is_denied_without_a_failure(make_run: MakeRun) -> None:
    verdict = await judged(make_run(), ONE_PLATFORM.having(python={"waitress": "3.0.0"}))
    assert verdict["allowed"] is False
    expected = [("severity-critical", "GHSA-9298-4cf8-g4wj"), ("severity-high", "GHSA-3f84-rpwh-47g6")]
    assert denials(verdict) == expected


async def test_an_expired_statement_is_denied(make_run: MakeRun, project: Path) -> None:
    lapsed = statement(vulnerability={"name": "CVE-2026-27171"}, valid_until="2026-11-24")
    write(project / "policy", lapsed)
    assert denials(await judged(make_run())) == [("vex-expired", "CVE-2026-27171")]


async def test_what_follows_from_evidence_does_not_end_with_the_calendar(make_run: MakeRun) -> None:
    years_later = NOW + timedelta(days=800)
    assert denials(await judged(make_run(as_of=years_later))) == []


async def test_what_a_person_states_ends_and_is_denied_then(make_run: MakeRun, project: Path) -> None:
    write(project / "policy", statement(**SCANF))
    years_later = NOW + timedelta(days=800)
    assert ("vex-expired", "CVE-2026-5450") in denials(await judged(make_run(as_of=years_later)))


async def test_a_dry_run_by_the_sample_does_not_end_with_the_calendar(
    make_run: MakeRun, project: Path, events: list[Event]
) -> None:
    """Neither the sample nor the statements about it move on; that they ended is said, and judges a release."""
    write(project / "policy", statement(**SCANF))
    verdict = await judged(make_run(clock=lambda: NOW + timedelta(days=800), observe=events.append))
    assert verdict["allowed"] is True
    assert any("CVE-2026-5450" in each and "counts for a SAMPLE only" in each for each in verdict["notices"])
    assert any("counts for a SAMPLE only" in event.text for event in events)


async def test_the_statements_that_come_with_the_pipeline_hold_for_three_months_more(make_run: MakeRun) -> None:
    """Long before a release is denied for it: look at the evidence of policy/vex/ again when this fails."""
    soon = max(datetime.now(UTC), NOW) + timedelta(days=90)
    verdict = await judged(make_run(as_of=soon))
    assert verdict["denied"] == []


async def test_a_statement_that_does_not_hold_is_named_and_what_to_do_is_said(make_run: MakeRun, project: Path) -> None:
    write(project / "policy", statement(**SCANF))
    verdict = await judged(make_run(), ONE_PLATFORM.having(more={"usr/lib/_ctypes.so": b""}))
    (reason,) = verdict["denied"]
    assert reason["message"].startswith("CVE-2026-5450 (critical) in libc6")
    assert ": test.json does not hold for this image" in reason["message"].replace("policy/vex/", "")
    assert "correct, renew or remove" in reason["remedy"]


async def test_an_end_that_is_near_is_said_aloud(make_run: MakeRun, project: Path, events: list[Event]) -> None:
    write(project / "policy", statement(**SCANF))
    near = NOW.fromisoformat(f"{statement()['valid_until']}T12:00:00+00:00") - timedelta(days=7)
    await judged(make_run(clock=lambda: near, observe=events.append))
    assert any("CVE-2026-5450" in event.text and "ends in 7 days" in event.text for event in events)


async def test_a_projects_own_rules_and_waivers_replace_ours(make_run: MakeRun, project: Path) -> None:
    (project / "policy" / "rules.toml").write_text(RULES.replace('medium = "allow"', 'medium = "deny"'))
    (project / "policy" / "waivers.toml").write_text(
        '[[waiver]]\nfinding = "CVE-2026-27171"\npackage = "pkg:deb/debian/zlib1g"\nowner = "A Tester"\n'
        'reason = "nothing here combines checksums"\nsince = 2026-11-01\nuntil = 2027-01-01\n'
    )
    write(project / "policy", statement(**SCANF))
    image = ONE_PLATFORM.having(more={"opt/more.zip": b"PK\x03\x04"})  # no machine can tell what it holds
    verdict = await judged(make_run(), image)
    assert [reason["code"] for reason in verdict["excused"]] == ["vex", "waiver"]
    assert [reason["until"] for reason in verdict["excused"]] == [statement()["valid_until"], "2027-01-01"]
    (project / "policy" / "waivers.toml").unlink()
    assert denials(await judged(make_run(), image)) == [("severity-medium", "CVE-2026-27171")]


async def test_the_verdict_names_what_it_rests_on_by_digest(make_run: MakeRun, project: Path) -> None:
    write(project / "policy", statement())
    run = make_run()
    inputs = (await judged(run))["inputs"]
    assert inputs["scan/grype.json"] == str(Digest.of_file(run.directory / "scan" / "grype.json"))
    assert inputs["policy/rules.toml"] == str(Digest.of_file(HOME / "policy" / "rules.toml"))
    assert inputs["policy/vex/test.json"] == str(Digest.of_file(project / "policy" / "vex" / "test.json"))
    assert all(value.startswith("sha256:") for value in inputs.values())


async def test_statements_about_another_image_are_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run, other = make_run(), make_run(directory=tmp_path / "other")
    await judged(run)
    await begin(other, ONE_PLATFORM.having(python={}))
    await perform(other, VEX)
    shutil.rmtree(run.directory / "vex")
    shutil.copytree(other.directory / "vex", run.directory / "vex")
    with pytest.raises(VerificationFailed, match="about another image"):
        await run.perform(ASSESS)


async def test_all_that_a_replay_needs_lies_in_the_run_and_the_policy_may_change_meanwhile(
    make_run: MakeRun, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    await judged(run)
    (project / "policy" / "rules.toml").write_text(RULES.replace('unknown = "deny"', 'unknown = "allow"'))
    assert main(["replay", str(run.directory)]) == 0
    assert capsys.readouterr().out.startswith(f"equal  {run.directory}: allowed")


async def test_a_rule_that_asks_for_what_no_stage_has_left_is_refused_and_not_taken_for_passed(
    make_run: MakeRun, project: Path
) -> None:
    (project / "policy" / "rules.toml").write_text(f"{RULES}\n[source]\nclean = true\n")
    with pytest.raises(UsageError, match="reads facts, which its row does not declare"):
        await judged(make_run())


async def test_the_row_of_the_table_has_what_rules_may_ask_for() -> None:
    (row,) = (row for row in TABLE if row.name == "assess")
    whole = read_rules(f"{RULES}\n[source]\nclean = true\n[tests]\nminimum-passed = 1\n")
    assert {name.partition("/")[0] for name in needed(whole, {"linux/amd64": {}})} <= set(row.needs)


async def test_the_verdict_says_what_it_would_be_without_statements_and_lies_there_for_other_programs(
    make_run: MakeRun,
) -> None:
    run = make_run()
    verdict = await judged(run)
    bare = {"code": "severity-critical", "finding": "CVE-2026-5450", "package": "libc6 2.36-9+deb12u14"}
    assert verdict["without_vex"] == {"allowed": False, "denied": [bare]}
    left = {path.name for path in (run.directory / "assess").iterdir()}
    assert {"verdict.sarif", "verdict.junit.xml", "verdict.md", "policy"} <= left
