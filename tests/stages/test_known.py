"""What the real Grype says of fixes, of attacks and of its sources is read where a database has it, and judged."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shipseal.engine.stage import Context, Stage
from shipseal.local import advisories
from shipseal.project.config import HOME, Config
from shipseal.scanning import findings
from shipseal.scanning.findings import Finding
from shipseal.scanning.grype import Grype
from tests.conftest import MakeRun
from tests.stages.rows import ASSESS, ONE_PLATFORM, SCAN, SMOKE, VEX, begin, perform
from tests.statements import RULES

KNOWN = """
CREATE TABLE known_exploited_vulnerability_handles (id integer PRIMARY KEY, cve text NOT NULL, blob_id integer);
CREATE TABLE epss_metadata (date datetime NOT NULL);
CREATE TABLE epss_handles (id integer PRIMARY KEY, cve text NOT NULL, epss real NOT NULL, percentile real NOT NULL);
INSERT INTO epss_metadata VALUES ('2026-11-24 00:00:00+00:00');
INSERT INTO epss_handles VALUES (NULL, 'CVE-2026-27171', 0.25, 0.9);
INSERT INTO blobs VALUES (9000, '{"cve":"CVE-2026-5928","date_added":"2026-11-23T00:00:00Z"}');
INSERT INTO known_exploited_vulnerability_handles VALUES (NULL, 'CVE-2026-5928', 9000);
INSERT INTO providers VALUES ('kev', '1', 'tests', '2026-11-23 00:00:00+00:00', 'xxh64:0000000000000000');
INSERT INTO providers VALUES ('epss', '1', 'tests', '2026-11-24 00:00:00+00:00', 'xxh64:0000000000000000');
"""
FIXED = '"detail":{"available":{"date":"2026-11-20T00:00:00Z","kind":"advisory"}},"state":"fixed"'


def knowing(path: Path) -> Path:
    """Write a whole database that knows one exploited, one likely and one fixed on a day."""
    advisories.build(advisories.read(HOME / "policy" / "sample-advisories.toml"), path, processor="tests")
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(KNOWN)
        database.execute("UPDATE blobs SET value = replace(value, ?, ?)", ('"state":"fixed"', FIXED))
    return path


@pytest.fixture
async def judged(make_run: MakeRun, project: Path, tmp_path: Path) -> tuple[dict[str, Finding], Any]:
    """Give the findings of a scan by that database, and the verdict on them."""
    source = knowing(tmp_path / "knowing.db")

    async def load(context: Context) -> str:
        await Grype(context.tools, project / "database", context.out).load(source, "a test")
        return "imported"

    await make_run().perform(Stage("load", load, tools=("grype",)))
    with (project / "pipeline.toml").open("a") as configuration:
        configuration.write('[scan]\ndatabase = "database"\n')
    rules = f"{RULES}\nepss-at-least = 0.2\n[leeway]\nhigh = 30\n"
    (project / "policy" / "rules.toml").write_text(rules)
    (project / "policy" / "advisories").mkdir()
    for name in ("glibc", "zlib"):  # in place of the pipeline's: nobody knows where the code of those advisories is
        ours = (HOME / "policy" / "advisories" / f"{name}.toml").read_text()
        (project / "policy" / "advisories" / f"{name}.toml").write_text(ours.replace("CVE-2026-", "CVE-2000-"))
    run = make_run(config=Config.load(project / "pipeline.toml"))
    await begin(run, ONE_PLATFORM.having(python={"waitress": "3.0.0"}), scanned=False)
    await perform(run, SMOKE, SCAN, VEX, ASSESS)
    raw = json.loads((run.directory / "scan" / "grype.json").read_bytes())
    found = findings.merge({name: findings.read(report) for name, report in raw.items()})
    verdict = json.loads((run.directory / "assess" / "verdict.json").read_bytes())
    return {finding.id: finding for finding in found}, verdict


async def test_dates_of_fixes_and_what_is_known_of_attacks_are_read_from_the_real_scanner(
    judged: tuple[dict[str, Finding], Any],
) -> None:
    found, _ = judged
    assert {name for name, each in found.items() if each.exploited} == {"CVE-2026-5928"}
    assert {name: each.epss for name, each in found.items() if each.epss is not None} == {"CVE-2026-27171": 0.25}
    assert str(found["GHSA-9298-4cf8-g4wj"].fixed_on) == "2026-11-20"
    assert (found["GHSA-9298-4cf8-g4wj"].provider, found["CVE-2026-5928"].provider) == ("github", "debian")


async def test_the_verdict_is_by_what_the_database_knows_and_names_the_day_of_each_source(
    judged: tuple[dict[str, Finding], Any],
) -> None:
    _, verdict = judged
    denied = {reason["finding"]: reason["code"] for reason in verdict["denied"]}
    assert (denied["CVE-2026-5928"], denied["CVE-2026-27171"]) == ("known-exploited", "epss")
    noted = {reason["finding"]: reason["message"] for reason in verdict["noted"]}
    assert noted["GHSA-3f84-rpwh-47g6"].endswith("; the fix has to be taken by 2026-12-20")
    assert verdict["database"]["providers"] == {
        "debian": "2026-11-25T00:00:00Z",
        "epss": "2026-11-24T00:00:00Z",
        "github": "2026-11-25T00:00:00Z",
        "kev": "2026-11-23T00:00:00Z",
    }
    came_out = {line["code"]: line["decision"] for line in verdict["rules"]}
    assert (came_out["known-exploited"], came_out["epss"]) == ("denied", "denied")
