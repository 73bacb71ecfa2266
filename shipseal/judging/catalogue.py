"""Know every rule by which an image may be denied: its code, where it is set, what it says, and what to do about it.

`docs/policy.md` lists the same. Pure.
"""

from dataclasses import dataclass

from shipseal.scanning.findings import Severity

VERSION = 2
"""The version of the rules themselves: a verdict names it, and a replay by another may differ."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        code: what a verdict calls it.
        setting: the keys of `rules.toml` that set it; empty for one that is always on.
        says: what it denies.
        remedy: what can be done.
        rests_on: the inputs of a verdict that it reads, by how their names begin.
    """

    code: str
    setting: str
    says: str
    remedy: str
    rests_on: tuple[str, ...]


_FINDINGS = ("scan/", "policy/rules.toml")
_EXCUSE = "upgrade; or add a VEX statement with a justification and an end date, or a waiver"
_RENEW = "look at its evidence again: correct, renew or remove the statement"
_UPDATE = "run `shipseal db update` and scan again"
_SBOM = ("sbom/", "policy/rules.toml")

RULES: tuple[Rule, ...] = (
    Rule("vex-expired", "", "a VEX statement about a finding has ended", _RENEW, ("scan/", "vex/")),
    Rule(
        "vex-refuted",
        "",
        "the image speaks against a VEX statement about a finding",
        f"{_RENEW}; or add a waiver",
        ("scan/", "vex/"),
    ),
    Rule(
        "waiver-expired",
        "",
        "a waiver for a finding has ended, or has not begun",
        "upgrade, renew the waiver, or remove it",
        ("scan/", "policy/waivers.toml"),
    ),
    Rule(
        "known-exploited",
        "[exploitation] known",
        "a finding is on the list of what is exploited, whatever its severity",
        _EXCUSE,
        _FINDINGS,
    ),
    Rule(
        "epss",
        "[exploitation] epss-at-least",
        "a finding is at least so likely to be exploited within 30 days",
        _EXCUSE,
        _FINDINGS,
    ),
    *(
        Rule(
            f"severity-{each.value}",
            f"[severity] {each.value}, [leeway] {each.value}",
            "nobody knows how bad a finding is" if each is Severity.UNKNOWN else f"a finding is {each.value}",
            _EXCUSE,
            _FINDINGS,
        )
        for each in Severity
    ),
    Rule("database-too-old", "[database] maximum-age-days", "the database is older than allowed", _UPDATE, _FINDINGS),
    Rule(
        "database-from-the-future",
        "",
        "the database was built later than now",
        "correct this machine's clock, or get another one",
        ("scan/",),
    ),
    Rule("database-sample", "", "a release was judged by the sample of a dry run", _UPDATE, ("scan/",)),
    Rule(
        "licence",
        "[licences] allow or deny",
        "a package's licence is not one that is allowed",
        "replace the package, or change [licences]",
        _SBOM,
    ),
    Rule(
        "licence-unknown",
        "[licences] unknown",
        "a package names no licence that SPDX knows",
        "read its licence, and say it in [licences.clarified]",
        _SBOM,
    ),
    Rule(
        "base-package",
        "[base] packages",
        "the image holds a package of the distribution that is not allowed",
        "take it out of the image, or add it to [base] packages",
        ("image/", "policy/rules.toml"),
    ),
    Rule(
        "tests",
        "[tests] minimum-passed",
        "too few tests have passed in this very image, or nobody knows how many",
        "run `shipseal stage smoke` where the image can be started",
        ("image/", "smoke/", "policy/rules.toml"),
    ),
    Rule(
        "source-dirty",
        "[source] clean",
        "the files are not as committed",
        "commit them, and run it again",
        ("facts/", "policy/rules.toml"),
    ),
)

BY_CODE = {rule.code: rule for rule in RULES}
