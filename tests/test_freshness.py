"""Of scans, VEX documents and verdicts the newest counts, and a policy says how old it may be."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError
from shipseal.project.config import HOME
from shipseal.statements.builders import RULES_PASSED, VERDICT_FIELD, PredicateType
from shipseal.verification.decision import Evidence, ImageIndex, Statement, Unsatisfied, decide
from shipseal.verification.trust import Policy, Scope
from tests.test_verification import ALL, AMD64, IMAGE, INDEX, NOON, SCANNER, only, openvex, policy, signed

VERDICT, VULNS, OPENVEX = PredicateType.VERDICT, PredicateType.VULNS, PredicateType.OPENVEX
PASS: Mapping[str, Any] = {"properties": [RULES_PASSED]}
DENIAL: Mapping[str, Any] = {"properties": [], VERDICT_FIELD: {"allowed": False}}
DAY = timedelta(days=1)


def at(days_ago: float, kind: PredicateType, predicate: Mapping[str, Any], **more: Any) -> Statement:
    """Return a statement that was signed some days before noon."""
    found = signed(kind, predicate, **more)
    old = replace(found.signed, signed_at=NOON - days_ago * DAY)
    named = json.dumps([json.loads(old.statement), days_ago]).encode()
    return replace(found, signed=old, bundle=Digest.of(named))


def scan(built: str = "2026-11-20T00:00:00Z", checksum: str = "") -> dict[str, Any]:
    return {"scanner": {"result": [], "db": {"lastUpdate": built, "annotations": {"checksum": checksum}}}}


def judged(database: str, *excused: Mapping[str, str]) -> dict[str, Any]:
    whole = {"allowed": True, "excused": list(excused), "inputs": {"database": database}}
    return {"properties": [RULES_PASSED], VERDICT_FIELD: whole}


def aged(kind: PredicateType, days: int) -> Policy:
    """Return a policy that requires one thing, of some days at most."""
    text = '"run"\nslsa-build-level = 1\n'
    bound = {"vulns": VULNS, "openvex": OPENVEX, "verdict": VERDICT}
    [name] = [name for name, each in bound.items() if each is kind]
    base = Policy.read((_TEXT.replace(text, f"{text}maximum-age-days = {{ {name} = {days} }}\n")).encode(), "p")
    return replace(base, require={kind: Scope.IMAGE})


_TEXT = """
[require]
provenance = "image"
[policies.p]
trust-root = "run"
slsa-build-level = 1
[[policies.p.signers]]
identity = "https://builder.invalid"
issuer = "https://issuer.invalid"
"""


def found(policy: Policy, *statements: Statement, image: ImageIndex = IMAGE, now: datetime = NOON) -> Evidence:
    [evidence] = decide(policy, image, statements, {}, now=now)
    return evidence


def reasons(policy: Policy, *statements: Statement, now: datetime = NOON, image: ImageIndex = IMAGE) -> str:
    with pytest.raises(Unsatisfied) as failure:
        decide(policy, image, statements, {}, now=now)
    return "\n".join(failure.value.why)


@pytest.mark.parametrize("newest_first", [True, False])
def test_an_older_pass_never_overrules_a_newer_denial(newest_first: bool) -> None:
    denial, earlier = at(1, VERDICT, DENIAL), at(2, VERDICT, PASS)
    statements = (denial, earlier) if newest_first else (earlier, denial)
    why = reasons(only(VERDICT), *statements)
    assert f"{denial.bundle} of 2026-11-24T12:00:00Z: the verdict is not to allow this image" in why


def test_a_newer_pass_overrules_an_older_denial() -> None:
    newest = at(1, VERDICT, PASS)
    assert newest == found(only(VERDICT), at(2, VERDICT, DENIAL), newest).statement


def test_of_a_pass_and_a_denial_of_one_second_the_denial_counts() -> None:
    assert "is not to allow" in reasons(only(VERDICT), at(1, VERDICT, PASS), at(1, VERDICT, DENIAL))


@pytest.mark.parametrize(
    ("subjects", "attached_to"),
    [(ALL, frozenset({INDEX})), (ALL, frozenset({AMD64})), (frozenset({INDEX, AMD64}), frozenset({INDEX, AMD64}))],
)
def test_a_denial_counts_wherever_it_is_left(subjects: frozenset[Digest], attached_to: frozenset[Digest]) -> None:
    """Whoever can write to the registry could detach it from all manifests but one."""
    denial = at(1, VERDICT, DENIAL, subjects=subjects, attached_to=attached_to)
    assert "is not to allow" in reasons(only(VERDICT), denial, at(2, VERDICT, PASS))


def test_a_denial_by_somebody_who_may_not_judge_is_none_and_is_told() -> None:
    told = found(only(VERDICT), at(1, VERDICT, DENIAL, who=SCANNER), at(2, VERDICT, PASS)).caveats
    assert ["a newer verdict for the image does not count" in line for line in told] == [True]
    assert "https://scanner.invalid may not sign this" in told[0]


def test_a_denial_made_for_another_repository_is_none_here() -> None:
    here = replace(IMAGE, name="registry.example/b")
    denial = at(1, VERDICT, DENIAL)  # its subjects are named "a"
    good = replace(at(2, VERDICT, PASS), names=frozenset((digest, here.name) for digest in ALL))
    assert good == found(only(VERDICT), denial, good, image=here).statement


@pytest.mark.parametrize(
    ("newest", "objection"),
    [
        (at(1, VULNS, {"scanner": "none"}), "its content is malformed"),
        (at(1, VULNS, scan(), attached_to=frozenset({INDEX})), "it is not attached to"),
    ],
)
def test_a_newest_scan_that_is_none_hides_no_older_one_and_is_told(newest: Statement, objection: str) -> None:
    older = at(2, VULNS, scan())
    evidence = found(only(VULNS), newest, older)
    assert older == evidence.statement
    assert objection in evidence.caveats[0]


def test_of_what_does_not_age_any_will_do() -> None:
    first, second = at(1, PredicateType.SIGNATURE, {}), at(2, PredicateType.SIGNATURE, {})
    assert second == found(only(PredicateType.SIGNATURE), second, first).statement


@pytest.mark.parametrize("kind", [VULNS, OPENVEX])
def test_the_newest_is_what_counts(kind: PredicateType) -> None:
    predicate = scan() if kind is VULNS else openvex(f"a@{INDEX}")
    newest = at(1, kind, predicate)
    assert newest == found(only(kind), at(3, kind, predicate), newest, at(2, kind, predicate)).statement


@pytest.mark.parametrize("kind", [VULNS, OPENVEX, VERDICT])
def test_what_is_older_than_the_policy_allows_does_not_count(kind: PredicateType) -> None:
    predicate = {VULNS: scan("2026-10-26T00:00:00Z"), OPENVEX: openvex(f"a@{INDEX}"), VERDICT: PASS}[kind]
    last = at(30, kind, predicate)
    assert last == found(aged(kind, 30), last).statement
    why = reasons(aged(kind, 30), at(30.01, kind, predicate))
    assert "it was signed on 2026-10-26T11:45:36Z, 30 days ago, and may be 30 days old" in why


def test_what_is_from_a_time_that_has_not_come_does_not_stay_young() -> None:
    assert "correct this machine's clock" in reasons(aged(VERDICT, 30), at(-1, VERDICT, PASS))
    soon, tomorrow = at(-0.01, VERDICT, PASS), at(-1, VERDICT, PASS)
    assert soon == found(aged(VERDICT, 30), soon).statement
    assert tomorrow == found(only(VERDICT), tomorrow).statement, "without a bound nobody asks"


@pytest.mark.parametrize(
    ("built", "objection"),
    [
        ("1999-01-01T00:00:00Z", "its database was 10189 days old when it was signed"),
        ("2027-01-01T00:00:00Z", "which is later than it was signed"),
        ("1999", "its content is malformed: not a time: 1999"),
    ],
)
def test_a_scan_by_a_database_that_is_too_old_does_not_count(built: str, objection: str) -> None:
    assert objection in reasons(aged(VULNS, 30), at(1, VULNS, scan(built)))


ONE, TWO = (str(Digest.of(name)) for name in (b"one database", b"another"))
BOTH = replace(policy(), require={VULNS: Scope.IMAGE, VERDICT: Scope.IMAGE})


def test_a_verdict_that_somebody_has_removed_is_missed_by_the_scan_that_it_was_on() -> None:
    older, scans = at(3, VERDICT, judged(ONE)), [at(3, VULNS, scan(checksum=ONE)), at(1, VULNS, scan(checksum=TWO))]
    assert f"it rests on the vulnerability database {ONE}, and the newest scan of the image on {TWO}" in reasons(
        BOTH, older, *scans
    )
    assert decide(BOTH, IMAGE, [older, *scans, at(1, VERDICT, judged(TWO))], {}, now=NOON)


def test_a_scan_that_somebody_has_removed_is_missed_by_the_verdict_on_it() -> None:
    assert "or the scan that was judged, is not there" in reasons(
        BOTH, at(1, VERDICT, judged(TWO)), at(3, VULNS, scan(checksum=ONE))
    )


def test_what_a_verdict_has_excused_by_what_has_ended_since_is_told() -> None:
    excused = {"finding": "CVE-1", "package": "zlib1g 1.2"}
    verdict = judged(
        ONE,
        {**excused, "code": "waiver", "until": "2026-11-24"},
        {**excused, "code": "vex", "until": "2026-11-25"},
        {**excused, "code": "vex", "until": ""},
    )
    assert found(only(VERDICT), at(9, VERDICT, verdict)).caveats == (
        "the verdict for the image: it excuses CVE-1 in zlib1g 1.2 by a waiver that ended on 2026-11-24",
    )


def test_evidence_of_another_digest_is_told_for_what_it_is() -> None:
    other = Digest.of(b"another image")
    foreign = at(1, VERDICT, PASS, subjects=frozenset({other}), attached_to=ALL)
    assert f"it speaks of another image, {other}" in reasons(only(VERDICT), foreign)


@pytest.mark.parametrize("bound", ["provenance = 30", "vulns = 0", "vulns = 1000", 'vulns = "a month"'])
def test_a_bound_that_means_nothing_is_refused(bound: str) -> None:
    with pytest.raises(ConfigError, match=r"verification\.toml"):
        policy(_TEXT.replace("slsa-build-level = 1", f"slsa-build-level = 1\nmaximum-age-days = {{ {bound} }}"))


def test_a_release_is_bounded_and_a_dry_run_is_not() -> None:
    data = (HOME / "policy" / "verification.toml").read_bytes()
    bounds = {
        name: [Policy.read(data, name).maximum_age(kind) for kind in (VULNS, OPENVEX, VERDICT)] for name in POLICIES
    }
    assert bounds == {"production": [30 * DAY, 180 * DAY, 30 * DAY], "dry-run": [None, None, None]}


POLICIES = ("production", "dry-run")
