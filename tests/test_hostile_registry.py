"""Whoever may write to a registry attaches what he likes: it stops nobody, costs little, and is on record."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from shipseal.digest import Digest
from shipseal.distribution.collecting import MOST, MOST_BYTES, Collected, collect
from shipseal.distribution.moving import moves
from shipseal.distribution.referrers import (
    BUNDLE_TYPE,
    EMPTY,
    LARGEST_BUNDLE,
    MANIFEST_TYPE,
    PassedOver,
    attach,
    bundle_of,
    candidate,
)
from shipseal.distribution.registry import Registry
from shipseal.errors import RemoteFailed, VerificationFailed
from shipseal.oci.layout import INDEX_TYPE, Layout
from shipseal.tools.toolbox import Toolbox
from tests.conftest import NOW, MakeRun
from tests.test_registry import server

IMAGE = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}).encode()
SUBJECT = Digest.of(IMAGE)
DESCRIBED = {"mediaType": INDEX_TYPE, "digest": str(SUBJECT), "size": len(IMAGE)}
GOOD = attach(b"a bundle", "https://slsa.dev/provenance/v1", DESCRIBED, NOW)


UNKNOWN = {"manifests": "MANIFEST_UNKNOWN", "blobs": "BLOB_UNKNOWN", "tags": "NAME_UNKNOWN"}


class Hostile:
    """A registry that answers what a test has told it to: manifests and blobs by digest, and a list of referrers."""

    def __init__(self) -> None:
        self.manifests: dict[str, bytes] = {str(SUBJECT): IMAGE}
        self.blobs: dict[str, bytes] = {}
        self.listed: list[Any] = []
        self.sent = 0
        self.add(GOOD.manifest, GOOD.descriptor)
        self.blob(b"a bundle")
        self.blob(EMPTY)

    def add(self, manifest: bytes, listed: Mapping[str, Any] | None = None, **changes: Any) -> str:
        digest = str(Digest.of(manifest))
        self.manifests[digest] = manifest
        own = {"mediaType": MANIFEST_TYPE, "digest": digest, "size": len(manifest), "artifactType": BUNDLE_TYPE}
        self.listed.append({**(listed or own), **changes})
        return digest

    def blob(self, data: bytes) -> str:
        self.blobs[str(Digest.of(data))] = data
        return str(Digest.of(data))

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        kind, _, name = request.path.rpartition("/")
        kind, name = kind.rpartition("/")[2], name.partition("?")[0]
        data, media = self._find(kind, name)
        request.send_response(200 if data is not None else 404)
        if data is None:
            data = json.dumps({"errors": [{"code": UNKNOWN[kind]}]}).encode()
        elif not name.startswith("sha256:"):
            request.send_header("Docker-Content-Digest", str(Digest.of(data)))
        request.send_header("Content-Type", media)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            self.sent += len(data)
            request.wfile.write(data)

    def _find(self, kind: str, name: str) -> tuple[bytes | None, str]:
        if kind == "referrers":
            index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": self.listed}
            return json.dumps(index).encode(), INDEX_TYPE
        if kind == "blobs":
            return self.blobs.get(name), "application/octet-stream"
        data = self.manifests.get(name)
        return data, _media_type(data)


def _media_type(data: bytes | None) -> str:
    try:
        return str(json.loads(data or b"")["mediaType"])
    except (ValueError, KeyError, TypeError):
        return MANIFEST_TYPE


@pytest.fixture
def tools(make_run: MakeRun, tmp_path: Path) -> Toolbox:
    run = make_run()
    return Toolbox(run.store, run.locked, frozenset({"oras"}), tmp_path / "log.txt")


@pytest.fixture
def hostile() -> Hostile:
    return Hostile()


async def collected(hostile: Hostile, tools: Toolbox, place: Path) -> Collected:
    layout = Layout.create(place)
    layout.put(IMAGE)
    with server(hostile.answer) as port:
        registry = Registry(tools, f"127.0.0.1:{port}", "acme/app", plain_http=True)
        return await collect(registry, {SUBJECT: "the image"}, layout)


def changed(**changes: Any) -> bytes:
    return json.dumps({**json.loads(GOOD.manifest), **changes}).encode()


def layer(data: bytes, **changes: Any) -> list[dict[str, Any]]:
    return [{"mediaType": BUNDLE_TYPE, "digest": str(Digest.of(data)), "size": len(data), **changes}]


async def test_what_is_ours_is_found(hostile: Hostile, tools: Toolbox, tmp_path: Path) -> None:
    found = await collected(hostile, tools, tmp_path / "layout")
    assert [each.bundle for each in found.found] == [b"a bundle"]
    assert found.passed_over == {}


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (lambda h: h.add(changed(artifactType="text/plain")), "something else than a Sigstore bundle"),
        (lambda h: h.add(b"{}", artifactType="application/spdx+json"), "its type is application/spdx+json"),
        (lambda h: h.add(b"{}", digest="sha512:" + "0" * 128), "its digest is of another kind"),
        (lambda h: h.add(b"{}", digest="sha256:00"), "its digest is of another kind"),
        (lambda h: h.add(b"{}", mediaType=INDEX_TYPE), "it is not an image manifest"),
        (lambda h: h.add(b"{}", size=1 << 40), "its size is"),
        (lambda h: h.add(changed(subject={**DESCRIBED, "digest": "sha256:0"})), "it refers to something else"),
        (lambda h: h.manifests.pop(h.add(changed(annotations={}))), "it is listed, and not there"),
        (lambda h: h.add(changed(layers=layer(b"nowhere"))), "something that it names is not there"),
        (
            lambda h: (h.blob(b"longer than it says"), h.add(changed(layers=layer(b"longer than it says", size=3)))),
            "something that it names is not as it says",
        ),
    ],
)  # fmt: skip
async def test_what_is_none_of_ours_is_passed_over_and_on_record(
    hostile: Hostile, tools: Toolbox, tmp_path: Path, attack: Callable[[Hostile], object], reason: str
) -> None:
    attack(hostile)
    found = await collected(hostile, tools, tmp_path / "layout")
    assert [each.bundle for each in found.found] == [b"a bundle"]
    (said,) = found.passed_over.values()
    assert reason in said


@pytest.mark.parametrize(
    "manifest",
    [
        changed(layers=[]),
        changed(layers=layer(b"a bundle") * 2),
        changed(layers=layer(b"a bundle", size=1 << 40)),
        changed(config={"mediaType": "x", "digest": str(Digest.of(EMPTY)), "size": 1 << 40}),
        b"\xff",
        b"[]",
    ],
)
async def test_a_manifest_that_holds_no_bundle_stands_in_the_place_of_one(
    hostile: Hostile, tools: Toolbox, tmp_path: Path, manifest: bytes
) -> None:
    hostile.add(manifest)
    found = await collected(hostile, tools, tmp_path / "layout")
    assert {each.bundle for each in found.found} == {b"a bundle", manifest}


async def test_an_artefact_of_any_size_is_not_downloaded(hostile: Hostile, tools: Toolbox, tmp_path: Path) -> None:
    big = bytes(20 << 20)
    hostile.blob(big)
    hostile.add(changed(artifactType="application/x-archive", layers=layer(big)))
    hostile.add(changed(layers=layer(big, size=1 << 40)))
    await collected(hostile, tools, tmp_path / "layout")
    assert hostile.sent < 1 << 20


async def test_no_more_is_read_of_a_bundle_than_its_manifest_says(
    hostile: Hostile, tools: Toolbox, tmp_path: Path
) -> None:
    """Whoever attaches one may say another size than it has, and registries do not look."""
    endless = str(Digest.of(b"endless"))
    hostile.add(changed(layers=[{"mediaType": BUNDLE_TYPE, "digest": endless, "size": 1000}]))
    piece, pieces, sent = bytes(1 << 20), 512, 0

    def answer(request: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        if not request.path.endswith(endless):
            hostile.answer(request)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(pieces * len(piece)))
        request.end_headers()
        with suppress(OSError):
            for _ in range(pieces if request.command == "GET" else 0):
                request.wfile.write(piece)
                sent += len(piece)

    layout = Layout.create(tmp_path / "layout")
    layout.put(IMAGE)
    with server(answer) as port:
        registry = Registry(tools, f"127.0.0.1:{port}", "acme/app", plain_http=True)
        found = await collect(registry, {SUBJECT: "the image"}, layout)
    assert [each.bundle for each in found.found] == [b"a bundle"]
    assert list(found.passed_over.values()) == ["something that it names is not as it says"]
    assert sent < 64 << 20


async def test_what_many_have_attached_costs_two_processes_each_and_is_read_once(
    hostile: Hostile, tools: Toolbox, tmp_path: Path
) -> None:
    for number in range(40):
        data = b"junk %d" % number
        hostile.blob(data)
        hostile.add(changed(layers=layer(data)))
        hostile.add(changed(layers=layer(data), annotations={}))
    found = await collected(hostile, tools, tmp_path / "layout")
    assert len(found.found) == 81
    assert [each.arguments[:2] for each in tools.commands].count(("blob", "fetch")) == 41, "each bundle once"
    assert len(tools.commands) == 1 + 81 + 41


async def test_more_bytes_than_can_be_looked_at_are_not_fetched_and_that_is_said(
    hostile: Hostile, tools: Toolbox, tmp_path: Path
) -> None:
    for number in range(6):
        hostile.add(changed(layers=layer(b"big %d" % number, size=LARGEST_BUNDLE)))
    found = await collected(hostile, tools, tmp_path / "layout")
    too_many = [reason for reason in found.passed_over.values() if reason.startswith(f"more than {MOST_BYTES} bytes")]
    assert len(too_many) >= 2
    assert b"a bundle" in {each.bundle for each in found.found}
    assert hostile.sent < 1 << 20


async def test_bytes_that_are_not_those_of_their_digest_are_refused(
    hostile: Hostile, tools: Toolbox, tmp_path: Path
) -> None:
    """Only the registry can do that: whoever pushes is held to the digest by the registry."""
    hostile.blobs[str(Digest.of(b"a bundle"))] = b"A bundle"
    with pytest.raises(VerificationFailed, match="an attestation of the image was altered"):
        await collected(hostile, tools, tmp_path / "layout")


async def test_a_manifest_that_was_altered_is_refused(hostile: Hostile, tools: Toolbox, tmp_path: Path) -> None:
    hostile.manifests[str(GOOD.descriptor["digest"])] = GOOD.manifest.replace(b"2026", b"2027")
    with pytest.raises(VerificationFailed, match="the manifest of an attestation was altered"):
        await collected(hostile, tools, tmp_path / "layout")


async def test_only_so_many_are_looked_at_and_the_rest_is_said(
    hostile: Hostile, tools: Toolbox, tmp_path: Path
) -> None:
    other = {"mediaType": MANIFEST_TYPE, "size": 2, "artifactType": "a/b"}
    hostile.listed += [{**other, "digest": f"sha256:{number:064x}"} for number in range(MOST + 9)]
    found = await collected(hostile, tools, tmp_path / "layout")
    assert [each.bundle for each in found.found] == [b"a bundle"]
    assert found.passed_over[str(SUBJECT)].startswith("10 more are listed")


@pytest.mark.parametrize("listed", ["text", {"a": 1}, [1, None, "x"], [{"digest": None}], [[]]])
async def test_a_list_of_another_shape_is_a_registry_that_failed_or_an_empty_one(
    hostile: Hostile, tools: Toolbox, tmp_path: Path, listed: Any
) -> None:
    hostile.listed = listed
    with suppress(RemoteFailed):
        assert (await collected(hostile, tools, tmp_path / "layout")).found == []


async def test_a_list_of_tags_that_is_not_there_lets_no_tag_go_back(hostile: Hostile, tools: Toolbox) -> None:
    """An answer of 404 says that there is no tag, and 1 may be at a newer release all the same."""
    hostile.manifests["1"] = IMAGE
    with server(hostile.answer) as port:
        registry = Registry(tools, f"127.0.0.1:{port}", "acme/app", plain_http=True)
        assert await registry.tags() == []
        with pytest.raises(RemoteFailed, match="does not list all tags of acme/app") as failure:
            await moves(registry, "1.4.3", SUBJECT)
        assert failure.value.why == ("1 is there, and not in its list",)
        assert list((await moves(registry, "0.4.3", SUBJECT)).before) == ["0.4.3", "0.4"], "the first of its line"


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("mediaType", "digest", "size", "artifactType", "config", "layers", "subject", "annotations", "schemaVersion")
VALUES = JSON | some.sampled_from(
    [BUNDLE_TYPE, MANIFEST_TYPE, str(SUBJECT), str(Digest.of(b"a bundle")), DESCRIBED, layer(b"a bundle"), 1 << 70, -1]
)
CHANGES = some.dictionaries(some.sampled_from(KEYS), VALUES)
ANY_BYTES = some.binary(max_size=64) | JSON.map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize("said", [{"artifactType": "\ud800"}, {"artifactType": "\x1b[2J"}, {"size": "\ud800"}])
def test_what_an_entry_says_of_itself_can_be_written_and_shown(said: dict[str, object]) -> None:
    with pytest.raises(PassedOver) as reason:
        candidate({**GOOD.descriptor, **said})
    assert str(reason.value).isprintable()


@settings(database=None)
@given(item=JSON | CHANGES.map(lambda changes: {**GOOD.descriptor, **changes}))
def test_any_entry_of_a_list_is_a_digest_or_passed_over(item: object) -> None:
    with suppress(PassedOver):
        assert isinstance(candidate(item), Digest)


@settings(database=None)
@given(manifest=ANY_BYTES | CHANGES.map(lambda changes: changed(**changes)))
def test_any_manifest_holds_one_bundle_or_none_or_is_passed_over(manifest: bytes) -> None:
    with suppress(PassedOver):
        assert isinstance(bundle_of(manifest, Digest.of(manifest), SUBJECT), Digest | None)


@pytest.mark.timeout(300)
@settings(max_examples=12, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    items=some.lists(JSON | CHANGES.map(lambda changes: {**GOOD.descriptor, **changes}), max_size=3),
    manifests=some.lists(ANY_BYTES | CHANGES.map(lambda changes: changed(**changes)), max_size=3),
)
def test_any_registry_gives_a_right_result_or_a_failure_with_an_exit_code(
    items: list[Any], manifests: list[bytes], tools: Toolbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    hostile = Hostile()
    for manifest in manifests:
        hostile.add(manifest)
    hostile.listed += items
    with suppress(RemoteFailed, VerificationFailed):  # exit codes 5 and 6, and nothing else
        found = anyio.run(collected, hostile, tools, tmp_path_factory.mktemp("any") / "layout")
        assert b"a bundle" in {each.bundle for each in found.found}
