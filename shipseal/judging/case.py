"""Give a verdict on recorded bytes, and on nothing else: the same bytes give the same verdict, whenever and wherever.

`assess` judges by this, and `replay` judges again by it. Whoever calls has looked at the shape of the documents. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.judging import observed
from shipseal.judging.catalogue import VERSION
from shipseal.judging.claims import Claim, restore
from shipseal.judging.ledger import Seen, ledger
from shipseal.judging.observed import Observed, Tests
from shipseal.judging.policy import Database, judge
from shipseal.judging.rules import Rules, read_rules
from shipseal.judging.verdict import Reason, Verdict
from shipseal.judging.waivers import Waiver, read_waivers
from shipseal.purl import Purl
from shipseal.scanning import findings
from shipseal.scanning.findings import Finding, Report
from shipseal.times import read_time

RULES, WAIVERS = "policy/rules.toml", "policy/waivers.toml"
GRYPE, DATABASE, EVIDENCE, IMAGE = "scan/grype.json", "scan/database.json", "vex/evidence.json", "image/image.json"
FACTS, SMOKE, TESTS = "facts/facts.json", "smoke/smoke.json", "smoke/tests.json"
SBOM = "sbom.cdx.json"


@dataclass(frozen=True)
class Case:
    """All that a verdict follows from.

    Args:
        files: every input by its name: documents of stages, and files of the policy.
        judged: the time to judge by.
        release: whether it judges a release.
    """

    files: Mapping[str, bytes]
    judged: datetime
    release: bool


@dataclass(frozen=True)
class Matter:
    """What a case holds, read."""

    reports: Mapping[str, Report]
    findings: tuple[Finding, ...]
    claims: tuple[Claim, ...]
    waivers: tuple[Waiver, ...]
    rules: Rules
    database: Database
    observed: Observed
    now: datetime

    def judge(self, *, vex: bool = True) -> Verdict:
        """Judge it, with the VEX statements or as if there were none."""
        claims = self.claims if vex else ()
        return judge(self.findings, claims, self.waivers, self.rules, self.database, self.now, observed=self.observed)


def needed(rules: Rules, platforms: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the documents that a verdict by these rules rests on."""
    asked = [FACTS] if rules.source.clean else []
    asked += [SMOKE] if rules.tests.minimum_passed is not None else []
    lists = [f"sbom/{platform.replace('/', '-')}/{SBOM}" for platform in sorted(platforms)]
    return (IMAGE, GRYPE, DATABASE, EVIDENCE, *lists, *asked)


def suite_of(smoke: Any) -> bytes:
    """Return what a verdict rests on of `smoke/smoke.json`, which has times of its run in it: how the suite went.

    That is the input `smoke/tests.json`, and lies beside the verdict.
    """
    suite = smoke.get("suite")
    ran = isinstance(suite, dict) and suite.get("run") is True and type(suite.get("passed")) is int
    told = {"platform": smoke["platform"], "digest": str(smoke.get("digest", "")), "run": ran}
    return canonical({**told, "passed": suite["passed"] if ran else 0})


def read(case: Case) -> Matter:
    """Read a case.

    Raises:
        ConfigError: the policy is wrong.
        ToolFailed: the scanner's report has another shape than we know.
        VerificationFailed: its documents do not belong together.
    """
    image, evidence = _json(case, IMAGE), _json(case, EVIDENCE)
    if evidence["image"] != image["digest"]:
        raise VerificationFailed("the VEX statements are about another image", do="run the stages from `vex` on again")
    reports = {name: findings.read(raw) for name, raw in _json(case, GRYPE).items()}
    if reports.keys() != image["platforms"].keys():
        raise VerificationFailed("the scan is not of the platforms of this image", do="run `scan` again")
    rules = read_rules(case.files[RULES].decode())
    identity = _json(case, DATABASE)
    providers = frozenset(name for report in reports.values() for name in report.providers)
    return Matter(
        reports,
        findings.merge(reports),
        tuple(restore(value) for value in evidence["claims"]),
        read_waivers(case.files[WAIVERS].decode(), rules) if WAIVERS in case.files else (),
        rules,
        Database(read_time(identity["built"]), identity["sample"], case.release, providers),
        _observed(case, image, rules),
        case.judged,
    )


def decide(case: Case) -> dict[str, Any]:
    """Return the verdict on a case as `assess/verdict.json` keeps it; raise what `read` raises."""
    matter = read(case)
    verdict, without = matter.judge(), matter.judge(vex=False)
    image, identity = _json(case, IMAGE), _json(case, DATABASE)
    inputs = {name: str(Digest.of(data)) for name, data in case.files.items()}
    inputs |= {"image": image["digest"], "database": identity["checksum"]}
    seen = Seen(matter.rules, matter.findings, matter.database, matter.observed)
    return {
        **verdict.as_json(),
        "image": image["reference"],
        "judged": case.judged.isoformat(),
        "sample": identity["sample"],
        "release": case.release,
        "version": VERSION,
        "inputs": inputs,
        "database": {**identity, "providers": _captured(matter.reports)},
        "tools": {"grype": sorted({report.scanner for report in matter.reports.values()})},
        "rules": ledger(verdict, seen, inputs),
        "without_vex": {"allowed": without.allowed, "denied": [_short(reason) for reason in without.denied]},
    }


def _captured(reports: Mapping[str, Report]) -> dict[str, str]:
    return {name: when for report in reports.values() for name, when in sorted(report.providers.items())}


def _short(reason: Reason) -> dict[str, str]:
    return {"code": reason.code, "finding": reason.finding, "package": reason.package}


def _observed(case: Case, image: Any, rules: Rules) -> Observed:
    sboms = [_json(case, name) for name in sorted(case.files) if name.startswith("sbom/")]
    base = {each["purl"] for entry in image["platforms"].values() for each in entry["packages"]}
    return Observed(
        packages=observed.packages(sboms),
        base=tuple(sorted({purl.name for purl in map(Purl.parse, base) if purl.type == "deb"})),
        tests=_tests(_json(case, TESTS), image) if rules.tests.minimum_passed is not None else None,
        dirty=_json(case, FACTS)["dirty"] if rules.source.clean else None,
    )


def _tests(told: Any, image: Any) -> Tests:
    """Return how the suite went; what it ran on has to be the manifest that the image has for that platform."""
    entry = image["platforms"].get(told["platform"], {})
    return Tests(told["passed"] if told["run"] else 0, told["digest"] == entry.get("digest"))


def _json(case: Case, name: str) -> Any:
    return json.loads(case.files[name])
