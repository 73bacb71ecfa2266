"""Push the inputs of a store to a registry: one artefact for a platform, signed, every input under its own sha256."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path

from shipseal.digest import Reference
from shipseal.distribution.attaching import push as attach
from shipseal.distribution.registry import Registry
from shipseal.locked.listing import EMPTY, MANIFEST_TYPE
from shipseal.locked.mirror_writer import Offer
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.signing.signer import Signer
from shipseal.statements import builders
from shipseal.statements.builders import PredicateType, Subject
from shipseal.statements.unsigned_statement import Planned


async def push_inputs(
    offer: Offer,
    store: Store,
    registry: Registry,
    signer: AbstractAsyncContextManager[Signer] | None,
    *,
    work: Path,
    now: datetime,
) -> Reference:
    """Push inputs, have the artefact signed, and move its tags; what the registry has is not sent again.

    Args:
        offer: the inputs.
        store: has them.
        registry: open to be written to.
        signer: who signs; None for nobody, which is as good for everybody who has a lock.
        work: an empty directory.
        now: when it is signed.

    Returns:
        The artefact.

    Raises:
        RemoteFailed: the registry or the signing services did not do it.
    """
    layout = Layout.create(work / "layout")
    for item in offer.items:
        layout.blob(item.digest).symlink_to(store.get(item.digest))
    layout.put(EMPTY)
    digest = layout.put(offer.manifest)
    described = {"mediaType": MANIFEST_TYPE, "digest": str(digest), "size": len(offer.manifest)}
    layout.list_more([described])
    await registry.push(layout.path, digest, recursive=False)
    reference = Reference(registry.host, registry.repository, digest)
    if signer:
        async with signer as by:
            bundle = await _sign(by, reference, work)
        await attach(registry, layout, bundle, PredicateType.SIGNATURE, described, now)
    await registry.tag(digest, *offer.names)
    return reference


async def _sign(signer: Signer, reference: Reference, work: Path) -> bytes:
    subject = Subject(f"{reference.registry}/{reference.repository}", reference.digest)
    statement, bundle = work / "inputs.json", work / "inputs.sigstore.json"
    planned = Planned("inputs", PredicateType.SIGNATURE, (subject,), builders.signature())
    statement.write_bytes(planned.canonical())
    await signer.sign(statement, bundle)
    return bundle.read_bytes()
