"""VEX documents, findings and rules for tests."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shipseal.judging.rules import Rules, read_rules
from shipseal.judging.vex import VexFile, read
from shipseal.project.config import HOME
from shipseal.scanning.findings import Finding, Fix, Severity

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
RULES = (HOME / "policy" / "rules.toml").read_text()


def rules(**severities: str) -> Rules:
    """Return the shipped rules, with some rulings changed."""
    text = RULES
    for severity, ruling in severities.items():
        before = next(line for line in text.splitlines() if line.startswith(f"{severity} ="))
        text = text.replace(before, f'{severity} = "{ruling}"')
    return read_rules(text)


def finding(name: str = "CVE-2026-1", **changes: Any) -> Finding:
    """Return a critical finding in zlib1g without a fix, with some of it changed."""
    values: dict[str, Any] = {
        "aliases": (),
        "package": "zlib1g",
        "version": "1.2",
        "purl": "pkg:deb/debian/zlib1g@1.2",
        "severity": Severity.CRITICAL,
        "fix": Fix.NOT_FIXED,
        **changes,
    }
    return Finding(id=name, **values)


def statement(**changes: Any) -> dict[str, Any]:
    """Return a statement that excuses `finding()`; a value of None takes a key out."""
    values = {
        "vulnerability": {"name": "CVE-2026-1"},
        "products": [{"@id": "pkg:deb/debian/zlib1g"}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
        "impact_statement": "the vulnerable part is not built",
        "valid_until": "2027-02-01",
        "evidence": [{"url": "https://example.com/advisory", "says": "the part is not built"}],
        **changes,
    }
    return {key: value for key, value in values.items() if value is not None}


SCANF: dict[str, Any] = {
    "vulnerability": {"name": "CVE-2026-5450"},
    "products": [{"@id": "pkg:deb/debian/libc6"}],
    "justification": "vulnerable_code_not_in_execute_path",
    "conditions": [
        {"no_import": "*scanf", "unless": ["usr/bin/python3.11"]},
        {"no_file": "*_ctypes*"},
        {"no_file": "*_cffi_backend*"},
    ],
}
"""What a person states of scanf, with the conditions of it, for `statement`."""


def document(*statements: dict[str, Any], **changes: Any) -> str:
    """Return the text of a VEX file."""
    return json.dumps(
        {
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": "urn:example:vex",
            "author": "A Tester",
            "timestamp": "2026-11-01T00:00:00Z",
            "version": 1,
            "statements": list(statements),
            **changes,
        }
    )


def parsed(*statements: dict[str, Any]) -> VexFile:
    """Return a VEX file, read."""
    return read(document(*statements), rules(), "policy/vex/test.json")


def write(policy: Path, *statements: dict[str, Any]) -> None:
    """Write a VEX file into a policy directory."""
    (policy / "vex").mkdir(parents=True, exist_ok=True)
    (policy / "vex" / "test.json").write_text(document(*statements))
