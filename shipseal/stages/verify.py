"""Verify what was published as a consumer would: from the registry alone, by the policy, by two implementations."""

from collections.abc import Sequence

from shipseal.digest import Digest
from shipseal.documents.publish import PublishedDocument
from shipseal.engine.stage import Context
from shipseal.engine.workspace import scratch
from shipseal.errors import VerificationFailed
from shipseal.evidence.statements import summary
from shipseal.signing.roots import age, public_root
from shipseal.verification.consumer import Examination, describe, examine
from shipseal.verification.discovering import discover
from shipseal.verification.trust import Policy


async def verify(context: Context) -> str:
    """Write verification.json, discovery.json, and summary.json: the statement that `promote` signs and attaches."""
    published = PublishedDocument.read(context)
    reference = published.reference
    policy, directory = context.world.policy()
    left = context.of("attest") / "trusted_root.json"
    root = policy.root(left if left.exists() else None, public_root(), directory)
    files = context.of("publish") / "registry"
    async with (
        scratch(context) as work,
        context.world.registry(context.tools, files if files.exists() else None) as registry,
    ):
        context.say(f"reading {reference.digest} back, and asking two verifiers")
        found = await examine(registry, reference, policy, root=root, tools=context.tools, work=work, now=context.now)
        discovery = await discover(
            registry, reference, found, where=published.registry, root=root, keys=policy.keys, work=work
        )
    for line in (line for each in found.evidence for line in each.caveats):
        context.say(line)
    if not left.exists():
        context.say(f"verified by {age(root.read_bytes(), context.now)}")
    describe(found, reference, policy, root.read_bytes()).write(context)
    discovery.write(context)
    own = _require_own(published.bundles, found, policy)
    said = summary(reference, found.image, own, policy, context.now)
    (context.out / "summary.json").write_bytes(said.canonical())
    signers = ", ".join(sorted({each.signed.who.identity for each in found.statements}))
    return f"{len(found.statements)} statements by {signers}, accepted by sigstore-python and Cosign"


def _require_own(own: Sequence[Digest], found: Examination, policy: Policy) -> Sequence[Digest]:
    """Return the bundles that this run stands for, signed or adopted; refuse them where one is not accepted.

    What another release of the same bytes has left in the registry must not carry this one.
    """
    accepted = {each.bundle for each in found.statements}
    if missing := [digest for digest in own if digest not in accepted]:
        raise VerificationFailed(
            f"{len(missing)} of {len(own)} statements signed or adopted by this run are not accepted",
            why=sorted(
                {found.refused.get(str(digest), f"{digest} is not attached to the image") for digest in missing}
            ),
            remedy=f"sign as somebody whom the policy {policy.name} names; no tag was moved",
        )
    return own
