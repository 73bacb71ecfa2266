"""`scan` runs the real Grype, downloads nothing, and does not take a blind scanner for a clean image."""

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.engine.run import Run
from shipseal.engine.stage import Context, Stage
from shipseal.errors import ConfigError, ShipsealError, ToolFailed, VerificationFailed
from shipseal.local import advisories
from shipseal.project.config import HOME, Config
from shipseal.scanning.grype import Grype
from tests.conftest import MakeRun
from tests.stages.images import SmallImage
from tests.stages.rows import ONE_PLATFORM, SCAN, begin, perform

BUILT = datetime(2026, 11, 25, tzinfo=UTC)
SAMPLE = HOME / "policy" / "sample-advisories.toml"


async def listed_and_scanned(run: Run, image: SmallImage = ONE_PLATFORM) -> str:
    await begin(run, image, scanned=False)
    return await perform(run, SCAN)


def scanned(run: Run, name: str) -> Any:
    return json.loads((run.directory / "scan" / name).read_bytes())


def found(run: Run) -> set[str]:
    return {match["vulnerability"]["id"] for raw in scanned(run, "grype.json").values() for match in raw["matches"]}


async def imported(make_run: MakeRun, project: Path, source: Path) -> Run:
    """Give a run whose configuration names a database that was imported from a file."""
    database = project / "database"

    async def load(context: Context) -> str:
        await Grype(context.tools, database, context.out).load(source, "a test")
        return "imported"

    await make_run().perform(Stage("load", load, tools=("grype",)))
    with (project / "pipeline.toml").open("a") as configuration:
        configuration.write('[scan]\ndatabase = "database"\n')
    return make_run(config=Config.load(project / "pipeline.toml"))


def sample(path: Path) -> Path:
    advisories.build(advisories.read(SAMPLE), path)
    return path


def whole(path: Path, built: datetime = BUILT) -> Path:
    """Write a database that is whole as far as tests go."""
    known = advisories.read(SAMPLE).model_copy(update={"built": built})
    advisories.build(known, path, processor="tests")
    return path


async def test_the_sample_finds_what_is_known_of_our_runtime_and_says_that_it_is_a_sample(make_run: MakeRun) -> None:
    run = make_run()
    headline = await listed_and_scanned(run, SmallImage())
    assert found(run) == {"CVE-2026-5450", "CVE-2026-5928", "CVE-2026-27171"}
    assert headline == "3 findings (1 critical, 1 high, 1 medium); SAMPLE database of 2026-11-25"
    identity = scanned(run, "database.json")
    assert identity["sample"] is True
    assert identity["built"] == "2026-11-25T00:00:00Z"


async def test_the_checksum_on_record_is_that_of_the_sample(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    await listed_and_scanned(run)
    assert scanned(run, "database.json")["checksum"] == str(Digest.of_file(sample(tmp_path / "sample.db")))


async def test_a_vulnerable_waitress_is_found_by_both_advisories(make_run: MakeRun) -> None:
    run = make_run()
    await listed_and_scanned(run, ONE_PLATFORM.having(python={"waitress": "3.0.0"}))
    assert {"GHSA-9298-4cf8-g4wj", "GHSA-3f84-rpwh-47g6"} <= found(run)


async def test_finding_something_is_no_failure_and_every_platform_is_scanned(make_run: MakeRun) -> None:
    run = make_run()
    await listed_and_scanned(run, SmallImage())
    assert set(scanned(run, "grype.json")) == {"linux/amd64", "linux/arm64"}


async def test_a_release_does_not_use_a_sample(make_run: MakeRun) -> None:
    run = make_run("release")
    with pytest.raises(ConfigError, match="a release needs a whole vulnerability database"):
        await listed_and_scanned(run)


async def test_a_configured_database_is_used_and_identified(make_run: MakeRun, project: Path, tmp_path: Path) -> None:
    run = await imported(make_run, project, whole(tmp_path / "whole.db"))
    headline = await listed_and_scanned(run)
    assert headline.endswith("database of 2026-11-25, 0 days old")
    identity = scanned(run, "database.json")
    assert (identity["sample"], identity["source"]) == (False, "a test")
    record = json.loads((run.directory / "scan" / "record.json").read_bytes())
    assert list(record["materials"].values()) == [identity["checksum"]]


async def test_a_configured_database_that_nobody_imported_is_refused(make_run: MakeRun, project: Path) -> None:
    with (project / "pipeline.toml").open("a") as configuration:
        configuration.write('[scan]\ndatabase = "nowhere"\n')
    run = make_run(config=Config.load(project / "pipeline.toml"))
    with pytest.raises(ConfigError, match="holds no imported vulnerability database"):
        await listed_and_scanned(run)


async def test_a_database_without_advisories_is_no_clean_bill(make_run: MakeRun, project: Path, tmp_path: Path) -> None:
    source = whole(tmp_path / "empty.db")
    with sqlite3.connect(source) as connection:
        connection.execute("DELETE FROM affected_package_handles")
    connection.close()
    run = await imported(make_run, project, source)
    with pytest.raises(ToolFailed) as refused:
        await listed_and_scanned(run)
    assert "not found: GHSA-9298-4cf8-g4wj in pkg:pypi/waitress@3.0.0" in refused.value.explain()


async def test_an_altered_database_fails_the_tool(make_run: MakeRun, project: Path, tmp_path: Path) -> None:
    run = await imported(make_run, project, whole(tmp_path / "whole.db"))
    with (project / "database" / "6" / "vulnerability.db").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"!")
    with pytest.raises(VerificationFailed, match="is not the one that was imported"):
        await listed_and_scanned(run)


