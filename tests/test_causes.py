"""What made one verdict another is found by swapping one input at a time, and "together" is said when it takes two."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.cli import main
from shipseal.digest import Digest
from shipseal.judging.case import Case, read, suite_of
from shipseal.judging.causes import ANSWER, Why, why
from shipseal.judging.claims import ClaimState
from shipseal.judging.explaining import at
from tests import measured
from tests.cases import IMAGE, PLATFORM, SERVICE, WAITRESS, ZLIB, case, match, store
from tests.statements import NOW, RULES, statement

OTHER = str(Digest.of(b"another image"))
RAISED = "pkg:pypi/waitress@3.0.2"
NEWER = "2026-11-25T00:00:00Z"
LAX = RULES.replace('critical = "deny"', 'critical = "allow"')
IN_WAITRESS = match("CVE-2026-2", WAITRESS)
ABOUT = statement(valid_until="2026-11-30")
WAIVER = """
[[waiver]]
finding = "CVE-2026-1"
package = "pkg:deb/debian/zlib1g"
reason = "the service never compresses anything"
owner = "A Tester"
since = 2026-11-01
until = 2026-12-31
"""


def causes(found: Why, about: tuple[str, str] = ANSWER) -> tuple[tuple[str, ...], ...]:
    return next(change.causes for change in found.changes if change.about == about)


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        (case(), case(match(), built=NEWER), "database"),
        (case(match(), rules=LAX), case(match()), "policy"),
        (case(match(), waivers=WAIVER), case(match()), "policy"),
        (case(match(), statements=[statement()]), case(match()), "VEX"),
        (case(match(), statements=[ABOUT]), case(match(), statements=[ABOUT], judged=NOW + timedelta(days=9)), "clock"),
        (case(built=NEWER), case(built=NEWER, judged=NOW + timedelta(days=9)), "clock"),
        (case(IN_WAITRESS), case(purls=(ZLIB, RAISED, SERVICE), digest=OTHER), "lock"),
        (case(match()), case(purls=("pkg:deb/debian/zlib1g@1.3", WAITRESS, SERVICE), digest=OTHER), "base"),
        (case(match("CVE-3", SERVICE)), case(purls=(ZLIB, WAITRESS, "pkg:pypi/sample@1.1"), digest=OTHER), "code"),
        (case(sample=True), case(sample=True, release=True), "world"),
    ],
)
def test_the_one_input_that_made_the_difference_is_named(before: Case, after: Case, cause: str) -> None:
    assert causes(why(before, after)) == ((cause,),)
    assert causes(why(after, before)) == ((cause,),)


def test_an_input_that_differs_and_makes_no_difference_is_not_the_cause() -> None:
    found = why(case(), case(match(), built=NEWER, judged=NOW + timedelta(hours=1), rules=RULES + "\n# a comment\n"))
    assert list(found.differs) == ["database", "policy", "clock"]
    assert causes(found) == (("database",),)


def test_two_inputs_that_make_the_difference_only_together_are_named_together() -> None:
    """The new database knows of it, and the old policy would have let it pass."""
    found = why(case(rules=LAX), case(match(), built=NEWER, judged=NOW + timedelta(hours=1)))
    assert list(found.differs) == ["database", "policy", "clock"]
    assert causes(found) == (("database", "policy"),)


def test_two_inputs_each_of_which_is_enough_are_both_named() -> None:
    before = case(match(), statements=[ABOUT])
    after = case(match(), statements=[statement(valid_until="2026-11-27")], judged=NOW + timedelta(days=9))
    assert causes(why(before, after)) == (("clock",),)
    lost = why(before, case(match(), judged=NOW + timedelta(days=9)))
    assert causes(lost, ("CVE-2026-1", "zlib1g")) == (("VEX",),)
    assert causes(lost) == (("VEX",), ("clock",))


@pytest.mark.parametrize(
    ("path", "cause"), [("usr/lib/libz.so.1", "base"), ("usr/lib/python3/dist-packages/waitress/server.py", "lock")]
)
def test_a_statement_that_a_new_file_refutes_is_put_down_to_what_brought_the_file(path: str, cause: str) -> None:
    """Base and lock both change, and the statement does not."""
    about = statement(conditions=[{"no_file": path}])
    purls = ("pkg:deb/debian/base-files@2", *(ZLIB, WAITRESS, SERVICE))
    more = ("pkg:pypi/other@1", "pkg:deb/debian/base-files@3", *(ZLIB, WAITRESS, SERVICE))
    before = case(match(), statements=[about], purls=purls)
    after = case(match(), statements=[about], purls=more, paths=[path], digest=OTHER)
    found = why(before, after)
    assert list(found.differs) == ["lock", "base"]
    assert causes(found) == ((cause,),)


def test_what_a_machine_states_is_put_down_to_what_brought_the_package_and_to_no_statement_of_people() -> None:
    newer = "pkg:deb/debian/zlib1g@1.3"
    after = case(match(purl=newer), purls=(newer, WAITRESS, SERVICE), digest=OTHER)
    found = why(case(match(), made=[statement()]), after)
    assert causes(found) == (("base",),)


def test_a_finding_that_a_machine_excuses_is_put_down_to_the_database_that_knows_of_it() -> None:
    found = why(case(), case(match(), made=[statement()], built=NEWER))
    assert causes(found, ("CVE-2026-1", "zlib1g")) == (("database",),)


def test_where_the_facts_about_an_advisory_have_changed_that_is_the_cause() -> None:
    found = why(case(match()), case(match(), made=[statement()], facts="2"))
    assert found.differs == {"VEX": "policy/advisories/test.toml"}
    assert causes(found) == (("VEX",),)


def test_what_a_machine_states_does_not_end_with_the_calendar() -> None:
    """It is stated anew in every run; what people state ends."""
    about, later = statement(valid_until="2026-11-30"), NOW + timedelta(days=9)
    states = [
        [claim.state for claim in at(read(each), later).claims]
        for each in (case(match(), made=[about]), case(match(), statements=[about]))
    ]
    assert states == [[ClaimState.APPLIED], [ClaimState.EXPIRED]]


def test_what_only_the_newer_rules_asked_for_is_no_difference_of_the_code() -> None:
    """The older run did not write down how its suite went: nobody knows whether it went otherwise."""
    suite = measured.smoke(PLATFORM, Digest.parse(IMAGE), 1)
    asks = f"{RULES}\n[tests]\nminimum-passed = {{}}\n"
    asked = [case(rules=asks.format(least), more={"smoke/tests.json": suite_of(suite)}) for least in (1, 2)]
    assert why(case(match()), asked[0]).differs.keys() == {"policy"}
    assert causes(why(case(), asked[1])) == (("policy",),)
    assert why(case(), asked[0]).changes == ()


def test_the_same_case_twice_differs_in_nothing() -> None:
    assert why(case(match()), case(match())) == Why({}, ())


def test_what_was_changed_is_told_in_words() -> None:
    after = case(purls=("pkg:deb/debian/zlib1g@1.3", RAISED, SERVICE), built=NEWER, digest=OTHER)
    assert why(case(), after).differs == {
        "lock": "waitress 3.0.0 → 3.0.2",
        "base": "zlib1g 1.2 → 1.3",
        "database": "built 2026-11-24T00:00:00Z → built 2026-11-25T00:00:00Z",
    }


def test_the_verb_says_what_changed_and_because_of_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(case(rules=LAX), tmp_path / "a")
    store(case(match(), built=NEWER), tmp_path / "b")
    assert main(["why-changed", str(tmp_path / "a"), str(tmp_path / "b" / "assess" / "verdict.json")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "ANSWER   allowed → denied: because of database and policy together" in said
    assert (
        "changed  CVE-2026-1 in zlib1g: not found → denied (severity-critical): because of database and policy together"
        in said
    )


@pytest.mark.parametrize("name", ["\x1b[31m", "\u202e", "::error::x\n"])
def test_hostile_names_reach_the_terminal_as_text(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile: Any = match(f"CVE-2026-{name}9")
    store(case(), tmp_path / "a")
    store(case(hostile, built=NEWER), tmp_path / "b")
    assert main(["why-changed", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    said = capsys.readouterr().out
    assert "because of database" in said
    assert all(line.isprintable() for line in said.splitlines())
    assert name not in said
