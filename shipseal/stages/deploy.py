"""Deploy the image that was verified and promoted; in a dry run without a cluster, render and check what would be."""

from shipseal.deploying.creation import FILE
from shipseal.deploying.manifests import dump
from shipseal.digest import Reference
from shipseal.documents.deploy import DeployDocument, DeployState
from shipseal.documents.image import ImageDocument
from shipseal.documents.verify import VerificationDocument
from shipseal.engine.stage import Context
from shipseal.errors import VerificationFailed
from shipseal.rollout.orders import deploy as order
from shipseal.rollout.preflight import Published
from shipseal.rollout.rendering import Rendered, render
from shipseal.signing.roots import public_root


async def deploy(context: Context) -> str:
    """Write rendered.yaml, what is applied, and receipt.json, what came of it.

    Raises:
        ConfigError: the configuration names no such container or Kubernetes version.
        SubjectFailed: the manifests are not what may be deployed, or did not become healthy.
        VerificationFailed: the verified image is not the one that was built, or not the one that runs.
        RemoteFailed: the registry, the signing services or the cluster do not do what they should.
    """
    directory = context.config.deploy.manifests
    if directory is None:
        DeployDocument(state=DeployState.NOT_RUN, reason="[deploy] manifests names no directory").write(context)
        return "not run: pipeline.toml names no manifests"
    reference = _verified(context)
    async with context.world.cluster(context.tools, context.out) as access:
        if access is None:
            rendered = await render(context, directory, reference)
            (context.out / "rendered.yaml").write_bytes(rendered.data)
            _write(context, reference, rendered, DeployState.CHECKED, "a dry run has no cluster")
            return (
                f"{len(rendered.manifests)} objects, the image by digest, valid for Kubernetes "
                f"{context.config.deploy.kubernetes}: checked, not applied"
            )
        receipt, rendered = await order(context, _published(context), reference, access)
    _write(context, reference, rendered, DeployState.DEPLOYED, f"receipt {receipt.sequence} in {rendered.namespace}")
    context.write_json("deployment.json", receipt.predicate())
    proven = "each runs the verified image" if receipt.proven else "which image they run is UNPROVEN"
    return f"{len(rendered.manifests)} objects applied to {rendered.namespace}, {len(receipt.pods)} pods: {proven}"


def _write(context: Context, reference: Reference, rendered: Rendered, state: DeployState, reason: str) -> None:
    manifests = context.config.deploy.manifests
    assert manifests is not None
    if rendered.first_replicas is not None:
        (context.out / FILE).write_bytes(dump([rendered.first_replicas]))
    DeployDocument(
        state=state,
        reason=reason,
        reference=reference,
        manifests=manifests.relative_to(context.config.root).as_posix(),
        kubernetes=context.config.deploy.kubernetes,
        objects=tuple(rendered.titles),
        rendered=rendered.digest,
    ).write(context)


def _published(context: Context) -> Published:
    policy, directory = context.world.policy()
    left = context.of("attest") / "trusted_root.json"
    root = policy.root(left if left.exists() else None, public_root(), directory)
    earlier = context.of("promote")
    files = context.world.content(context.out, earlier if (earlier / "registry").exists() else None)
    return Published(files, policy, root)


def _verified(context: Context) -> Reference:
    """Return the image that was verified; it must be the one that was built."""
    built, verified = ImageDocument.read(context).reference, VerificationDocument.read(context).digest
    if verified != built.digest:
        raise VerificationFailed(
            "the verified image is not the one that was built",
            why=(f"built    {built.digest}", f"verified {verified}"),
            remedy="run `shipseal stage verify` again",
        )
    return built