async def test_another_database_in_the_place_of_the_one_on_record_is_refused(
    make_run: MakeRun, project: Path, tmp_path: Path
) -> None:
    """Grype keeps the sum that it compares beside the database: whoever puts another there puts both."""
    run = await imported(make_run, project, whole(tmp_path / "whole.db"))
    record = (project / "database" / "database.json").read_bytes()
    shutil.rmtree(project / "database")
    (project / "pipeline.toml").write_text((project / "pipeline.toml").read_text().partition("[scan]")[0])
    await imported(make_run, project, whole(tmp_path / "other.db", BUILT - timedelta(days=1)))
    (project / "database" / "database.json").write_bytes(record)
    with pytest.raises(VerificationFailed, match="is not the one that was imported"):
        await listed_and_scanned(run)


@pytest.mark.parametrize("world", ["dry-run", "release"])
async def test_a_sample_that_is_configured_is_still_one_and_no_database_of_a_release(
    make_run: MakeRun, project: Path, tmp_path: Path, world: str
) -> None:
    """Whatever it is called: that it is a sample is written in it."""
    await imported(make_run, project, sample(tmp_path / "whole.db"))
    run = make_run(world, config=Config.load(project / "pipeline.toml"))
    if world == "release":
        with pytest.raises(ConfigError, match="holds the SAMPLE of a dry run"):
            await listed_and_scanned(run)
    else:
        assert (await listed_and_scanned(run)).endswith("; SAMPLE database of 2026-11-25")


@pytest.mark.parametrize("change", [{"built": "never"}, {"content": "sha256:0"}, {"sample": "no"}, {"source": 3}])
async def test_an_identity_that_no_import_wrote_is_none(
    make_run: MakeRun, project: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    run = await imported(make_run, project, whole(tmp_path / "whole.db"))
    path = project / "database" / "database.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(ConfigError, match="holds no imported vulnerability database"):
        await listed_and_scanned(run)


@pytest.mark.parametrize(
    ("sbom", "failure", "said"),
    [
        ({}, VerificationFailed, "components: it is missing"),
        ({"components": []}, VerificationFailed, "components: it has 0 entries"),
        ({"components": [{"type": "file", "name": "/bin/sh"}]}, ToolFailed, "lists no packages"),
    ],
)
async def test_an_sbom_without_packages_is_no_clean_bill(
    make_run: MakeRun, sbom: object, failure: type[ShipsealError], said: str
) -> None:
    async def listed(context: Context) -> str:
        context.write_json("linux-amd64/sbom.cdx.json", sbom)
        return "nothing"

    with pytest.raises(failure) as caught:
        await perform(make_run(), ONE_PLATFORM.stage(), Stage("sbom", listed, needs=("image",)), SCAN)
    assert said in caught.value.explain()


async def test_settings_of_the_user_change_nothing(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".grype.yaml").write_text("ignore:\n  - package: {name: libc6}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GRYPE_ONLY_FIXED", "true")
    monkeypatch.chdir(tmp_path)
    run = make_run()
    await listed_and_scanned(run)
    assert "CVE-2026-5450" in found(run)
