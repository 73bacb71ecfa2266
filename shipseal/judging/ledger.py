"""Write down each rule of a verdict: whether it was set and to what, what was seen, and how it came out. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shipseal.documents.verdict import RuleOutcome
from shipseal.judging.catalogue import RULES, Rule
from shipseal.judging.image_facts import Observed
from shipseal.judging.policy import VulnerabilityDatabase
from shipseal.judging.rules import Rules, Ruling
from shipseal.judging.verdict import Verdict
from shipseal.scanning.findings import Finding, Severity

OFF, DENIED, PASSED, BLIND = "off", "denied", "passed", "blind"
"""How a rule comes out; blind is one that is set, and that the database has no data for."""
_ASKS = {"known-exploited": "kev", "epss": "epss"}


@dataclass(frozen=True)
class LedgerInputs:
    """What a verdict was given on, as far as it is told beside a rule."""

    rules: Rules
    findings: Sequence[Finding]
    database: VulnerabilityDatabase
    observed: Observed


def ledger(verdict: Verdict, seen: LedgerInputs, inputs: Iterable[str]) -> tuple[RuleOutcome, ...]:
    """Return how each rule came out, those that are off too.

    Args:
        verdict: as it was given.
        seen: what it was given on.
        inputs: the names of everything that it rests on.
    """
    denied = Counter(reason.code for reason in verdict.denied)
    thresholds, observations, names = _thresholds(seen.rules), _observations(verdict, seen), sorted(inputs)
    return tuple(
        RuleOutcome(
            code=rule.code,
            setting=rule.setting,
            threshold=thresholds.get(rule.code, ""),
            observed=observations.get(rule.code, f"{denied[rule.code]} findings"),
            decision=_decision(rule, thresholds, denied[rule.code], seen.database),
            denied=denied[rule.code],
            inputs=tuple(name for name in names if name.startswith(rule.rests_on)),
        )
        for rule in RULES
    )


def _decision(rule: Rule, thresholds: Mapping[str, str], denied: int, database: VulnerabilityDatabase) -> str:
    if rule.setting and not thresholds[rule.code]:
        return OFF
    if denied:
        return DENIED
    asked = _ASKS.get(rule.code)
    return BLIND if asked and database.providers is not None and asked not in database.providers else PASSED


def _thresholds(rules: Rules) -> dict[str, str]:
    """Return to what each rule is set, in words; an empty text for one that is off."""
    likely, licences, least = rules.exploitation.epss_at_least, rules.licences, rules.tests.minimum_passed
    listed = f"allow {', '.join(licences.allow)}" if licences.allow else f"deny {', '.join(licences.deny)}"
    return {
        "known-exploited": "none" if rules.exploitation.known == "deny" else "",
        "epss": f"below {likely:g}" if likely is not None else "",
        **{f"severity-{each.value}": _severity(rules, each) for each in Severity},
        "database-too-old": f"{rules.database.maximum_age_days} days",
        "licence": listed if licences.allow or licences.deny else "",
        "licence-unknown": "none" if licences.unknown == "deny" else "",
        "base-package": ", ".join(rules.base.packages),
        "tests": f"{least} passed" if least is not None else "",
        "source-dirty": "as committed" if rules.source.clean else "",
    }


def _severity(rules: Rules, severity: Severity) -> str:
    ruling, days = rules.severity.of(severity), rules.leeway.of(severity)
    if ruling is Ruling.ALLOW:
        return ""
    leeway = f", {days} days after a fix" if days is not None and ruling is Ruling.DENY_UNLESS_UNFIXABLE else ""
    return f"{ruling.value}{leeway}"


def _observations(verdict: Verdict, seen: LedgerInputs) -> dict[str, str]:
    packages, tests, dirty = seen.observed.packages, seen.observed.tests, seen.observed.dirty
    nameless = sum(package.licence is None for package in packages)
    built = "a sample, which has no age" if seen.database.sample else f"built {seen.database.built.isoformat()}"
    ran = f"{tests.passed} passed{'' if tests.of_this_image else ', in another image'}" if tests else "not known"
    return {
        **_by_severity(verdict, seen.findings),
        "known-exploited": f"{sum(each.exploited for each in seen.findings)} findings are known to be exploited",
        "epss": _likeliest(seen.findings),
        "database-too-old": built,
        "database-from-the-future": built,
        "database-sample": f"{built}; {'a release' if seen.database.release else 'a dry run'}",
        "licence": f"{len(packages)} packages",
        "licence-unknown": f"{nameless} of {len(packages)} packages name none that SPDX knows",
        "base-package": f"{len(seen.observed.base)} packages of the distribution",
        "tests": ran,
        "source-dirty": {True: "they differ from the commit", False: "as committed", None: "not looked at"}[dirty],
    }


def _by_severity(verdict: Verdict, findings: Sequence[Finding]) -> dict[str, str]:
    severity = {(each.id, f"{each.package} {each.version}"): each.severity for each in findings}
    kinds = {"denied": verdict.denied, "excused": verdict.excused, "noted": verdict.noted}
    counted = Counter(
        (severity[reason.finding, reason.package], kind)
        for kind, reasons in kinds.items()
        for reason in reasons
        if reason.finding
    )
    return {f"severity-{each.value}": ", ".join(f"{counted[each, kind]} {kind}" for kind in kinds) for each in Severity}


def _likeliest(findings: Iterable[Finding]) -> str:
    known = [each.epss for each in findings if each.epss is not None]
    return f"{max(known):g} at most, of {len(known)} findings that have one" if known else "no finding has one"
