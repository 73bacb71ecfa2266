"""Roll back: apply the newest earlier receipt whose image still passes today's policy, by the field manager of deploys.

`kubectl rollout undo` would take what ran before, whatever is known of it by now, and own the fields from then on.
"""

from dataclasses import dataclass

from shipseal.deploying.manifests import parse
from shipseal.digest import Digest, Reference
from shipseal.errors import PolicyDenied, SubjectFailed, VerificationFailed
from shipseal.rollout import apply
from shipseal.rollout import rendering as sets
from shipseal.rollout.deploy import DeployContext, carry_out
from shipseal.rollout.history import Genuine
from shipseal.rollout.preflight import VerifiedRelease, verify
from shipseal.rollout.rendering import Rendered
from shipseal.statements import deployment


@dataclass(frozen=True)
class Earlier:
    """An earlier deployment that may be applied again, verified right now."""

    of: Genuine
    rendered: Rendered
    verified: VerifiedRelease


async def previous_receipt(on: DeployContext, failed: Digest | None, image: Digest | None = None) -> Earlier:
    """Return the newest receipt that may be applied again.

    Args:
        on: the ground of the deploy; its receipts are gone through, the newest first.
        failed: the set that is to be left; receipts of it are passed over.
        image: the only one whose receipts count, where one was asked for.

    Raises:
        PolicyDenied: there is none; the reasons say why each was passed over.
    """
    passed_over = list[str]()
    for each in on.history:
        number = f"receipt {each.receipt.sequence} ({each.receipt.image})"
        if each.receipt.rendered == failed:
            passed_over.append(f"{number} is of this very set")
            continue
        if image not in {None, each.receipt.reference.digest}:
            passed_over.append(f"{number} is of another image")
            continue
        try:
            return await _checked(on, each)
        except (VerificationFailed, SubjectFailed) as failure:
            passed_over.append(f"{number}: {'; '.join((failure.what, *failure.why[:2]))}")
            on.context.say(f"passed over {passed_over[-1]}")
    raise PolicyDenied(
        "no earlier receipt may be applied again",
        why=passed_over or ["there is none in this namespace"],
        remedy="what was healthy last is still there; deploy an image that passes: `shipseal deploy --to DIGEST`",
    )


async def left(on: DeployContext) -> Digest | None:
    """Return the set that a rollback leaves: that of the newest receipt, or None where pods are of another by now.

    A deploy that was killed while it waited has applied another set and left no receipt: what was healthy last is then
    the newest one.
    """
    newest = on.history[0]
    try:
        found = await apply.difference(on.target.api, Rendered(parse(newest.kept.rendered)))
    except SubjectFailed:  # somebody has taken a field of it: it was applied, all the same
        return newest.receipt.rendered
    other = any(each.path.startswith("spec.template") for each in found.changes)
    return None if other else newest.receipt.rendered


async def _checked(on: DeployContext, each: Genuine) -> Earlier:
    reference, own = each.receipt.reference, on.context.config.image.repository
    if f"{reference.registry}/{reference.repository}" != own:
        raise VerificationFailed(f"it is in another repository than {own}")
    found = await sets.read(on.context, each.kept.rendered, reference)
    return Earlier(each, found, await verify(on.context, on.place, reference))


async def roll_back(on: DeployContext, to: Earlier, rolled_back: Reference, reason: str) -> deployment.Receipt:
    """Apply an earlier set again; return its receipt, which says from what it was rolled back, and why."""
    on.context.say(f"rolling back to receipt {to.of.receipt.sequence}, {to.of.receipt.image}")
    why = deployment.Rollback(image=str(rolled_back), reason=reason)
    return await carry_out(on, to.verified, to.rendered, why)


async def instead_of(on: DeployContext, image: Reference, failed: Rendered, failure: SubjectFailed) -> SubjectFailed:
    """Return the failure of a deploy with what became of it: rolled back, or not, and why not."""
    try:
        found = await previous_receipt(on, failed.digest)
    except PolicyDenied as denied:
        became = [f"not rolled back: {denied.what}", *denied.why]
        return SubjectFailed(failure.what, why=[*became, *failure.why], remedy=failure.remedy)
    try:
        receipt = await roll_back(on, found, image, failure.what)
        became = [f"rolled back to {receipt.image}, healthy by receipt {receipt.sequence}"]
    except SubjectFailed as again:
        earlier_one = f"receipt {found.of.receipt.sequence} ({found.of.receipt.image})"
        became = [f"{earlier_one} was applied again, and is not healthy either: {again.what}", *again.why]
    return SubjectFailed(failure.what, why=[*became, *failure.why], remedy=failure.remedy)
