"""A document of a shape that nobody knows is refused before anything is taken out of it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest

from shipseal.documents.attest import EffectsDocument
from shipseal.documents.deploy import DeployDocument
from shipseal.documents.document import Kept
from shipseal.documents.facts import FactsDocument
from shipseal.documents.image import ClosureDocument, ImageDocument, LayersDocument, OfferedDocument
from shipseal.documents.inputs import InputsDocument
from shipseal.documents.promote import NOWHERE, TagsDocument
from shipseal.documents.publish import PublishedDocument
from shipseal.documents.sbom import CycloneDxDocument, SpdxDocument, SyftDocument
from shipseal.documents.scan import DatabaseDocument, ImportedDocument, ScanDocument
from shipseal.documents.smoke import SmokeDocument, SuiteDocument, TraceDocument
from shipseal.documents.tools import ToolsDocument
from shipseal.documents.verdict import VerdictDocument
from shipseal.documents.verify import DiscoveryDocument, VerificationDocument
from shipseal.documents.vex import EvidenceDocument, OpenVexDocument, ProposalsDocument
from shipseal.errors import VerificationFailed
from tests import documents, measured
from tests.statements import NOW

DIGEST = f"sha256:{'1' * 64}"
REFERENCE = f"docker.io/example/app@{DIGEST}"
IMAGE = documents.image(REFERENCE, {"linux/amd64": documents.LAYER}).as_json()
PLATFORM = IMAGE["platforms"]["linux/amd64"]
MATCH: dict[str, Any] = {
    "vulnerability": {"id": "CVE-1", "severity": "High", "fix": {"state": "", "versions": []}},
    "relatedVulnerabilities": [],
    "artifact": {"name": "a", "version": "1", "purl": "pkg:deb/debian/a@1"},
}
STATUS = {"descriptor": {"version": "1", "db": {"status": {"built": "b", "schemaVersion": "v6"}}}}
WHEEL = {"name": "waitress", "version": "3.0.2", "filename": "waitress.whl", "digest": DIGEST}
PUBLISHED = documents.published(REFERENCE).as_json()
DATABASE = {"built": "2026-11-20T00:00:00Z", "schema": "6", "checksum": DIGEST, "source": "a", "sample": True}
OBSERVATION = {"tier": "E0", "on": DIGEST, "says": "it is not there"}
CLAIM = {
    "source": "a.json",
    "author": "b",
    "state": "applied",
    "days_left": 5,
    "product": "pkg:deb/debian/a",
    "packages": ["pkg:deb/debian/a@1"],
    "refuted_by": ["c"],
    "seen": [OBSERVATION],
    "statement": {"d": 1},
}
REASON = dict.fromkeys(("code", "finding", "package", "message", "remedy", "until", "provider"), "a")

DEPLOYED = {
    "state": "deployed",
    "reason": "receipt 1 in default",
    "reference": REFERENCE,
    "manifests": "deploy",
    "kubernetes": "1.35.4",
    "objects": ["Service default/app"],
    "rendered": DIGEST,
}

WHOLE: dict[type[Kept], Any] = {
    FactsDocument: {
        "revision": "1" * 40,
        "commit_time": 1,
        "repository": "",
        "ref": "refs/heads/main",
        "dirty": False,
        "changed": [],
        "tree": DIGEST,
    },
    InputsDocument: {
        "wheels": {"build": [WHEEL]},
        "debian": {"linux/amd64": [{**WHEEL, "architecture": "amd64"}]},
        "tools": {"syft": {"version": "1", "digest": DIGEST}},
    },
    ToolsDocument: {"syft": {"version": "1", "digest": DIGEST, "from": "built"}},
    ImageDocument: IMAGE,
    ClosureDocument: {"linux/amd64": {"needed": {"json": "app"}, "left_out": {}, "made": {}}},
    OfferedDocument: {"linux/amd64": {"files": ["lib/libz.so"], "inside": ["sys"], "symbols": {"libz.so": ["a"]}}},
    LayersDocument: {DIGEST: {"digest": DIGEST, "diff_id": DIGEST, "size": 1, "files": {"pkg:pypi/a@1": ["a"]}}},
    PublishedDocument: PUBLISHED,
    VerificationDocument: documents.verification(REFERENCE).as_json(),
    SmokeDocument: {
        **documents.smoke(documents.LAYER, "linux/amd64").as_json(),
        "requests": [
            {
                "path": "/",
                "method": "GET",
                "status": 200,
                "body": "x",
                "wrong": [],
                "passed": True,
                "expected": {"status": 200, "contains": "", "json": {"/a": 1}},
            }
        ],
        "suite": measured.smoke("linux/amd64", documents.LAYER, 1).as_json()["suite"],
        "emulated": {"linux/arm64": {"started": False, "why": "nobody knows how"}},
    },
    SuiteDocument: {"platform": "linux/amd64", "digest": DIGEST, "run": True, "passed": 5},
    TraceDocument: TraceDocument(measured.watched("linux/amd64", documents.LAYER, loaded=("a",))).as_json(),
    DatabaseDocument: DATABASE,
    ImportedDocument: {"content": DIGEST},
    OpenVexDocument: documents.openvex(REFERENCE, NOW, "CVE-1").as_json(),
    EvidenceDocument: {
        "image": DIGEST,
        "held": "2026-11-25T00:00:00Z",
        "policy": {"a": DIGEST},
        "suppressed_by_grype_too": 0,
        "claims": [CLAIM],
        "looked_at": [
            {
                "finding": "CVE-1",
                "package": "pkg:deb/debian/a@1",
                "fact": "a",
                "standing": "absent",
                "parts": [{"standing": "it is not there", "seen": [dict(OBSERVATION)], "against": ["a"]}],
            }
        ],
    },
    ProposalsDocument: [{"finding": "CVE-1", "package": "pkg:deb/debian/a@1", "told": ["a"], "draft": {"a": 1}}],
    VerdictDocument: {
        **documents.verdict(REFERENCE, NOW, {"image": documents.LAYER}).as_json(),
        "denied": [REASON],
        "rules": [
            {
                "code": "a",
                "setting": "",
                "threshold": "",
                "observed": "b",
                "decision": "off",
                "denied": 0,
                "inputs": ["image"],
            }
        ],
        "without_vex": {"allowed": False, "denied": [{"code": "a", "finding": "b", "package": "c"}]},
    },
    DiscoveryDocument: {
        "reference": REFERENCE,
        "registry": {"host": "docker.io", "keeps": "referrers API"},
        "kinds": ["t"],
        "ways": [{"way": "cosign tree", "measured": True, "found": ["t"], "missing": [], "says": ""}],
    },
    EffectsDocument: {
        "effects": [
            {"kind": "bundle", "name": "scan", "at": "a", "digest": digest, "there": False, "size": 5, "type": "t"}
            for digest in (DIGEST, None)
        ],
        "listed": {DIGEST: [DIGEST]},
        "tags": ["1.0.0"],
    },
    TagsDocument: {"digest": DIGEST, "tags": ["1"], "before": {"1": NOWHERE}, "stay": {"latest": "1.1.0"}},
    DeployDocument: DEPLOYED,
}
"""Documents that this pipeline writes, as they are written, and all keys of them are known."""

OTHERS: tuple[Any, ...] = (None, True, 5, 1.5, "x", [], {}, [5], {"x": 5})


def platforms(**changes: Any) -> dict[str, Any]:
    return {**IMAGE, "platforms": {"linux/amd64": {**PLATFORM, **changes}}}


def matches(**changes: Any) -> dict[str, Any]:
    return {"linux/amd64": {"matches": [{**MATCH, "vulnerability": {**MATCH["vulnerability"], **changes}}], **STATUS}}


def refused(model: type[Kept], data: bytes) -> tuple[str, ...]:
    """Return what is said of bytes that are no such document."""
    with pytest.raises(VerificationFailed, match="has a shape that this pipeline does not know") as caught:
        model.parse(data)
    assert caught.value.what.startswith(f"{model.STAGE}/{model.NAME} ")
    assert caught.value.exit_code == 6
    return caught.value.why


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a document, as what holds it and its key or index."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from places(inner)


every = pytest.mark.parametrize("model", WHOLE, ids=lambda model: model.__name__)


@every
def test_a_document_is_written_as_it_was_read(model: type[Kept]) -> None:
    assert model.parse(json.dumps(WHOLE[model]).encode()).as_json() == WHOLE[model]


@every
def test_an_object_with_a_key_that_nobody_knows_is_refused(model: type[Kept]) -> None:
    tried = 0
    for number, (holder, key) in enumerate(places(WHOLE[model])):
        if not isinstance(holder, dict) or key not in PARTS:
            continue
        changed = deepcopy(WHOLE[model])
        list(places(changed))[number][0]["unheard-of"] = 1
        why = refused(model, json.dumps(changed).encode())
        assert len(why) == 1, why
        assert why[0].endswith("unheard-of: there is no such key")
        tried += 1
    assert tried


# A key of each part; in an object whose keys are names, any name may come.
PARTS = {
    *("revision", "version", "architecture", "digest", "purl", "needed", "inside", "reference", "trust_root"),
    *("isolation", "wrong", "contains", "run", "started", "how", "requests", "built", "content", "allowed", "code"),
    *("tooling", "subcomponents", "status", "held", "author", "fact", "against", "tier", "draft", "providers", "grype"),
    *("kind", "measured", "host"),
}


@every
def test_a_document_with_anything_else_in_one_place_is_refused_or_read_as_it_stands(model: type[Kept]) -> None:
    """What is taken for a value that was not there is never given another type by being read."""
    for number, _ in enumerate(list(places(WHOLE[model]))):
        for other in OTHERS:
            changed = deepcopy(WHOLE[model])
            holder, key = list(places(changed))[number]
            holder[key] = other
            with suppress(VerificationFailed):
                found = model.parse(json.dumps(changed).encode())
                assert json.dumps(found.as_json(), sort_keys=True) == json.dumps(changed, sort_keys=True)


@every
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"digest": "\\ud800"}', "it is not JSON"),
        (b'{"digest": NaN}', "it is not JSON: NaN"),
        (b'{"digest": 1e999}', ""),
        (b'{"size": ' + b"9" * 5000 + b"}", "it is not JSON"),
        (b'{"a": 1, "a": 1}', "it is not JSON: the name 'a' is given twice in one object"),
        (b'{"a": [{"b": 1, "b": 2}]}', "it is not JSON: the name 'b' is given twice in one object"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_json_or_two_things_at_once_is_refused(model: type[Kept], data: bytes, why: str) -> None:
    assert refused(model, data)[0].startswith(why)


@every
@pytest.mark.parametrize("data", [b"null", b"5", b"[5]"])
def test_what_is_not_an_object_is_refused(model: type[Kept], data: bytes) -> None:
    assert isinstance(WHOLE[model], list) or refused(model, data)[0] == "it is not an object"
    refused(model, data)


@pytest.mark.parametrize(
    ("model", "value", "why"),
    [
        (ImageDocument, {**IMAGE, "digest": 1}, "digest: it is not a sha256 digest"),
        (ImageDocument, {**IMAGE, "digest": "sha256:1"}, "digest: it is not a sha256 digest"),
        (ImageDocument, {**IMAGE, "reference": "app:1"}, "reference: it is not a reference by digest"),
        (ImageDocument, {**IMAGE, "service": {"name": "app"}}, "service.version: it is missing"),
        (ImageDocument, {**IMAGE, "platforms": []}, "platforms: it is not an object"),
        (ImageDocument, {**IMAGE, "platforms": {}}, "platforms: it has 0 entries"),
        (ImageDocument, {**IMAGE, "platforms": {"linux": PLATFORM}}, "platforms.linux"),
        (ImageDocument, {**IMAGE, "platforms": {"linux/amd64": []}}, "platforms.linux/amd64: it is not an object"),
        (ImageDocument, platforms(size="5"), "platforms.linux/amd64.size: '5' is not"),
        (ImageDocument, platforms(size=True), "platforms.linux/amd64.size: true is not"),
        (ImageDocument, platforms(size=5.0), "platforms.linux/amd64.size: 5.0 is not"),
        (ImageDocument, platforms(packages=[]), "platforms.linux/amd64.packages: it has 0 entries"),
        (ImageDocument, platforms(layers=[]), "platforms.linux/amd64.layers: it has 0 entries"),
        (
            ImageDocument,
            platforms(packages=[{**PLATFORM["packages"][0], "purl": "waitress"}]),
            "platforms.linux/amd64.packages[0].purl: it is not a package URL",
        ),
        (FactsDocument, {**WHOLE[FactsDocument], "dirty": 0}, "dirty: 0 is neither"),
        (FactsDocument, {**WHOLE[FactsDocument], "commit_time": True}, "commit_time: true is not"),
        (
            InputsDocument,
            {**WHOLE[InputsDocument], "wheels": {"build": [{**WHEEL, "digest": None}]}},
            "wheels.build[0].digest: it is not a sha256 digest",
        ),
        (InputsDocument, {**WHOLE[InputsDocument], "wheels": {"build": {}}}, "wheels.build: "),
        (ToolsDocument, {}, "it has 0 entries"),
        (ToolsDocument, {"syft": {"version": "1", "digest": DIGEST, "source": "built"}}, "syft.from: it is missing"),
        (ClosureDocument, {}, "it has 0 entries"),
        (OfferedDocument, {"linux/amd64": {"files": [], "inside": [5], "symbols": {}}}, "linux/amd64.inside[0]: "),
        (LayersDocument, {"sha256:1": WHOLE[LayersDocument][DIGEST]}, "sha256:1"),
        (CycloneDxDocument, {}, "components: it is missing"),
        (CycloneDxDocument, {"components": []}, "components: it has 0 entries"),
        (CycloneDxDocument, {"components": [5]}, "components[0]: it is not an object"),
        (ScanDocument, {"linux/amd64": {"matches": []}}, "linux/amd64.descriptor: it is missing"),
        (ScanDocument, matches(severity="Bad"), "linux/amd64.matches[0].vulnerability.severity: "),
        (ScanDocument, matches(cvss=5), "linux/amd64.matches[0].vulnerability.cvss: "),
        (ScanDocument, [], "it is not an object"),
        (DatabaseDocument, {}, "built: it is missing"),
        (SmokeDocument, {**WHOLE[SmokeDocument], "suite": {"run": True}}, "suite.passed: it is missing"),
        (SmokeDocument, {**WHOLE[SmokeDocument], "suite": {"why": "a"}}, "suite: it does not say which of its shapes"),
        (SmokeDocument, {**WHOLE[SmokeDocument], "suite": 5}, "suite: it is not an object"),
        (SmokeDocument, {**WHOLE[SmokeDocument], "suite": {"run": 1, "why": "a"}}, "suite.run: 1 is none of False"),
        (TraceDocument, {"why": "a"}, "it does not say which of its shapes"),
        (TraceDocument, {"how": "not watched", "why": "a", "loaded": []}, "loaded: there is no such key"),
        (TraceDocument, {"how": "by hand"}, "platform: it is missing"),
        (EvidenceDocument, {**WHOLE[EvidenceDocument], "claims": [{**CLAIM, "state": "x"}]}, "claims[0].state: 'x' is"),
        (
            EvidenceDocument,
            {**WHOLE[EvidenceDocument], "claims": [{**CLAIM, "seen": [5]}]},
            "claims[0].seen[0]: it is not an object",
        ),
        (SpdxDocument, {"packages": [{}]}, "packages[0].SPDXID: it is missing"),
        (SyftDocument, {"artifacts": [], "source": {}}, "source.metadata: it is missing"),
        (VerdictDocument, {}, "allowed: it is missing"),
        (PublishedDocument, {**PUBLISHED, "subjects": []}, "subjects: it has 0 entries"),
        (PublishedDocument, {**PUBLISHED, "subjects": [5]}, "subjects[0]: it is not a sha256 digest"),
        (EffectsDocument, {**WHOLE[EffectsDocument], "listed": {"x": []}}, "listed.x"),
        (EffectsDocument, {**WHOLE[EffectsDocument], "effects": [{}]}, "effects[0].kind: it is missing"),
        (TagsDocument, {**WHOLE[TagsDocument], "tags": []}, "tags: it has 0 entries"),
        (DeployDocument, {"state": "deployed", "reason": ""}, "what was deployed is named as a whole"),
        (DeployDocument, {**DEPLOYED, "state": "not run"}, "what was deployed is named as a whole"),
        (DeployDocument, {**DEPLOYED, "rendered": None}, "rendered: nothing is there"),
    ],
)
def test_what_is_missing_or_of_another_kind_is_named(model: type[Kept], value: Any, why: str) -> None:
    said = refused(model, json.dumps(value).encode())
    assert any(each.startswith(why) for each in said), said


def test_what_a_scanner_says_besides_is_passed_over() -> None:
    ScanDocument.parse(json.dumps(matches(more=1)).encode())
    CycloneDxDocument.parse(b'{"components": [{"more": {}}]}')


def test_no_more_is_said_of_a_document_than_people_read() -> None:
    assert len(refused(ImageDocument, b"{}")) == 5
