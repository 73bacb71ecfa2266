"""Attach a bundle to what a registry has already, and see that the registry lists it there."""

from collections.abc import Mapping
from datetime import datetime

from shipseal.digest import Digest
from shipseal.distribution.referrers import EMPTY, attach
from shipseal.distribution.registry import Registry
from shipseal.errors import RemoteFailed
from shipseal.oci.layout import Layout


def put(layout: Layout, bundle: bytes, kind: str, subject: Mapping[str, object], now: datetime) -> Digest:
    """Put a bundle and the manifest that attaches it into a layout; return the digest of that manifest.

    Args:
        layout: where its subject is, or will be pushed from.
        bundle: the Sigstore bundle.
        kind: the type of its statement.
        subject: the descriptor of what it is attached to.
        now: when.
    """
    referrer = attach(bundle, kind, subject, now)
    for blob in (EMPTY, bundle, referrer.manifest):
        layout.put(blob)
    layout.list_more([referrer.descriptor])
    return Digest.of(referrer.manifest)


async def push(
    registry: Registry, layout: Layout, bundle: bytes, kind: str, subject: Mapping[str, object], now: datetime
) -> None:
    """Attach a bundle to a subject that the registry has; see `put` for the others.

    Raises:
        RemoteFailed: the registry refuses it, or does not list it at the subject.
    """
    digest, at = put(layout, bundle, kind, subject, now), Digest.parse(str(subject["digest"]))
    await registry.push(layout.path, digest, recursive=False)
    if str(digest) not in {str(item["digest"]) for item in await registry.referrers(at)}:
        raise RemoteFailed(
            f"{registry.host} does not list the statement {kind} at {at}",
            remedy="nothing that comes after it was done; run this again",
        )
