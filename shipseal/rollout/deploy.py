"""Deploy one verified image: ten steps, each of which a deploy that was killed does again and ends the same.

The image is verified right before, nothing resolves a tag in between, and what is applied is what was signed. Where the
set does not become healthy, the newest earlier receipt whose image still passes is applied again (`back`).
"""

import os
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from shipseal.cluster.access import Access
from shipseal.cluster.api import connect
from shipseal.cluster.lease import held
from shipseal.deploying.platform import Right
from shipseal.engine.stage import Context
from shipseal.rollout import apply, evidence, history, pod_check, wait
from shipseal.rollout.apply import ApplyDiff
from shipseal.rollout.history import Genuine
from shipseal.rollout.names import LEASE
from shipseal.rollout.preflight import ImageLocation, VerifiedRelease, say
from shipseal.rollout.rendering import Rendered
from shipseal.rollout.target import DeployTarget, look_at, require_rights
from shipseal.statements import deployment
from shipseal.statements.builders import PredicateType
from shipseal.times import timestamp


@dataclass(frozen=True)
class DeployContext:
    """What a deploy stands on, once it has begun: the registry and the cluster, both looked at, and the lease held."""

    context: Context
    place: ImageLocation
    target: DeployTarget
    history: tuple[Genuine, ...]
    sequence: int


@asynccontextmanager
async def ground(
    context: Context,
    place: ImageLocation,
    access: Access,
    namespace: str,
    rights: Iterable[Right],
    *,
    hold: bool = True,
) -> AsyncIterator[DeployContext]:
    """Look at the cluster, hold the lease of the namespace, and read its receipts; nothing else is written yet.

    Args:
        context: of the stage.
        place: where images are.
        access: how the cluster is reached.
        namespace: what is deployed to.
        rights: what has to be allowed there.
        hold: whether others are kept from deploying meanwhile; not where nothing will be written.

    Raises:
        RemoteFailed: the cluster does not answer, rights are lacking, or another deploy does not end.
        VerificationFailed: it is another cluster than was meant, or somebody has edited a receipt.
    """
    holder = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(connect(access, say=context.say))
        target = await look_at(api, access, context)
        await require_rights(api, rights)
        if hold:
            await stack.enter_async_context(held(api, namespace, LEASE, holder, say=context.say))
        kept = await history.kept(api, namespace)
        counted = history.genuine(kept, namespace, target.cluster.uid, place.policy, place.root, context.say)
        yield DeployContext(context, place, target, counted, 1 + max((each.sequence for each in kept), default=0))


async def sign(on: DeployContext, verified: VerifiedRelease, rendered: Rendered) -> None:
    """Sign the rendered set as a statement about the image, and attach it."""
    say(on.context, "sign", f"{len(rendered.manifests)} objects, {rendered.digest}")
    said = rendered.said(verified.reference, on.context.config.deploy.kubernetes)
    await evidence.say(on.context, on.place, verified, PredicateType.RENDERED_SET, said.predicate())


async def differ(on: DeployContext, rendered: Rendered) -> ApplyDiff:
    """Have the server say what would change, and refuse what it would refuse."""
    say(on.context, "differ", "a dry run of the server")
    found = await apply.difference(on.target.api, rendered)
    for line in found.lines() or ["nothing changes"]:
        on.context.say(line)
    return found


async def carry_out(
    on: DeployContext, verified: VerifiedRelease, rendered: Rendered, rollback: deployment.Rollback | None = None
) -> deployment.Receipt:
    """Apply a set, wait for it, compare what runs with what was verified, ask it, write the receipt, and prune.

    Raises:
        SubjectFailed: it was refused, or did not become healthy.
        VerificationFailed: pods run another image.
    """
    context, api = on.context, on.target.api
    say(context, "apply", f"{len(rendered.manifests)} objects in {rendered.namespace}")
    await apply.apply(api, rendered, context)
    say(context, "wait", f"{context.config.deploy.timeout_seconds:.0f} s at most")
    await wait.until_current(api, rendered, context)
    say(context, "look", "which image each pod runs")
    pods = await pod_check.pods(api, rendered, context.config.deploy.container, verified.digests)
    pod_check.require_same(pods, verified.digests, context)
    say(context, "ask", context.config.deploy.probe or "nobody: [deploy] probe names nothing")
    answer = await pod_check.probe(api, rendered.namespace, context.config.deploy.probe, context)
    receipt = deployment.Receipt(
        sequence=on.sequence,
        deployed_at=timestamp(context.now),
        deployer=on.target.user,
        image=str(verified.reference),
        where=deployment.Where(
            uid=on.target.cluster.uid, version=on.target.cluster.version, namespace=rendered.namespace
        ),
        manifests=deployment.Manifests(digest=str(rendered.digest), objects=rendered.titles),
        verification=verified.said,
        pods=pod_check.as_signed(pods),
        probe=answer,
        rollback=rollback,
    )
    say(context, "receipt", f"{receipt.sequence}")
    signed = await _keep(on, verified, rendered, receipt)
    say(context, "prune", "what is no longer in the set")
    await apply.prune(api, rendered, context)
    await history.trim(api, rendered.namespace)
    return signed


async def _keep(
    on: DeployContext, verified: VerifiedRelease, rendered: Rendered, receipt: deployment.Receipt
) -> deployment.Receipt:
    """Sign and attach the receipt, and keep it in the namespace; return the one that says so already, if there is.

    That is the newest one, where nothing has changed since; an older one of the same set was followed by another.
    """
    kind, apart = PredicateType.DEPLOYMENT, deployment.APART
    newest = on.history[0].receipt if on.history else None
    if newest and (newest.sequence, newest.rendered) == (on.sequence - 1, receipt.rendered):
        again = receipt.model_copy(update={"sequence": newest.sequence})
        if evidence.attached(on.context, verified, kind, again.predicate(), apart):
            receipt = again
    bundle = await evidence.say(on.context, on.place, verified, kind, receipt.predicate(), apart)
    signed = deployment.of_bundle(bundle)
    await history.keep(on.target.api, rendered.namespace, signed, bundle, rendered.data)
    return signed
