"""From a scan to a statement: what was seen of an image becomes what it may, and a person has the last word."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.cli import main
from shipseal.documents.image import ImageDocument
from shipseal.documents.smoke import TraceDocument
from shipseal.engine.run import Run
from shipseal.engine.stage import Context, Stage
from tests import measured
from tests.conftest import MakeRun
from tests.stages.images import SITE
from tests.stages.rows import ONE_PLATFORM, VEX, begin, perform

OLD_PYTHON = {**ONE_PLATFORM.debian, "python3.11-minimal": "3.11.2-6+deb12u4"}
WITHOUT = ONE_PLATFORM.having(debian=OLD_PYTHON)
TAR, VENV = "usr/lib/python3.11/tarfile.pyc", "usr/lib/python3.11/venv/__init__.pyc"
PRESENT = WITHOUT.having(more={TAR: b"code", VENV: b"code"})
WAITRESS = f"{SITE}/waitress/__init__.pyc"


def written(run: Run, name: str) -> Any:
    return json.loads((run.directory / "vex" / name).read_bytes())


def watched(**opened: tuple[str, ...]) -> Stage:
    """Return a stage that stands where `smoke` does, and has seen these files opened or not."""

    async def smoke(context: Context) -> str:
        [(platform, entry)] = ImageDocument.read(context).platforms.items()
        TraceDocument(measured.watched(platform, entry.digest, **opened)).write(context)
        return "watched"

    return Stage("smoke", smoke, needs=("image",))


async def stated(run: Run, image: Any, **opened: tuple[str, ...]) -> Mapping[str, tuple[str, str]]:
    """Return the status and the justification of what is published about each vulnerability."""
    await begin(run, image)
    await perform(run, watched(**opened), VEX)
    return {
        each["vulnerability"]["name"]: (each["status"], each.get("justification", ""))
        for each in written(run, "openvex.json")["statements"]
    }


async def test_an_advisory_on_a_module_that_the_image_lacks_ends_by_e0(make_run: MakeRun) -> None:
    run = make_run()
    said = await stated(run, WITHOUT)
    absent = ("not_affected", "vulnerable_code_not_present")
    assert {name: said[name] for name in ("CVE-2025-8194", "CVE-2024-9287")} == dict.fromkeys(
        ("CVE-2025-8194", "CVE-2024-9287"), absent
    )
    image = json.loads((run.directory / "image" / "image.json").read_bytes())["digest"]
    notes = [each["status_notes"] for each in written(run, "openvex.json")["statements"]]
    assert any(f"E0 on {image}: none of the" in each and "is tarfile" in each for each in notes)


async def test_a_module_that_is_there_and_never_loaded_ends_as_a_proposal_and_no_fact(make_run: MakeRun) -> None:
    run = make_run()
    said = await stated(run, PRESENT, never_opened=(TAR, VENV))
    assert said["CVE-2025-8194"] == ("under_investigation", "")
    assert [each["finding"] for each in written(run, "proposals.json")] == ["CVE-2024-9287", "CVE-2025-8194"]


async def test_a_module_that_is_loaded_is_affected(make_run: MakeRun) -> None:
    run = make_run()
    said = await stated(run, PRESENT, loaded=(TAR,), never_opened=(VENV,))
    assert said["CVE-2025-8194"] == ("affected", "")
    assert [each["finding"] for each in written(run, "proposals.json")] == ["CVE-2024-9287"]


@pytest.mark.parametrize(
    ("version", "expected"), [("3.0.0", {"GHSA-9298-4cf8-g4wj", "GHSA-3f84-rpwh-47g6"}), ("3.0.2", set())]
)
async def test_waitress_is_affected_where_a_vulnerable_one_is_loaded_and_gone_when_it_is_raised(
    make_run: MakeRun, version: str, expected: set[str]
) -> None:
    channel = f"{SITE}/waitress/channel.pyc"
    image = ONE_PLATFORM.having(python={"waitress": version}, more={channel: b"code"})
    run = make_run()
    said = await stated(run, image, loaded=(WAITRESS, channel))
    assert {name for name in said if name.startswith("GHSA")} == expected
    actions = [
        each["action_statement"] for each in written(run, "openvex.json")["statements"] if "action_statement" in each
    ]
    assert all(each.startswith("upgrade waitress to 3.0.1") for each in actions)
    assert len(actions) == len(expected)


def run_verb(*words: str) -> int:
    return main(["vex", *words])


def test_a_person_accepts_a_proposal_and_grype_shows_what_it_suppresses(
    make_run: MakeRun, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    anyio.run(lambda: stated(run, PRESENT, never_opened=(TAR, VENV)))
    named = ("--config", str(project / "pipeline.toml"), "--run-dir", str(run.directory))
    assert run_verb("propose", "CVE-2025-8194", *named) == 0
    told = capsys.readouterr().out
    assert "E1 on sha256:" in told
    assert "E2 on sha256:" in told
    draft = project / "policy" / "vex" / "CVE-2025-8194.json.draft"
    assert run_verb("propose", "CVE-2025-8194", *named) == 2  # what somebody may have filled in is not overwritten

    value = json.loads(draft.read_bytes())
    value |= {"author": "A Person", "timestamp": "2026-11-25T00:00:00Z"}
    value["statements"][0] |= {"impact_statement": "no archive comes from outside", "valid_until": "2027-02-01"}
    draft.with_suffix("").write_text(json.dumps(value))
    accepted = make_run()
    anyio.run(lambda: perform(accepted, VEX))
    claims = {each["statement"]["vulnerability"]["name"]: each for each in written(accepted, "evidence.json")["claims"]}
    assert claims["CVE-2025-8194"]["state"] == "applied"
    capsys.readouterr()
    assert run_verb("check", *named) == 0
    told = capsys.readouterr().out
    assert "CVE-2025-8194 (not_affected) on linux/amd64: suppresses CVE-2025-8194 in pkg:deb/debian/python3.11" in told
    assert "CVE-2024-9287 (under_investigation) on linux/amd64: suppresses nothing\n" in told
    assert "CVE-2023-45853 (not_affected) on linux/amd64: suppresses nothing: no finding is about it" in told


def test_a_statement_that_suppresses_more_than_its_finding_is_refused(
    make_run: MakeRun, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As somebody would write it who wants to silence a package in every image: by the package, not by the image."""
    run = make_run()

    async def widened(context: Context) -> str:
        document = json.loads((context.run_dir / "broad.json").read_bytes())
        context.write_json("openvex.json", document)
        return "broader than it was"

    async def begun() -> None:
        await stated(run, WITHOUT)
        document = written(run, "openvex.json")
        for each in document["statements"]:
            parts = each["products"][0]["subcomponents"]
            each["products"] = [{"@id": part["@id"], "hashes": {}, "subcomponents": []} for part in parts]
        (run.directory / "broad.json").write_text(json.dumps(document))
        await perform(run, Stage("vex", widened))

    anyio.run(begun)
    named = ("--config", str(project / "pipeline.toml"), "--run-dir", str(run.directory))
    assert run_verb("check", *named) == 6
    assert "does not do what it says" in capsys.readouterr().err


def test_what_nobody_proposes_is_not_written(
    make_run: MakeRun, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    anyio.run(lambda: stated(run, WITHOUT))
    named = ("--config", str(project / "pipeline.toml"), "--run-dir", str(run.directory))
    assert run_verb("propose", "CVE-2025-8194", *named) == 2
    assert "nothing is proposed about CVE-2025-8194" in capsys.readouterr().err
    assert run_verb("propose", *named) == 0
    assert run_verb("propose", "--config", str(project / "pipeline.toml"), "--run-dir", str(project / "none")) == 2
