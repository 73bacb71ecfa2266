"""`vex` publishes what is stated about this image, and has Grype apply the same statements as a second opinion."""

import json
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.engine.run import Event, Run
from shipseal.engine.stage import Context, Stage
from shipseal.errors import ConfigError
from shipseal.scanning.grype import Grype
from tests.conftest import MakeRun
from tests.stages.images import SmallImage
from tests.stages.rows import ONE_PLATFORM, VEX, begin, perform
from tests.statements import SCANF, statement, write

ODD = Path("/bin/sh").read_bytes().replace(b"\0malloc\0", b"\0sscanf\0")
FOLLOWS = ("CVE-2026-27171", "CVE-2026-5450", "CVE-2026-5928")
"""What a small image lacks: it has the records of the packages, and no library."""
HIDDEN = {"opt/more.zip": b"PK\x03\x04"}
"""A file that nobody has looked into, which may hold anything."""
MEDIUM = {"vulnerability": {"name": "CVE-2026-27171"}}


async def stated(run: Run, image: SmallImage = ONE_PLATFORM) -> str:
    await begin(run, image)
    return await perform(run, VEX)


def written(run: Run, name: str) -> Any:
    return json.loads((run.directory / "vex" / name).read_bytes())


def states(run: Run) -> dict[str, str]:
    claims = written(run, "evidence.json")["claims"]
    return {claim["statement"]["vulnerability"]["name"]: claim["state"] for claim in claims}


async def test_what_we_state_of_the_runtime_applies_and_grype_reads_it_alike(make_run: MakeRun) -> None:
    run = make_run()
    headline = await stated(run, SmallImage())
    assert headline == "4 statements (4 applied), 3 of them by evidence; Grype agrees"
    assert states(run) == dict.fromkeys(("CVE-2023-45853", *FOLLOWS), "applied")
    assert written(run, "evidence.json")["suppressed_by_grype_too"] == 6  # three on each platform


async def test_the_published_document_speaks_of_the_index_and_of_each_platform(make_run: MakeRun) -> None:
    run = make_run()
    await stated(run, SmallImage())
    image = json.loads((run.directory / "image" / "image.json").read_bytes())
    digests = [image["digest"], *(platform["digest"] for platform in image["platforms"].values())]
    for each in written(run, "openvex.json")["statements"]:
        assert [product["@id"] for product in each["products"]] == [f"pkg:oci/sample@{digest}" for digest in digests]


async def test_a_projects_own_statement_is_added(make_run: MakeRun, project: Path) -> None:
    write(project / "policy", statement(**MEDIUM))
    run = make_run()
    await stated(run, ONE_PLATFORM.having(more=HIDDEN))
    assert states(run) == {"CVE-2023-45853": "applied", "CVE-2026-27171": "applied"}
    assert written(run, "evidence.json")["suppressed_by_grype_too"] == 1


async def test_a_statement_under_the_name_of_one_of_ours_replaces_it(make_run: MakeRun, project: Path) -> None:
    write(project / "policy", statement(**MEDIUM))
    (project / "policy" / "vex" / "test.json").rename(project / "policy" / "vex" / "zlib-minizip.json")
    run = make_run()
    await stated(run)
    assert "CVE-2023-45853" not in states(run)


async def test_where_no_statement_applies_the_document_that_is_published_says_nothing_and_that_is_said(
    make_run: MakeRun, project: Path, events: list[Event]
) -> None:
    write(project / "policy", statement(products=[{"@id": "pkg:pypi/not-in-this-image"}]))
    (project / "policy" / "vex" / "test.json").rename(project / "policy" / "vex" / "zlib-minizip.json")
    run = make_run(observe=events.append)
    headline = await stated(run, ONE_PLATFORM.having(more=HIDDEN))
    assert headline == (
        "1 statements (1 not-in-image), 0 of them by evidence; none applies, so what is published states nothing; "
        "Grype agrees"
    )
    assert written(run, "openvex.json")["statements"] == []
    assert any("no VEX statement applies" in event.text for event in events)


async def test_an_expired_statement_is_evidence_but_not_published(make_run: MakeRun, project: Path) -> None:
    write(project / "policy", statement(**MEDIUM, valid_until="2026-11-24"))
    run = make_run()
    await stated(run)
    assert states(run)["CVE-2026-27171"] == "expired"
    published = {each["vulnerability"]["name"] for each in written(run, "openvex.json")["statements"]}
    assert published == {"CVE-2023-45853", "CVE-2026-5450", "CVE-2026-5928"}


async def test_a_program_that_calls_what_nobody_looked_at_refutes_the_statement(
    make_run: MakeRun, project: Path
) -> None:
    write(project / "policy", statement(**SCANF))
    image = ONE_PLATFORM.having(more={"usr/bin/odd": ODD})
    run = make_run()
    await stated(run, image)
    assert states(run)["CVE-2026-5450"] == "refuted"
    refuted = [claim["refuted_by"] for claim in written(run, "evidence.json")["claims"] if claim["refuted_by"]]
    assert refuted == [["usr/bin/odd imports sscanf"]]


async def test_a_file_that_was_to_be_absent_refutes_the_statement(make_run: MakeRun) -> None:
    image = ONE_PLATFORM.having(more={"usr/lib/x86_64-linux-gnu/libminizip.so.1": b"a library"})
    run = make_run()
    await stated(run, image)
    assert states(run)["CVE-2023-45853"] == "refuted"


@pytest.mark.parametrize("ours", [True, False], ids=["this image", "another image"])
async def test_a_consumers_grype_believes_the_published_document_of_this_image_alone(
    make_run: MakeRun, ours: bool
) -> None:
    run = make_run()
    await stated(run)
    digest = json.loads((run.directory / "image" / "image.json").read_bytes())["platforms"]["linux/amd64"]["digest"]
    pulled = f"registry.example/acme/sample@{digest if ours else Digest.of(b'another')}"
    seen: list[str] = []

    async def consume(context: Context) -> str:
        listing = json.loads(context.read("sbom", "linux-amd64/sbom.syft.json"))
        listing["source"]["metadata"]["repoDigests"] = [pulled]  # what Syft writes of an image out of a registry
        document = context.write_json("pulled.json", listing)
        grype = Grype(context.tools, context.of("scan") / "database", context.out)
        report = await grype.scan(document, context.of("vex") / "openvex.json")
        seen.extend(match["vulnerability"]["id"] for match in report["matches"])
        return "consumed"

    await run.perform(Stage("consume", consume, needs=("sbom", "scan", "vex"), tools=("grype",)))
    assert ("CVE-2026-5450" in seen) is not ours


async def test_a_statement_of_unknown_shape_is_refused_with_its_name(make_run: MakeRun, project: Path) -> None:
    write(project / "policy", statement(evidence=None))
    with pytest.raises(ConfigError, match=r"policy/vex/test\.json asks for something that cannot be"):
        await stated(make_run())
