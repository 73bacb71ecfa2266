"""Take the checks of the pipeline out, one by one, each with those that would refuse the same in its place."""

import base64
import json
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shipseal import strict
from shipseal.attacks import gates
from shipseal.digest import Digest, Reference, walk
from shipseal.distribution import collecting, moving
from shipseal.distribution.collecting import Collected
from shipseal.distribution.moving import Moves
from shipseal.distribution.referrers import Attached
from shipseal.distribution.registry import Registry
from shipseal.documents.publish import PublishedDocument
from shipseal.documents.verdict import VerdictDocument
from shipseal.engine import record
from shipseal.engine.record import Record
from shipseal.engine.run import Run
from shipseal.errors import VerificationFailed
from shipseal.evidence import verdict_inputs
from shipseal.judging import case
from shipseal.local.signer import SUBJECT
from shipseal.local.sigstore import ISSUER
from shipseal.oci import models
from shipseal.oci.documents import INDEX, MANIFEST
from shipseal.oci.layout import Layout
from shipseal.signing import verifiers
from shipseal.stages import admit, attest, promote, verify
from shipseal.statements.builders import PredicateType, Signed, SignerIdentity
from shipseal.statements.in_toto import Statement
from shipseal.times import read_time
from shipseal.verification import consumer, contents, decision
from shipseal.verification.trust import Policy
from tests.commands import NOW

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], object]


def _nothing(*_: Any, **__: Any) -> None:
    """Find nothing wrong."""


def _of(target: object, name: str, value: object = _nothing) -> Mutant:
    return lambda patch: patch.setattr(target, name, value)


def _content(*kinds: PredicateType) -> Mutant:
    def out(patch: Patch) -> None:
        for kind in kinds:
            patch.setitem(contents._CHECKS, kind, _nothing)

    return out


def _all(*mutants: Mutant) -> Mutant:
    def out(patch: Patch) -> None:
        for mutant in mutants:
            mutant(patch)

    return out


