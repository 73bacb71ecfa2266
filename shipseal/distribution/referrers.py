"""Attach signed statements to what they speak of: one OCI manifest that refers to one subject and holds one bundle.

Formats: OCI image specification 1.1, "Guidelines for Artifact Usage"; Sigstore, "Cosign bundle specification". Pure.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.oci.bytes import checked, checked_json
from shipseal.terminal_text import line
from shipseal.times import timestamp

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
KIND = "dev.sigstore.bundle.predicateType"
EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
LARGEST_BUNDLE = 64 << 20  # bytes
LARGEST_MANIFEST = 1 << 20  # bytes; what a manifest of ours names beside its bundle is smaller still

Read = Callable[[Digest], bytes]
"""Return the bytes behind a digest; whether they are those bytes is checked here."""


@dataclass(frozen=True)
class Referrer:
    """A manifest that attaches a bundle to a subject: its bytes, and the descriptor that an index lists."""

    manifest: bytes
    descriptor: Mapping[str, Any]


@dataclass(frozen=True)
class Attached:
    """A bundle as it was found on a subject, and the manifest that attaches it."""

    subject: Digest
    digest: Digest
    bundle: bytes
    manifest: bytes = b""


class PassedOver(Exception):
    """What refers to a subject is none of ours; the message says what it is."""


def attach(bundle: bytes, predicate_type: str, subject: Mapping[str, Any], now: datetime) -> Referrer:
    """Return the referrer that attaches a bundle to a subject, which is given by its descriptor."""
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        KIND: predicate_type,
        "org.opencontainers.image.created": timestamp(now),
    }
    manifest = rfc8785.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": BUNDLE_TYPE,
            "config": _descriptor(_EMPTY_TYPE, EMPTY),
            "layers": [_descriptor(BUNDLE_TYPE, bundle)],
            "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
            "annotations": annotations,
        }
    )
    descriptor = {**_descriptor(MANIFEST_TYPE, manifest), "artifactType": BUNDLE_TYPE, "annotations": annotations}
    return Referrer(manifest, descriptor)


def attached(listed: Iterable[Mapping[str, Any]], subject: Digest, read: Read) -> list[Attached]:
    """Return the bundles among what refers to a subject, each once.

    Args:
        listed: descriptors, from a registry's list or from a layout's index; others than bundles are passed over.
        subject: what they should refer to; those that refer to something else are passed over.
        read: gives the bytes of manifests and bundles.

    Whoever can write to a registry can add rubbish, which must stop nobody. A manifest that does not hold one bundle is
    returned in the place of one: no verifier takes it for a bundle, and it is on record as refused.

    Raises:
        VerificationFailed: a manifest or a bundle is not what its digest says.
    """
    found: dict[Digest, Attached] = {}
    for item in listed:
        try:
            digest = candidate(item)
            data = checked(read(digest), digest, "the manifest of an attestation")
            layer = bundle_of(data, digest, subject)
        except PassedOver:
            continue
        if layer is None:
            found[digest] = Attached(subject, digest, data)
        else:
            found[layer] = Attached(subject, layer, checked(read(layer), layer, "an attestation"), data)
    return [found[digest] for digest in sorted(found)]


def candidate(item: object) -> Digest:
    """Return the digest of what a list says may hold a bundle; raise `PassedOver` for anything else."""
    if not isinstance(item, dict):
        raise PassedOver("its entry is not a valid descriptor")
    if (kind := item.get("artifactType") or BUNDLE_TYPE) != BUNDLE_TYPE:
        raise PassedOver(line(f"its type is {kind}")[:200])
    if item.get("mediaType", MANIFEST_TYPE) != MANIFEST_TYPE:
        raise PassedOver("it is not an image manifest")
    size = item.get("size", 0)
    if not isinstance(size, int) or size > LARGEST_MANIFEST:
        raise PassedOver(line(f"its size is {size}")[:200])
    try:
        return Digest.parse(str(item.get("digest")))
    except VerificationFailed as failure:
        raise PassedOver("its digest is of another kind than any that this pipeline writes") from failure


def bundle_of(manifest: bytes, digest: Digest, subject: Digest) -> Digest | None:
    """Return the digest of the one bundle that a manifest attaches to a subject; None where it does not hold just one.

    Raises:
        PassedOver: it attaches something else, or to something else.
    """
    try:
        found = checked_json(manifest, digest, "the manifest of an attestation")
    except VerificationFailed:
        return None
    if found.get("artifactType") != BUNDLE_TYPE:
        raise PassedOver("it attaches something else than a Sigstore bundle")
    if _subject(found) != str(subject):
        raise PassedOver("it refers to something else")
    try:
        return only_layer(found, digest)
    except VerificationFailed:
        return None


def size_of(manifest: bytes) -> int:
    """Return how large a manifest says that its bundle is, in bytes; `bundle_of` has found that there is one."""
    return int(json.loads(manifest)["layers"][0]["size"])


def configuration_of(manifest: bytes) -> Digest | None:
    """Return the digest of the configuration that a manifest names; None where it names none."""
    try:
        return Digest.parse(str(json.loads(manifest)["config"]["digest"]))
    except (ValueError, KeyError, TypeError, RecursionError, VerificationFailed):
        return None


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(data)), "size": len(data)}


def _subject(manifest: Mapping[str, Any]) -> str:
    subject = manifest.get("subject")
    return str(subject.get("digest")) if isinstance(subject, dict) else ""


def only_layer(manifest: Mapping[str, Any], digest: Digest) -> Digest:
    """Return the digest of a referrer's one bundle; raise `VerificationFailed` when it does not hold exactly one.

    What its configuration holds is of no interest, and is fetched with it: that has to be small.
    """
    match manifest:
        case {
            "config": {"size": int(other)},
            "layers": [{"mediaType": str(kind), "digest": str(layer), "size": int(size)}],
        } if kind == BUNDLE_TYPE and other <= LARGEST_MANIFEST:
            if not 0 < size <= LARGEST_BUNDLE:
                raise VerificationFailed(f"the attestation {layer} is too large or empty: {size} bytes"[:200])
            return Digest.parse(layer)
    raise VerificationFailed(f"the manifest {digest} does not hold exactly one Sigstore bundle")
