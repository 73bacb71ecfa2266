"""Find the receipts in a namespace, and keep another one there: what was deployed, with its signature and its set.

A ConfigMap is no evidence: whoever may edit it may write anything. What is in it counts once its bundle is verified,
and its set is the one that the receipt names.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sigstore.models import TrustedRoot

from shipseal.cluster.api import Api
from shipseal.cluster.resources import collection, path
from shipseal.deploying.manifests import Manifest, Object, dig
from shipseal.digest import Digest
from shipseal.errors import PolicyDenied, VerificationFailed
from shipseal.rollout.names import MANAGER
from shipseal.signing.identity import Certified
from shipseal.signing.verifiers import trusted_root, verify_bundle
from shipseal.statements.builders import PredicateType
from shipseal.statements.deployment import Receipt
from shipseal.verification.decision import Statement
from shipseal.verification.trust import Policy

KEPT = 10
"""How many receipts stay in a namespace: as many as a Deployment keeps of its revisions (revisionHistoryLimit)."""

_PREFIX = "deploy-receipt-"
_NAME = re.compile(rf"{_PREFIX}([0-9]{{6}})")
_BUNDLE, _RENDERED = "receipt.sigstore.json", "rendered.yaml"


@dataclass(frozen=True)
class ReceiptConfigMap:
    """A ConfigMap with a receipt, as it was found: whether it is genuine is `verified`'s to say."""

    name: str
    sequence: int
    uid: str
    bundle: bytes
    rendered: bytes


@dataclass(frozen=True)
class Genuine:
    """A receipt whose signature was verified, and the set that it names."""

    kept: ReceiptConfigMap
    receipt: Receipt
    signer: str


async def kept(api: Api, namespace: str) -> tuple[ReceiptConfigMap, ...]:
    """Return the receipts in a namespace, the newest first."""
    found = [_read(body) for body in await api.entries(collection(namespace, "", "configmaps"))]
    return tuple(sorted((each for each in found if each), key=lambda each: -each.sequence))


def _read(body: Object) -> ReceiptConfigMap | None:
    metadata, data = dig(body, "metadata"), dig(body, "data")
    name = _NAME.fullmatch(str(metadata.get("name")))
    if name is None:
        return None
    # Whatever stands there: what is no text of ours is no bundle, and no set that a receipt names.
    bundle, rendered = (str(data.get(key, "")).encode("utf-8", "surrogatepass") for key in (_BUNDLE, _RENDERED))
    return ReceiptConfigMap(name[0], int(name[1]), str(metadata.get("uid")), bundle, rendered)


def verified(one: ReceiptConfigMap, namespace: str, uid: str, policy: Policy, root: TrustedRoot) -> Genuine:
    """Return the receipt in a ConfigMap.

    Args:
        one: what was found.
        namespace: where.
        uid: of the cluster that it was found in.
        policy: who may sign receipts.
        root: the trust root.

    Raises:
        VerificationFailed: it was edited, or is of another place.
        PolicyDenied: it is genuine, and today's policy does not let its signer sign receipts.
    """
    try:
        signed = verify_bundle(one.bundle, root, None, policy.keys)
        statement = Statement.read(Digest.of(one.bundle), (), signed)
        receipt = Receipt.read(statement.predicate)
    except VerificationFailed as failure:
        raise _edited(one, namespace, [failure.what, *failure.why]) from failure
    expected = (
        (PredicateType.DEPLOYMENT, statement.kind, "it is a statement of another type"),
        (frozenset({receipt.reference.digest}), statement.subjects, "it speaks of another image"),
        (one.sequence, receipt.sequence, "it is the receipt of another number"),
        ((namespace, uid), (receipt.where.namespace, receipt.where.uid), "it is of another cluster or namespace"),
        (receipt.rendered, Digest.of(one.rendered), f"its {_RENDERED} is another than the one that was signed"),
    )
    if wrong := [why for wanted, there, why in expected if wanted != there]:
        raise _edited(one, namespace, wrong)
    if not policy.allows(Certified.of(signed), PredicateType.DEPLOYMENT):
        raise PolicyDenied(
            f"today's policy {policy.name} does not take receipt {one.sequence}",
            why=f"{signed.who.identity}, by {signed.who.issuer}, signed it",
        )
    return Genuine(one, receipt, signed.who.identity)


def _edited(one: ReceiptConfigMap, namespace: str, why: Sequence[str]) -> VerificationFailed:
    return VerificationFailed(
        f"ConfigMap {namespace}/{one.name} is not a receipt that anybody signed",
        why=why,
        remedy="find out who edited it, or whether the trust root of the policy is another "
        "now, and delete it: the receipt "
        "is attached to its image, too",
    )


def genuine(
    found: Sequence[ReceiptConfigMap], namespace: str, uid: str, policy: Policy, root: Path, say: Callable[[str], None]
) -> tuple[Genuine, ...]:
    """Return the receipts that count today, the newest first; those that the policy no longer takes are passed over.

    Raises:
        VerificationFailed: one was edited: nothing is built on what somebody has tampered with.
    """
    trusted, counted = trusted_root(root), list[Genuine]()
    for each in found:
        try:
            counted.append(verified(each, namespace, uid, policy, trusted))
        except PolicyDenied as denied:
            say(f"passed over: {denied.what}")
    return tuple(counted)


def config_map(namespace: str, receipt: Receipt, bundle: bytes, rendered: bytes) -> Manifest:
    """Return the ConfigMap that keeps a receipt; nobody can change it without deleting it (`immutable`)."""
    return Manifest(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"{_PREFIX}{receipt.sequence:06}",
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": MANAGER},
            },
            "immutable": True,
            "data": {_BUNDLE: bundle.decode(), _RENDERED: rendered.decode()},
        }
    )


async def keep(api: Api, namespace: str, receipt: Receipt, bundle: bytes, rendered: bytes) -> None:
    """Keep a receipt in its namespace; one that is there already stays as it is."""
    manifest = config_map(namespace, receipt, bundle, rendered)
    await api.apply(path(manifest), manifest.body, MANAGER)


async def trim(api: Api, namespace: str) -> None:
    """Delete the oldest receipts, so that no more are left than `KEPT`: each is also attached to its image."""
    for each in (await kept(api, namespace))[KEPT:]:
        await api.delete(f"{collection(namespace, '', 'configmaps')}/{each.name}", each.uid)
