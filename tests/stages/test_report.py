"""The report is made from what the run has left, and warns of what was not real before it says anything else."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from shipseal.engine.stage import Context, Stage
from shipseal.stages.report import report
from tests import documents
from tests.conftest import MakeRun

DIGEST = "sha256:" + "a" * 64


async def image(context: Context) -> str:
    documents.image(f"docker.io/example/app@{DIGEST}", {"linux/amd64": documents.LAYER}).write(context)
    return "one platform"


async def scan(context: Context) -> str:
    context.write_json("database.json", {"built": "2026-11-01", "schema": "6.1.7", "sample": True})
    return "2 findings"


async def attest(context: Context) -> str:
    (context.out / "bundle.sigstore.json").write_text("{}")
    return "7 bundles"


ABOVE = (Stage("image", image), Stage("scan", scan), Stage("attest", attest))
Reported = Callable[[], Path]


@pytest.fixture
def reported(make_run: MakeRun) -> Reported:
    """Give a function that runs the stages and the report over them, and returns the report's directory."""

    def perform() -> Path:
        run = make_run()
        run.begin()

        async def every() -> None:
            for stage in (*ABOVE, Stage("report", report, needs=tuple(stage.name for stage in ABOVE))):
                await run.perform(stage)

        anyio.run(every)
        return run.directory / "report"

    return perform


def test_it_writes_one_page_and_one_markdown_file(reported: Reported) -> None:
    names = {path.name for path in reported().iterdir()} - {"record.json", "log.txt"}
    assert names == {"index.html", "summary.md"}


@pytest.mark.parametrize("name", ["index.html", "summary.md"])
@pytest.mark.parametrize("said", ["SAMPLE", "local test authority", "2 findings", DIGEST, "7 bundles", "not run"])
def test_both_say_what_the_run_gave_and_what_was_not_real(reported: Reported, name: str, said: str) -> None:
    assert said in (reported() / name).read_text(encoding="utf-8")


def test_the_warnings_stand_above_everything_else(reported: Reported) -> None:
    text = (reported() / "summary.md").read_text(encoding="utf-8")
    assert text.index("SAMPLE") < text.index("## Stages")
    assert text.index("local test authority") < text.index("## Stages")


def test_the_evidence_of_every_stage_is_listed_by_digest(reported: Reported) -> None:
    assert "attest/bundle.sigstore.json" in (reported() / "summary.md").read_text(encoding="utf-8")
