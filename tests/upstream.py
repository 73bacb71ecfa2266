"""Stand-ins for the stages before `attest`: small bodies that leave what the real ones leave, for a small image."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from shipseal.digest import Digest
from shipseal.documents.image import ImageDocument
from shipseal.documents.inputs import InputsDocument
from shipseal.documents.scan import DatabaseDocument
from shipseal.documents.tools import StoredTool, ToolsDocument
from shipseal.engine.run import Run
from shipseal.engine.stage import Context, Stage
from shipseal.engine.table import RECORDED
from shipseal.engine.world import choose
from shipseal.locked.store import Store
from shipseal.oci.documents import CONFIG, INDEX, MANIFEST
from shipseal.oci.documents import LAYER as LAYER_TYPE
from shipseal.project.config import HOME, Config
from shipseal.stages.attest import attest
from shipseal.stages.facts import facts
from shipseal.stages.promote import promote
from shipseal.stages.publish import publish
from shipseal.stages.verify import verify
from tests import documents
from tests.conftest import NOW, PIPELINE_TOML, commit

PLATFORMS: tuple[str, ...] = ("linux/amd64", "linux/arm64")
NAME = "registry.example/acme/sample"
VERSION = "1.2.3"
WHEEL = Digest.of(b"a wheel")
LAYER = "a layer"

JUNIT = b"""<testsuites><testsuite><testcase classname="tests.test_it" name="test_works"/></testsuite></testsuites>"""


async def inputs(context: Context) -> str:
    InputsDocument(wheels={}, debian={}, tools={}).write(context)
    return "inputs"


async def tools(context: Context) -> str:
    named = {
        name: StoredTool(version="1.0.0", digest=at, source="unknown") for name, at in context.tools.locked.items()
    }
    ToolsDocument(named).write(context)
    return "tools"


async def build(context: Context) -> str:
    context.material("pkg:pypi/waitress@3.0.2", WHEEL)
    (context.out / "wheels").mkdir()
    (context.out / "wheels" / "sample.whl").write_bytes(b"a built wheel")
    return "built"


async def test(context: Context) -> str:
    (context.out / "junit.xml").write_bytes(JUNIT)
    return "tested"


async def image(context: Context) -> str:
    layout = context.out / "layout"
    (layout / "blobs" / "sha256").mkdir(parents=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    platforms = {platform: _platform(layout, platform) for platform in PLATFORMS}
    index = _blob(layout, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(platforms.values())})
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [index]}))
    digest = Digest.parse(index["digest"])
    every = {name: Digest.parse(item["digest"]) for name, item in platforms.items()}
    documents.image(f"{NAME}@{digest}", every, version=VERSION).write(context)
    return "imaged"


async def smoke(context: Context) -> str:
    (context.out / "junit.xml").write_bytes(JUNIT)
    documents.smoke(WHEEL, PLATFORMS[0]).write(context)
    return "smoked"


async def sbom(context: Context) -> str:
    for platform, entry in ImageDocument.read(context).platforms.items():
        place = platform.replace("/", "-")
        context.write_json(f"{place}/sbom.cdx.json", cyclonedx(str(entry.digest)))
        context.write_json(f"{place}/sbom.spdx.json", spdx(str(entry.digest)))
    return "listed"


async def scan(context: Context) -> str:
    context.write_json("grype.json", dict.fromkeys(PLATFORMS, GRYPE))
    DatabaseDocument(
        built="2026-11-20T00:00:00Z", schema_version="6.1.7", checksum=WHEEL, source="sample", sample=True
    ).write(context)
    return "scanned"


async def vex(context: Context) -> str:
    documents.openvex(str(ImageDocument.read(context).reference), context.now, "CVE-2023-45853").write(context)
    return "excused"


async def assess(context: Context) -> str:
    documents.verdict(f"{NAME}@{WHEEL}", context.now, {"image": WHEEL, "policy/rules.toml": WHEEL}).write(context)
    return "allowed"


async def admit(context: Context) -> str:
    context.write_json("admitted.json", {})
    return "admitted"


GRYPE: dict[str, Any] = {
    "descriptor": {
        "name": "grype",
        "version": "0.115.0",
        "db": {"status": {"built": "2026-11-20T00:00:00Z", "schemaVersion": "6.1.7"}},
    },
    "matches": [
        {
            "vulnerability": {
                "id": "CVE-2023-45853",
                "severity": "Critical",
                "fix": {"state": "not-fixed", "versions": []},
                "cvss": [{"version": "3.1", "metrics": {"baseScore": 9.8}}],
            },
            "relatedVulnerabilities": [],
            "artifact": {"name": "zlib1g", "version": "1:1.2.13", "purl": "pkg:deb/debian/zlib1g@1.2.13"},
        }
    ],
}


def cyclonedx(digest: str) -> dict[str, Any]:
    """Return the smallest list of content that says whose content it is."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "components": [{"type": "library", "name": "waitress", "version": "3.0.2"}],
        "metadata": {"component": {"type": "container", "name": NAME, "version": digest}},
    }


