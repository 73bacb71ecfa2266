"""Render the manifests with the verified digest and check them strictly; to apply them is not available yet."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.deploying import platform
from pipeline.deploying.admission import require, unmounted
from pipeline.deploying.bases import read_own, require_own
from pipeline.deploying.creation import FILE, first_replicas
from pipeline.deploying.kustomization import cut_off
from pipeline.deploying.manifests import Manifest, dump, parse
from pipeline.deploying.review import review
from pipeline.digest import Digest, Reference
from pipeline.engine.stage import Context
from pipeline.errors import SubjectFailed, VerificationFailed


async def deploy(context: Context) -> str:
    """Write rendered.yaml, what would be applied, and receipt.json, what was done with it.

    Where the project has it, replicas-at-creation.yaml is what another field manager would apply, once.

    Raises:
        ConfigError: the configuration names no such container or Kubernetes version.
        SubjectFailed: the manifests do not render from this project alone, do not fit the schemas, would weaken a
            cluster, give the container fewer writable directories than it was tried with, or are not what the platform
            allows.
        VerificationFailed: the verified image is not the one that was built.
    """
    directory, version = context.config.deploy.manifests, context.config.deploy.kubernetes
    if directory is None:
        context.write_json("receipt.json", {"state": "not run", "reason": "[deploy] manifests names no directory"})
        return "not run: pipeline.toml names no manifests"
    reference = _verified(context)
    container = context.config.deploy.container
    also = [Reference.parse(image) for image in context.config.deploy.also_images]
    manifests = review(await _render(context, directory), version, container, reference, also)
    require(unmounted(manifests, container, context.config.smoke.writable))
    if context.config.deploy.platform is not None:
        require(platform.read(parse(await _render(context, context.config.deploy.platform))).outside(manifests))
    _write_first_replicas(context, directory, manifests)
    rendered = dump(manifests)
    (context.out / "rendered.yaml").write_bytes(rendered)
    context.write_json(
        "receipt.json",
        {
            "state": "checked, not applied",
            "reason": "a dry run has no cluster",
            "reference": str(reference),
            "manifests": directory.relative_to(context.config.root).as_posix(),
            "kubernetes": version,
            "objects": [manifest.title for manifest in manifests],
            "rendered": str(Digest.of(rendered)),
        },
    )
    return f"{len(manifests)} objects, the image by digest, valid for Kubernetes {version}: checked, not applied"


def _verified(context: Context) -> Reference:
    """Return the image that was verified; it must be the one that was built."""
    built = Reference.parse(context.read_json("image", "image.json")["reference"])
    verified = Digest.parse(context.read_json("verify", "verification.json")["digest"])
    if verified != built.digest:
        raise VerificationFailed(
            "the verified image is not the one that was built",
            why=(f"built    {built.digest}", f"verified {verified}"),
            do="run `python -m pipeline stage verify` again",
        )
    return built


def _write_first_replicas(context: Context, directory: Path, manifests: Sequence[Manifest]) -> None:
    text = read_own(directory / FILE, _top(context, directory))
    if text is not None:
        (context.out / FILE).write_bytes(dump([first_replicas(text, manifests)]))


def _top(context: Context, directory: Path) -> Path:
    """Return what of the project may be read beside a directory: what the row declares, and its digest covers."""
    return next(each for each in context.config.reads("manifests") if directory.is_relative_to(each.resolve()))


async def _render(context: Context, directory: Path) -> bytes:
    # A base that is fetched now would be locked by nothing, and one beside what the row declares is in no digest.
    require_own(directory, _top(context, directory))
    hidden = cut_off(context.tools.environment)
    done = await context.tools.run("kustomize", "build", directory, env=hidden, timeout=60, ok=(0, 1))
    if done.code:
        raise SubjectFailed(
            f"{directory.relative_to(context.config.root)} does not render",
            why=context.tools.last_words(done.stderr),
            do="correct kustomization.yaml; what it names must be files of this project",
        )
    return done.stdout
