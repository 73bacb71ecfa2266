"""Give a verdict on recorded bytes, and on nothing else: the same bytes give the same verdict, whenever and wherever.

`assess` judges by this, and `replay` judges again by it. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.documents.document import Kept
from shipseal.documents.facts import FactsDocument
from shipseal.documents.image import ImageDocument
from shipseal.documents.sbom import CycloneDxDocument
from shipseal.documents.scan import DatabaseDocument, ScanDocument
from shipseal.documents.smoke import SmokeDocument, SuiteDocument, SuiteRun
from shipseal.documents.verdict import VerdictDatabase, VerdictDocument, VerdictTools
from shipseal.documents.vex import EvidenceDocument
from shipseal.errors import VerificationFailed
from shipseal.judging import image_facts
from shipseal.judging.catalogue import VERSION
from shipseal.judging.claims import Claim, restore
from shipseal.judging.image_facts import Observed, Tests
from shipseal.judging.ledger import LedgerInputs, ledger
from shipseal.judging.policy import VulnerabilityDatabase, judge
from shipseal.judging.rules import Rules, read_rules
from shipseal.judging.verdict import Verdict
from shipseal.judging.waivers import Waiver, read_waivers
from shipseal.purl import Purl
from shipseal.scanning import findings
from shipseal.scanning.findings import Finding, Report
from shipseal.times import read_time

RULES, WAIVERS = "policy/rules.toml", "policy/waivers.toml"


def _name(document: type[Kept]) -> str:
    return f"{document.STAGE}/{document.NAME}"


GRYPE, DATABASE, EVIDENCE = _name(ScanDocument), _name(DatabaseDocument), _name(EvidenceDocument)
FACTS, IMAGE, SMOKE, TESTS = _name(FactsDocument), _name(ImageDocument), _name(SmokeDocument), _name(SuiteDocument)
SBOM = CycloneDxDocument.NAME

Read = TypeVar("Read", bound=Kept)


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

    def document(self, kind: type[Read], name: str = "") -> Read:
        """Return one of its documents; raise `VerificationFailed` where that is missing, or of another shape."""
        name = name or _name(kind)
        if name not in self.files:
            raise VerificationFailed(f"{name} is not among what the verdict rests on", remedy="judge again")
        return kind.parse(self.files[name], name)


@dataclass(frozen=True)
class Matter:
    """What a case holds, read."""

    reports: Mapping[str, Report]
    findings: tuple[Finding, ...]
    claims: tuple[Claim, ...]
    waivers: tuple[Waiver, ...]
    rules: Rules
    database: VulnerabilityDatabase
    observed: Observed
    now: datetime

    def judge(self, *, vex: bool = True) -> Verdict:
        """Judge it, with the VEX statements or as if there were none."""
        claims = self.claims if vex else ()
        return judge(self.findings, claims, self.waivers, self.rules, self.database, self.now, observed=self.observed)


def needed(rules: Rules, platforms: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the documents that a verdict by these rules rests on."""
    asked = [FACTS] if rules.source.clean else []
    asked += [SMOKE] if rules.tests.minimum_passed is not None else []
    lists = [f"sbom/{platform.replace('/', '-')}/{SBOM}" for platform in sorted(platforms)]
    return (IMAGE, GRYPE, DATABASE, EVIDENCE, *lists, *asked)


def suite_of(smoke: SmokeDocument) -> bytes:
    """Return what a verdict rests on of `smoke/smoke.json`, which has times of its run in it: how the suite went.

    That is the input `smoke/tests.json`, and lies beside the verdict.
    """
    passed = smoke.suite.passed if isinstance(smoke.suite, SuiteRun) else 0
    told = SuiteDocument(platform=smoke.platform, digest=smoke.digest, run=smoke.suite.run, passed=passed)
    return canonical(told.as_json())


def read(case: Case) -> Matter:
    """Read a case.

    Raises:
        ConfigError: the policy is wrong.
        VerificationFailed: a document has another shape than we know, or they do not belong together.
    """
    image, database = case.document(ImageDocument), case.document(DatabaseDocument)
    evidence = case.document(EvidenceDocument)
    if evidence.image != image.digest:
        raise VerificationFailed(
            "the VEX statements are about another image", remedy="run the stages from `vex` on again"
        )
    reports = findings.recorded(case.document(ScanDocument))
    if reports.keys() != image.platforms.keys():
        raise VerificationFailed("the scan is not of the platforms of this image", remedy="run `scan` again")
    rules = read_rules(case.files[RULES].decode())
    providers = frozenset(name for report in reports.values() for name in report.providers)
    return Matter(
        reports,
        findings.merge(reports),
        tuple(map(restore, evidence.claims)),
        read_waivers(case.files[WAIVERS].decode(), rules) if WAIVERS in case.files else (),
        rules,
        VulnerabilityDatabase(read_time(database.built), database.sample, case.release, providers),
        _observed(case, image, rules),
        case.judged,
    )


def decide(case: Case) -> VerdictDocument:
    """Return the verdict on a case; raise what `read` raises."""
    matter = read(case)
    image, database = case.document(ImageDocument), case.document(DatabaseDocument)
    verdict, without = matter.judge(), matter.judge(vex=False)
    inputs = {name: Digest.of(data) for name, data in case.files.items()}
    inputs |= {"image": image.digest, "database": database.checksum}
    seen = LedgerInputs(matter.rules, matter.findings, matter.database, matter.observed)
    return VerdictDocument(
        allowed=verdict.allowed,
        denied=verdict.denied,
        excused=verdict.excused,
        noted=verdict.noted,
        notices=verdict.notices,
        image=image.reference,
        judged=case.judged.isoformat(),
        sample=database.sample,
        release=case.release,
        version=VERSION,
        inputs=inputs,
        database=VerdictDatabase(**dict(database), providers=_captured(matter.reports)),
        tools=VerdictTools(grype=tuple(sorted({report.scanner for report in matter.reports.values()}))),
        rules=ledger(verdict, seen, inputs),
        without_vex=without.bare,
    )


def _captured(reports: Mapping[str, Report]) -> dict[str, str]:
    return {name: when for report in reports.values() for name, when in sorted(report.providers.items())}


def _observed(case: Case, image: ImageDocument, rules: Rules) -> Observed:
    sboms = [case.document(CycloneDxDocument, name) for name in sorted(case.files) if name.startswith("sbom/")]
    base = (Purl.parse(each.purl) for entry in image.platforms.values() for each in entry.packages)
    return Observed(
        packages=image_facts.packages(sboms),
        base=tuple(sorted({purl.name for purl in base if purl.type == "deb"})),
        tests=_tests(case.document(SuiteDocument), image) if rules.tests.minimum_passed is not None else None,
        dirty=case.document(FactsDocument).dirty if rules.source.clean else None,
    )


def _tests(suite: SuiteDocument, image: ImageDocument) -> Tests:
    """Return how the suite went; what it ran on has to be the manifest that the image has for that platform."""
    entry = image.platforms.get(suite.platform)
    return Tests(suite.passed if suite.run else 0, entry is not None and suite.digest == entry.digest)
