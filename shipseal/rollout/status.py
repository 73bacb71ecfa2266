"""Say what runs, by which receipt, whether that still verifies, and what has drifted from it; nothing is written."""

from collections.abc import Iterator
from dataclasses import dataclass

from shipseal.cluster.access import Access
from shipseal.deploying.kstatus import KStatus
from shipseal.deploying.running import Match, Running
from shipseal.digest import Reference
from shipseal.engine.stage import Context
from shipseal.errors import ShipsealError, SubjectFailed, VerificationFailed
from shipseal.rollout import apply, gitops, pod_check
from shipseal.rollout import rendering as sets
from shipseal.rollout.deploy import DeployContext, ground
from shipseal.rollout.history import Genuine
from shipseal.rollout.preflight import Published, VerifiedRelease, published, verify
from shipseal.rollout.target import DeployTarget
from shipseal.rollout.wait import statuses
from shipseal.statements.deployment import Receipt


@dataclass(frozen=True)
class NamespaceStatus:
    """What was found in a namespace.

    Args:
        namespace: which.
        target: the cluster, and who we are to it.
        newest: the newest receipt that today's policy takes; None where nothing was deployed by one.
        refused: why its image no longer passes; empty where it does.
        pods: what runs, held against the image of the receipt.
        drift: what applying its set again would change.
        waits: what is not as it should be, by kstatus.
        git: the image that the overlay names by digest; None where it names none.
    """

    namespace: str
    target: DeployTarget
    newest: Genuine | None
    refused: tuple[str, ...] = ()
    pods: tuple[Running, ...] = ()
    drift: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    git: Reference | None = None

    @property
    def receipt(self) -> Receipt | None:
        """The newest receipt."""
        return self.newest.receipt if self.newest else None

    def failure(self) -> ShipsealError | None:
        """Return what is wrong, worst first; None where all is as it was deployed."""
        if self.newest is None:
            return None
        different = [f"{each.pod} runs {each.image_id}" for each in self.pods if each.match is Match.DIFFERENT]
        if self.refused or different:
            what = "pods run another image than the receipt names" if different else "what runs no longer verifies"
            return VerificationFailed(what, why=[*different, *self.refused], remedy="deploy an image that passes")
        if self.drift or self.waits:
            return SubjectFailed(
                "what runs has drifted from its receipt" if self.drift else "what runs is not healthy",
                why=[*self.drift, *self.waits],
                remedy="deploy again, or find out who changed it",
            )
        return None

    def as_json(self) -> dict[str, object]:
        """Return it for machines."""
        return {
            "event": "status",
            "namespace": self.namespace,
            "cluster": {"uid": self.target.cluster.uid, "version": self.target.cluster.git_version},
            "user": self.target.user,
            "receipt": self.receipt.predicate() if self.receipt else None,
            "signer": self.newest.signer if self.newest else None,
            "refused": list(self.refused),
            "pods": [each.model_dump(mode="json", by_alias=True) for each in pod_check.as_signed(self.pods)],
            "drift": list(self.drift),
            "waits": list(self.waits),
            "git": str(self.git) if self.git else None,
        }

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        yield f"namespace {self.namespace} of {self.target.cluster.git_version}, as {self.target.user}"
        if self.newest is None:
            yield "nothing was deployed here by a receipt"
            return
        receipt = self.newest.receipt
        yield f"receipt   {receipt.sequence} of {receipt.deployed_at}, signed by {self.newest.signer}"
        yield f"image     {receipt.image}, {'which no longer verifies' if self.refused else 'verified now'}"
        if receipt.rollback:
            yield f"rollback  from {receipt.rollback.image}: {receipt.rollback.reason}"
        for each in self.pods:
            yield f"pod       {each.pod} on {each.node or 'no node'}: {each.match}{f': {each.why}' if each.why else ''}"
        yield from (f"drift     {each}" for each in self.drift)
        yield from (f"waits     {each}" for each in self.waits)
        if self.git and self.git != receipt.reference:
            yield f"git       names {self.git}, which is not what runs"


async def status(context: Context, where: Published, access: Access) -> NamespaceStatus:
    """Look at the namespace that deploys change.

    Raises:
        VerificationFailed: it is another cluster than was meant, or somebody has edited a receipt.
        RemoteFailed: the registry or the cluster does not do what it should.
    """
    platform = await sets.own_platform(context)
    async with (
        published(context, where, writable=False) as place,
        ground(context, place, access, platform.namespace, platform.rights, hold=False) as on,
    ):
        if not on.history:
            return NamespaceStatus(platform.namespace, on.target, None)
        return await _standing(on, platform.namespace, on.history[0])


async def _standing(on: DeployContext, namespace: str, newest: Genuine) -> NamespaceStatus:
    context, api = on.context, on.target.api
    reference, refused = newest.receipt.reference, tuple[str, ...]()
    verified: VerifiedRelease | None = None
    try:
        verified = await verify(context, on.place, reference)
    except VerificationFailed as failure:
        refused = (failure.what, *failure.why)
    try:
        rendered = await sets.read(context, newest.kept.rendered, reference)
        drift = await apply.drift(api, rendered)
    except SubjectFailed as failure:
        return NamespaceStatus(namespace, on.target, newest, (*refused, failure.what, *failure.why))
    digests = verified.digests if verified else {reference.digest}
    pods = await pod_check.pods(api, rendered, context.config.deploy.container, digests)
    every = await statuses(api, rendered)
    waits = tuple(f"{title}: {each.message}" for title, each in every.items() if each.state is not KStatus.CURRENT)
    return NamespaceStatus(namespace, on.target, newest, refused, pods, drift, waits, gitops.named(context))
