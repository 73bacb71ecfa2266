"""What may be asked for: deploy an image, see what that would change, or roll back. Each opens what it needs, in order.

The registry and the policy are opened first, and the cluster is looked at before anything is written there.
"""

from shipseal.cluster.access import Access
from shipseal.cluster.api import connect
from shipseal.digest import Digest, Reference
from shipseal.engine.stage import Context
from shipseal.errors import SubjectFailed, UsageError
from shipseal.rollout import back, gitops
from shipseal.rollout.apply import ApplyDiff
from shipseal.rollout.deploy import carry_out, differ, ground, sign
from shipseal.rollout.evidence import require_signer
from shipseal.rollout.preflight import Published, published, say, verify
from shipseal.rollout.rendering import Rendered, manifests_of, own_platform, render
from shipseal.rollout.target import DeployTarget, look_at, require_rights
from shipseal.statements.deployment import Receipt


async def deploy(context: Context, where: Published, reference: Reference, access: Access) -> tuple[Receipt, Rendered]:
    """Deploy an image; return its receipt, and the set that was applied.

    Raises:
        VerificationFailed: the image does not pass, somebody edited a receipt, or pods run another image.
        SubjectFailed: the set was refused or did not become healthy; the reasons say what was rolled back.
        RemoteFailed: the registry, the signing services or the cluster do not do what they should.
    """
    async with published(context, where, writable=True) as place:
        verified = await verify(context, place, reference)
        say(context, "render", manifests_of(context).name)
        rendered = await render(context, manifests_of(context), reference)
        (context.out / "rendered.yaml").write_bytes(rendered.data)
        if (git := gitops.named(context)) and git != reference:
            context.say(f"the overlay in git names {git}, which is not what is deployed now")
        await require_signer(context, place)
        async with ground(context, place, access, rendered.namespace, rendered.rights) as on:
            await sign(on, verified, rendered)
            await differ(on, rendered)
            try:
                return await carry_out(on, verified, rendered), rendered
            except SubjectFailed as failure:
                raise await back.instead_of(on, reference, rendered, failure) from failure


async def look(context: Context, *, patience: float = 60) -> DeployTarget:
    """See that the configured cluster is the one that is meant, and lets us do what a deploy does; write nothing.

    Args:
        context: of the verb.
        patience: seconds for which a cluster that does not answer is asked again.

    Raises:
        ConfigError: there is no way to it, or it is of another version than the manifests were checked against.
        VerificationFailed: it is another cluster.
        RemoteFailed: it does not answer or not let us in, or a right is lacking, which is named.
    """
    async with context.world.cluster(context.tools, context.out) as access:
        assert access is not None  # a release has one
        platform = await own_platform(context)
        async with connect(access, say=context.say, patience=patience) as api:
            target = await look_at(api, access, context)
            await require_rights(api, platform.rights)
            return target


async def compare(context: Context, where: Published, reference: Reference, access: Access) -> ApplyDiff:
    """Return what deploying an image would change in the cluster; nothing is written and nothing signed."""
    async with published(context, where, writable=False) as place:
        await verify(context, place, reference)
        rendered = await render(context, manifests_of(context), reference)
        async with ground(context, place, access, rendered.namespace, rendered.rights, hold=False) as on:
            return await differ(on, rendered)


async def roll_back(context: Context, where: Published, access: Access, to: Digest | None) -> Receipt:
    """Apply an earlier receipt again: the newest of another set than the last whose image passes, or one of an image.

    Raises:
        PolicyDenied: there is none.
        UsageError: nothing was ever deployed by a receipt.
    """
    async with published(context, where, writable=True) as place:
        await require_signer(context, place)
        platform = await own_platform(context)
        async with ground(context, place, access, platform.namespace, platform.rights) as on:
            if not on.history:
                raise UsageError("there is no receipt to roll back from", remedy="deploy first")
            left = None if to is not None else await back.left(on)
            found = await back.previous_receipt(on, left, to)
            return await back.roll_back(on, found, on.history[0].receipt.reference, "somebody asked for it")
