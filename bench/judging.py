"""Measure a judgement: 10,000 findings, 2,000 statements, 50 rules: `python -m bench.judging`.

The rules are all of the catalogue, switched on, and as many waivers as make 50. Each size runs in a process of its own,
from the bytes of the documents to the verdict; so its memory is its own. A quarter and a half of each show the growth.
"""

import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

from shipseal.digest import Digest
from shipseal.judging.case import Case, decide
from shipseal.judging.catalogue import RULES as CATALOGUE
from shipseal.judging.claims import ClaimState
from tests.cases import IMAGE, PLATFORM, evidence, image, match, report
from tests.statements import NOW, RULES

FINDINGS, STATEMENTS, ENTRIES = 10_000, 2_000, 50
LIMIT, LIMIT_MIB = 2.0, 200  # seconds on an idle core; the whole process
MORE = """
[leeway]
high = 7
[licences]
allow = ["MIT", "Zlib"]
unknown = "deny"
[base]
packages = ["libc6"]
"""
_WAIVER = """
[[waiver]]
finding = "CVE-2026-{number}"
package = "pkg:deb/debian/package{number}"
reason = "accepted while this is measured"
owner = "A Tester"
since = 2026-11-01
until = 2027-01-01
"""


def documents(findings: int, statements: int) -> Case:
    """Return a case: every finding in a package of its own, statements for the first, waivers for the last."""
    purls = [f"pkg:deb/debian/package{number}@1.{number}" for number in range(findings)]
    severities = ("Critical", "High", "Medium", "Low")
    matches = [match(f"CVE-2026-{n}", purl, severities[n % 4]) for n, purl in enumerate(purls)]
    built = "2026-11-24T00:00:00Z"
    waivers = [_WAIVER.format(number=findings - 1 - n) for n in range(max(0, ENTRIES - len(CATALOGUE)))]
    values: dict[str, Any] = {
        "image/image.json": image(purls),
        "scan/grype.json": {PLATFORM: report(matches, built, ("debian", "kev", "epss"))},
        "scan/database.json": {
            "built": built,
            "schema": "v6.1.7",
            "source": "a bench",
            "sample": False,
            "checksum": str(Digest.of(b"a database")),
        },
        "vex/evidence.json": evidence(IMAGE, map(_claim, range(statements)), {}),
        "sbom/linux-amd64/sbom.cdx.json": {
            "components": [{"purl": purl, "licenses": [{"expression": "MIT OR Zlib"}]} for purl in purls]
        },
    }
    files = {name: json.dumps(value).encode() for name, value in values.items()}
    texts = {"policy/rules.toml": RULES + MORE, "policy/waivers.toml": "".join(waivers)}
    return Case({**files, **{name: text.encode() for name, text in texts.items()}}, NOW, release=False)


def _claim(number: int) -> dict[str, Any]:
    """Return a statement as `vex/evidence.json` keeps it."""
    said = {
        "vulnerability": {"name": f"CVE-2026-{number}"},
        "products": [{"@id": f"pkg:deb/debian/package{number}"}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
        "impact_statement": "the vulnerable part is not built",
        "timestamp": "2026-11-01T00:00:00Z",
        "valid_until": "2027-02-01",
        "evidence": [{"url": "https://example.com/advisory", "says": "the part is not built"}],
    }
    return {
        "source": f"policy/vex/{number}.json",
        "author": "A Tester",
        "state": ClaimState.APPLIED.value,
        "days_left": 69,
        "product": f"pkg:deb/debian/package{number}",
        "packages": [f"pkg:deb/debian/package{number}@1.{number}"],
        "refuted_by": [],
        "seen": [],
        "statement": said,
    }


def measure(findings: int, statements: int) -> dict[str, float]:
    """Judge once in this process; return seconds, seconds of its processor, and the MiB that the process has had."""
    case = documents(findings, statements)
    began, spent = time.perf_counter(), time.process_time()
    verdict = decide(case)
    seconds, processor = time.perf_counter() - began, time.process_time() - spent
    assert len(list(verdict.reasons)) >= findings
    assert len(verdict.excused) >= statements
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "processor": processor, "mib": peak}


def main(arguments: list[str]) -> None:
    """Print the table; with `one FINDINGS STATEMENTS` measure that and print it as JSON."""
    if arguments[:1] == ["one"]:
        print(json.dumps(measure(int(arguments[1]), int(arguments[2]))))
        return
    print(f"# a judgement by {ENTRIES} rules and waivers; load {os.getloadavg()[0]:.1f}\n")
    print("| findings | statements | seconds | processor | µs a finding | MiB |")
    print(f"|{' ---: |' * 6}")
    last: dict[str, float] = {}
    for part in (4, 2, 1):
        findings, statements = FINDINGS // part, STATEMENTS // part
        command = [sys.executable, "-m", "bench.judging", "one", str(findings), str(statements)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        last = json.loads(done.stdout)
        each = last["processor"] / findings * 1e6
        told = f"{last['seconds']:.2f} | {last['processor']:.2f} | {each:.0f} | {last['mib']:.0f}"
        print(f"| {findings:,} | {statements:,} | {told} |")
    within = last["processor"] < LIMIT and last["mib"] < LIMIT_MIB
    print(f"\njudging: {'within' if within else 'beyond'} {LIMIT:g} s of a processor and {LIMIT_MIB} MiB")


if __name__ == "__main__":
    main(sys.argv[1:])
