"""Tell a verdict as SARIF 2.1.0, which code scanning takes. Pure.

Specification: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01", and what GitHub
takes of it ("SARIF support for code scanning"): a rule and a place for each result, and a fingerprint by which an alert
stays one. The place is `pipeline.toml`: a package of an image has none in a repository.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from shipseal.digest import Digest
from shipseal.documents.verdict import VerdictDocument, VerdictReason
from shipseal.judging.catalogue import BY_CODE
from shipseal.terminal_text import line

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"denied": "error", "excused": "note", "noted": "note"}
_SEVERITIES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0", "negligible": "0.1"}  # GitHub's bands


def render(verdict: VerdictDocument) -> dict[str, Any]:
    """Return the document: a result for each reason, those that are excused as suppressed, with what excuses them."""
    every = list(verdict.reasons)
    rules: dict[str, dict[str, object]] = {}
    for _, reason in every:
        rules.setdefault(_rule_id(reason), _rule(reason))
    places = {name: number for number, name in enumerate(rules)}
    seen: Counter[str] = Counter()
    results = [_result(kind, reason, places, seen) for kind, reason in every]
    driver = {
        "name": "shipseal",
        "semanticVersion": f"{verdict.version}.0.0",
        "informationUri": "https://supply-chain-pipeline.example/verdict/v1",
        "rules": list(rules.values()),
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "shipseal/verdict/"},
        "results": results,
        "properties": {"image": str(verdict.image), "allowed": verdict.allowed, "judged": verdict.judged},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule_id(reason: VerdictReason) -> str:
    """Return what stays the same while a finding is denied, excused and noted in turn."""
    return line(reason.finding or reason.code)


def _rule(reason: VerdictReason) -> dict[str, object]:
    known = BY_CODE.get(reason.code) if not reason.finding else None
    text = known.says if known else f"{reason.finding}, a known vulnerability"
    severity = _SEVERITIES.get(reason.code.removeprefix("severity-"))
    rated = {"security-severity": severity} if severity else {}
    return {
        "id": _rule_id(reason),
        "shortDescription": {"text": line(text)},
        "help": {"text": line(reason.remedy or (known.remedy if known else "see the verdict"))},
        "properties": {"tags": ["security", "supply-chain"], **rated},
    }


def _result(kind: str, reason: VerdictReason, places: Mapping[str, int], seen: Counter[str]) -> dict[str, Any]:
    name, _, version = reason.package.partition(" ")
    print_of_it = Digest.of(f"{_rule_id(reason)}\n{name}".encode()).hex
    seen[print_of_it] += 1
    return {
        "ruleId": _rule_id(reason),
        "ruleIndex": places[_rule_id(reason)],
        "level": _LEVELS[kind],
        "message": {"text": line(reason.message)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "pipeline.toml"},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": line(reason.package or "image"), "kind": "module"}],
            }
        ],
        # The package without its version: an upgrade that helps nothing opens no second alert.
        "partialFingerprints": {"primaryLocationLineHash": f"{print_of_it}:{seen[print_of_it]}"},
        "suppressions": (
            [{"kind": "external", "status": "accepted", "justification": line(reason.message)}]
            if kind == "excused"
            else []
        ),
        "properties": {"code": reason.code, "decision": kind, "version": version},
    }