def _get(registry: Registry, kind: str, digest: Digest) -> bytes:
    """Return what a registry of loopback has behind a digest, whatever it is."""
    url = f"http://{registry.host}/v2/{registry.repository}/{kind}/{digest}"
    request = urllib.request.Request(url, headers={"Accept": f"{INDEX}, {MANIFEST}" if kind == "manifests" else "*/*"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


async def _fetch(registry: Registry, digest: Digest, path: Path) -> Layout:
    """Copy an image, and look at no digest."""
    layout = Layout.create(path)

    def take(kind: str, of: Digest) -> Any:
        data = _get(registry, kind, of)
        layout.blob(of).write_bytes(data)
        return json.loads(data) if kind == "manifests" else None

    for item in take("manifests", digest)["manifests"]:
        manifest = take("manifests", Digest.parse(item["digest"]))
        for blob in (manifest["config"], *manifest["layers"]):
            take("blobs", Digest.parse(blob["digest"]))
    return layout


async def _bundle(registry: Registry, digest: Digest, _: int, __: str) -> bytes:
    return _get(registry, "blobs", digest)


def _unchecked(data: bytes, _: Digest, __: str) -> bytes:
    return data


def _read_record(directory: Path) -> Record:
    """Take whatever is there for the record of it."""
    found, nobody = record.products(directory), Digest.of(b"")
    now = NOW.isoformat()
    return Record(directory.name, "", "dry-run", nobody, "", (), {}, {}, found, now, now)


def _every_file(directory: Path) -> dict[str, Digest]:
    found = {path.relative_to(directory).as_posix(): Digest.of_file(path) for path in walk(directory)}
    return {name: digest for name, digest in found.items() if name not in {"record.json", "log.txt"}}


def _check_no_world(run: Run, need: str) -> None:
    Record.read(run.directory / need).check(run.directory / need)


def _inputs(inputs: Mapping[str, str], beside: Path, run: Path, _: Path) -> Any:
    for name in inputs:
        kept = name.startswith("policy/") or name == case.TESTS
        if "/" in name:
            yield name, ((beside if kept else run) / name).read_bytes()


def _leniently(kind: type[VerdictDocument], data: bytes, _: str = "") -> VerdictDocument:
    """Take whatever pydantic can make of a document by itself."""
    return kind.model_validate_json(data, strict=False, by_alias=True, by_name=False)


async def _admit(_: Any) -> str:
    return "anything may ship"


def _same_image(read: Callable[[case.Case], case.Matter]) -> Callable[[case.Case], case.Matter]:
    def reading(given: case.Case) -> case.Matter:
        evidence = json.loads(given.files[case.EVIDENCE])
        evidence["image"] = json.loads(given.files[case.IMAGE])["digest"]
        return read(replace(given, files={**given.files, case.EVIDENCE: json.dumps(evidence).encode()}))

    return reading


def _published(context: Any) -> tuple[Reference, Sequence[Digest]]:
    published = PublishedDocument.read(context)
    return published.reference, published.subjects


async def _moves(registry: Registry, version: str, _: Digest, *, latest: bool = False) -> Moves:
    there, stay, before = await moving._where(registry, version, latest)
    return Moves(before, stay, there)


def _unverified(bundle: bytes, *_: Any) -> Signed:
    """Believe a bundle, of whoever it says that it is."""
    payload = base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"])
    return Signed(
        payload, SignerIdentity(SUBJECT, ISSUER), read_time("2026-11-29T00:00:00Z"), {"build_signer_uri": SUBJECT}
    )


def _reading(change: Callable[[Statement], Statement]) -> Mutant:
    read = Statement.read

    def reading(bundle: Digest, places: Any, signed: Signed) -> Statement:
        return change(read(bundle, places, signed))

    return _all(_of(Statement, "read", staticmethod(reading)), _of(consumer, "agree"))


def _anything(among: Callable[..., Any]) -> Callable[..., Any]:
    def found(self: Any, statements: Any) -> Any:
        try:
            return among(self, statements)
        except VerificationFailed:
            return decision.Evidence(self.kind, self.words, statements[0])

    return found


async def _something(registry: Registry, subjects: Mapping[Digest, str], *_: Any) -> Collected:
    return Collected([Attached(min(subjects), Digest.of(b"{}"), b"{}", b"{}")])


def _left_root(_: Policy, given: Path, *__: Any) -> Path:
    return given


def _yes(*_: Any) -> bool:
    return True


def _no(*_: Any) -> bool:
    return False


def _none(*_: Any, **__: Any) -> tuple[()]:
    return ()


_KIND = PredicateType
MUTANTS: Mapping[str, Mutant] = {
    "file-edited": _of(Record, "check"),
    "file-linked": _of(record, "products", _every_file),
    "record-emptied": _of(Record, "read", staticmethod(_read_record)),
    "dry-run-continued-as-release": _of(Run, "_check", _check_no_world),
    "lock-altered": _of(Run, "_key", lambda run, stage: Record.read(run.directory / stage.name).key),
    "verdict-incomplete": _of(gates, "require_same"),
    "scan-changed": _all(_of(verdict_inputs, "_inputs", _inputs), _of(gates, "require_same")),
    "verdict-key-doubled": _of(strict, "loads", json.loads),
    "verdict-says-both": _of(admit, "admit", _admit),
    "verdict-in-words": _of(VerdictDocument, "parse", classmethod(_leniently)),
    "vex-moved-over": _of(case, "read", _same_image(case.read)),
    "verdict-grown-old": _of(attest, "require_fresh"),
    "layer-swapped": _all(_of(consumer, "fetch", _fetch), _of(Layout, "_check")),
    "manifest-annotated": _all(_of(consumer, "fetch", _fetch), _of(models, "checked", _unchecked)),
    "statement-of-another-image": _reading(lambda it: replace(it, subjects=it.attached_to)),
    "layout-layer-swapped": _of(Layout, "_check"),
    "layout-emptied": _of(Layout, "of_image", staticmethod(lambda path, _: Layout(path))),
    "platform-renamed": _all(_of(attest, "_require_same"), _of(attest, "_rehearse"), _of(attest, "require_fresh")),
    "verification-moved-over": _of(promote, "_one_image", _published),
    "tag-moved": _all(_of(promote, "moves", _moves), _of(moving, "moves", _moves)),
    "bundle-altered": _all(_of(collecting, "_bundle", _bundle), _of(consumer, "agree")),
    "payload-changed": _all(_of(consumer, "verify_bundle", _unverified), _of(consumer, "agree")),
    "bundle-key-doubled": _of(consumer, "agree"),
    "statement-removed": _all(
        _of(decision._RequiredStatement, "among", _anything(decision._RequiredStatement.among)),
        _of(consumer, "proved", _none),
    ),
    "referrer-removed": _reading(lambda it: replace(it, attached_to=it.attached_to | it.subjects)),
    "evidence-removed": _all(
        _of(consumer, "collect", _something), _of(consumer, "decide", _none), _of(verify, "_require_own", _none)
    ),
    "wrong-identity": _all(_of(verifiers, "_require_allowed"), _of(Policy, "allows", _yes)),
    "dry-run-in-production": _all(_of(Policy, "root", _left_root), _content(_KIND.PROVENANCE, _KIND.VULNS)),
    "evidence-of-another-run": _of(verify, "_require_own", _none),
    "sbom-of-another-image": _content(_KIND.CYCLONEDX),
    "predicate-type-changed": _all(_content(_KIND.SPDX), _of(consumer, "proved", _none)),
    "statement-of-another-repository": _of(decision._RequiredStatement, "_elsewhere"),
    "vex-of-another-image": _content(_KIND.OPENVEX),
    "tests-failed": _content(_KIND.TEST_RESULT),
    "another-builder": _content(_KIND.PROVENANCE),
    "older-verdict": _of(decision, "denies", _no),
    "revoked": _of(decision, "require_not_revoked"),
    "evidence-aged": _of(decision, "too_old"),
    "database-aged": _of(decision, "database_too_old"),
    "database-swapped": _of(decision, "unjudged", _none),
    "sample-in-release": _content(_KIND.VULNS),
}
"""What takes out the check that an attack expects, by the name of the attack."""