def spdx(digest: str) -> dict[str, Any]:
    """Return the same as SPDX."""
    return {
        "spdxVersion": "SPDX-2.3",
        "packages": [{"SPDXID": "SPDXRef-Image", "name": NAME, "versionInfo": digest}],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-Image",
            }
        ],
    }


def _platform(layout: Path, platform: str) -> dict[str, Any]:
    os, _, architecture = platform.partition("/")
    layer = _bytes(layout, LAYER_TYPE, f"{LAYER} for {platform}".encode())
    labels = {"org.opencontainers.image.version": VERSION}
    config = _blob(layout, CONFIG, {"os": os, "architecture": architecture, "config": {"Labels": labels}})
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    return {**_blob(layout, MANIFEST, manifest), "platform": {"os": os, "architecture": architecture}}


def _blob(layout: Path, media_type: str, value: object) -> dict[str, Any]:
    return _bytes(layout, media_type, json.dumps(value, sort_keys=True).encode())


def _bytes(layout: Path, media_type: str, data: bytes) -> dict[str, Any]:
    digest = Digest.of(data)
    (layout / "blobs" / "sha256" / digest.hex).write_bytes(data)
    return {"mediaType": media_type, "digest": str(digest), "size": len(data)}


BEFORE: Sequence[Stage] = (
    Stage("facts", facts, tools=("git",), always_run=True),
    Stage("inputs", inputs),
    Stage("tools", tools),
    Stage("build", build),
    Stage("test", test),
    Stage("image", image),
    Stage("smoke", smoke),
    Stage("sbom", sbom, needs=("image",)),
    Stage("scan", scan),
    Stage("vex", vex, needs=("image",)),
    Stage("assess", assess),
    Stage("admit", admit),
)
ATTEST = Stage("attest", attest, needs=RECORDED, tools=("cosign",), uncached=True)
PUBLISH = Stage("publish", publish, needs=("image", "attest"), tools=("oras", "olareg"), uncached=True)
VERIFY = Stage(
    "verify", verify, needs=("attest", "publish"), tools=("cosign", "oras", "olareg"), reads=("policy",), uncached=True
)
PROMOTE = Stage(
    "promote",
    promote,
    needs=("image", "attest", "publish", "verify"),
    tools=("cosign", "oras", "olareg"),
    reads=("policy",),
    uncached=True,
)


def performed(root: Path, store: Store, locked: Mapping[str, Digest], *stages: Stage) -> Run:
    """Make a small project, perform all before `attest` and then these stages; return the run."""
    for directory in ("service", "tests", "policy"):
        (root / directory).mkdir()
    (root / "pipeline.toml").write_text(PIPELINE_TOML)
    shutil.copy(HOME / "policy" / "verification.toml", root / "policy")
    commit(root)
    config = Config.load(root / "pipeline.toml")
    run = Run(root / ".run", config, store, locked, choose("dry-run", config), clock=lambda: NOW)

    async def every() -> None:
        for stage in (*BEFORE, *stages):
            await run.perform(stage)

    anyio.run(every)
    return run


def copy(run: Run, where: Path) -> Run:
    """Return a run that goes on from a copy of what another one has left."""
    shutil.copytree(run.directory, where)
    return Run(where, run.config, run.store, run.locked, run.world, clock=run.clock)
