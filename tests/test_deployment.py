"""What is signed of a deploy is read back as it was written, and anything else is no receipt."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.statements.builders import PredicateType, Signed, SignerIdentity
from shipseal.statements.deployment import (
    Manifests,
    Pod,
    Receipt,
    RenderedSet,
    Verification,
    Where,
    of_bundle,
)
from shipseal.times import read_time
from shipseal.verification.contents import About, check_predicate
from tests.shapes import JSON

IMAGE, OTHER = Digest.of(b"image"), Digest.of(b"another image")
REFERENCE = f"registry.example/acme/greetings@{IMAGE}"
UID = "0b1e7a52-6f0c-4c1e-9d3a-5f3f8f0c2b11"


def pod(match: str = "equal") -> Pod:
    return Pod(name="greetings-1", uid=UID, node="node-1", image_id=REFERENCE, match=match)


def receipt(*pods: Pod, sequence: int = 7) -> Receipt:
    return Receipt(
        sequence=sequence,
        deployed_at="2026-11-29T11:00:00Z",
        deployer="ann",
        image=REFERENCE,
        where=Where(uid=UID, version="1.35", namespace="greetings"),
        manifests=Manifests(digest=str(Digest.of(b"set")), objects=["Deployment greetings/greetings"]),
        verification=Verification(policy="production", policy_digest=str(Digest.of(b"policy")), bundles=[]),
        pods=list(pods),
    )


RENDERED = RenderedSet(image=REFERENCE, digest=str(OTHER), namespace="greetings", objects=["A b/c"], kubernetes="1.35")


def about(subject: Digest) -> About:
    signed = Signed(b"{}", SignerIdentity("somebody", "issuer"), read_time("2026-11-29T11:00:00Z"), {})
    return About(signed, frozenset({subject}))


def bundle(statement: Any) -> bytes:
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    return json.dumps({"dsseEnvelope": {"payload": payload}}).encode()


def test_a_receipt_is_read_as_it_was_written() -> None:
    written = json.loads(json.dumps(receipt(pod()).predicate()))
    assert receipt(pod()) == Receipt.read(written)


def test_machines_find_its_keys_in_camel_case() -> None:
    assert {"deployedAt", "sequence", "verification"} <= receipt().predicate().keys()
    assert "imageId" in receipt(pod()).predicate()["pods"][0]


@pytest.mark.parametrize(
    ("pods", "proven"),
    [((pod(), pod()), True), ((pod(), pod("unproven")), False), ((pod("different"),), False), ((), False)],
)
def test_a_receipt_is_proof_only_where_there_are_pods_and_each_was_seen_to_run_the_image(
    pods: tuple[Pod, ...], proven: bool
) -> None:
    assert receipt(*pods).proven is proven


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 0},
        {"sequence": "7"},
        {"sequence": True},
        {"image": "registry.example/acme/greetings:latest"},
        {"image": None},
        {"pods": {}},
        {"where": {"uid": UID}},
        {"manifests": {"digest": "sha256:short", "objects": []}},
    ],
)
def test_what_is_no_receipt_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(VerificationFailed, match="is not a receipt"):
        Receipt.read({**receipt(pod()).predicate(), **change})


@given(JSON)
def test_whatever_was_signed_in_its_place_is_a_failure_and_no_traceback(value: Any) -> None:
    with pytest.raises(VerificationFailed):
        Receipt.read(value)


@given(JSON)
def test_whatever_stands_in_the_place_of_a_bundle_is_a_failure_and_no_traceback(value: Any) -> None:
    with pytest.raises(VerificationFailed):
        of_bundle(json.dumps(value).encode())


def test_the_receipt_of_a_bundle_is_that_of_its_statement() -> None:
    assert receipt(pod()) == of_bundle(bundle({"predicateType": "t", "predicate": receipt(pod()).predicate()}))


@pytest.mark.parametrize(
    ("kind", "predicate"),
    [(PredicateType.DEPLOYMENT, receipt(pod()).predicate()), (PredicateType.RENDERED_SET, RENDERED.predicate())],
)
def test_a_statement_about_another_image_does_not_do(kind: PredicateType, predicate: dict[str, Any]) -> None:
    assert check_predicate(kind, predicate, about(IMAGE)) is None
    assert f"it is of {REFERENCE}" == check_predicate(kind, predicate, about(OTHER))
