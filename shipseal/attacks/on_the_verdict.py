"""Tamper with the verdict and with what it rests on, every record put right: as whoever owns the directory can."""

from typing import Any

from shipseal.attacks.attack import Attack
from shipseal.attacks.gates import REPLAY
from shipseal.attacks.refusal import Refusal
from shipseal.attacks.target import Copy
from shipseal.digest import Digest
from shipseal.documents.image import ImageDocument
from shipseal.errors import PolicyDenied, VerificationFailed
from shipseal.judging.policy import BOUND

_INPUT = Refusal(VerificationFailed, "evidence.verdict_inputs._inputs")
_CASE = Refusal(VerificationFailed, "judging.case.read")
_SHAPE = Refusal(VerificationFailed, "documents.document.Kept.parse")
_DENIED = Refusal(PolicyDenied, "stages.admit.admit")
_VERDICT, _GRYPE = "assess/verdict.json", "scan/grype.json"


def _add_a_finding(report: Any, image: ImageDocument) -> None:
    """Have Grype's report hold a critical finding in a package of the image."""
    platform = next(iter(report))
    package = image.platforms[platform].packages[0]
    found = {"id": "CVE-2000-0001", "severity": "Critical", "fix": {"state": "not-fixed", "versions": []}}
    artifact = {"name": package.name, "version": package.version, "purl": package.purl}
    report[platform]["matches"].append({"vulnerability": found, "relatedVulnerabilities": [], "artifact": artifact})


def _hide_a_finding_from_the_verdict(copy: Copy) -> None:
    image = copy.target.described
    copy.edit(_GRYPE, lambda report: _add_a_finding(report, image))
    judged = str(Digest.of_file(copy.directory / _GRYPE))
    copy.edit(_VERDICT, lambda verdict: {**verdict, "inputs": {**verdict["inputs"], _GRYPE: judged}})


def _change_the_scan(copy: Copy) -> None:
    image = copy.target.described
    copy.edit(_GRYPE, lambda report: _add_a_finding(report, image))


def _loosen_the_rules(copy: Copy) -> None:
    path = copy.directory / "assess" / "policy" / "rules.toml"
    copy.put("assess/policy/rules.toml", path.read_bytes() + b"\n# nothing is denied\n")


def _add_a_claim(copy: Copy) -> None:
    copy.edit("vex/evidence.json", lambda evidence: {**evidence, "claims": evidence["claims"][1:], "more": True})


def _double_a_key(copy: Copy) -> None:
    text = (copy.directory / _VERDICT).read_text()
    copy.put(_VERDICT, text.replace("{", '{"allowed": false,', 1).encode())


def _say_both(copy: Copy) -> None:
    reason = {"code": "severity-critical", "finding": "CVE-2000-0001", "package": "", "message": "it is", "remedy": ""}
    reason |= {"until": "", "provider": ""}
    copy.edit(_VERDICT, lambda verdict: {**verdict, "allowed": True, "denied": [reason]})


def _speak_of_another_image(copy: Copy) -> None:
    other = str(Digest.of(b"another image"))
    copy.edit("vex/evidence.json", lambda evidence: {**evidence, "image": other})


def _scan_another_platform(copy: Copy) -> None:
    copy.edit(_GRYPE, lambda report: {f"{name}/v9": each for name, each in report.items()})


def _say_allowed_in_words(copy: Copy) -> None:
    copy.edit(_VERDICT, lambda verdict: {**verdict, "allowed": "yes"})


def _let_it_grow_old(copy: Copy) -> None:
    copy.now = copy.target.now + 2 * BOUND


ATTACKS = (
    Attack(
        "verdict-incomplete",
        "a critical finding is in the scan and not in the verdict, every digest and record put right",
        REPLAY,
        Refusal(VerificationFailed, "evidence.verdict_inputs.require_same"),
        _hide_a_finding_from_the_verdict,
    ),
    Attack("scan-changed", "a finding added to the scan after the verdict", REPLAY, _INPUT, _change_the_scan),
    Attack("policy-edited", "the rules changed after the verdict", REPLAY, _INPUT, _loosen_the_rules),
    Attack("vex-edited", "VEX claims changed after the verdict", REPLAY, _INPUT, _add_a_claim),
    Attack(
        "verdict-key-doubled",
        "the verdict says twice whether the image is allowed",
        REPLAY,
        Refusal(VerificationFailed, "evidence.verdict_inputs._parsed"),
        _double_a_key,
    ),
    Attack("verdict-says-both", "a verdict that allows the image, and denies a finding", "admit", _DENIED, _say_both),
    Attack("verdict-in-words", "a verdict whose answer is a text", "admit", _SHAPE, _say_allowed_in_words),
    Attack("vex-moved-over", "VEX claims of another image", "assess", _CASE, _speak_of_another_image),
    Attack("scan-moved-over", "the scan of another platform", "assess", _CASE, _scan_another_platform),
    Attack(
        "verdict-grown-old",
        "a verdict signed days after it was given",
        "attest",
        Refusal(PolicyDenied, "judging.policy.require_fresh"),
        _let_it_grow_old,
    ),
)
