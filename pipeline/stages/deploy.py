"""Render the manifests with the verified digest and check them strictly; to apply them is not available yet."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]

from pipeline.deploying.admission import Problem, problems, require
from pipeline.deploying.manifests import Manifest, dump, parse, set_image
from pipeline.digest import Digest, Reference
from pipeline.errors import ConfigError, SubjectFailed, VerificationFailed
from pipeline.stage import Context

# A base named by a URL would be fetched now, and locked by nothing: without git, and behind a proxy that is nowhere,
# kustomize says no.
_NOWHERE = {"PATH": "", "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}


async def deploy(context: Context) -> str:
    """Write rendered.yaml, what would be applied, and receipt.json, what was done with it.

    Raises:
        ConfigError: the configuration names no such container or Kubernetes version.
        SubjectFailed: the manifests do not render, do not fit the schemas, or would weaken a cluster.
        VerificationFailed: the verified image is not the one that was built.
    """
    directory, version = context.config.deploy.manifests, context.config.deploy.kubernetes
    if directory is None:
        context.write_json("receipt.json", {"state": "not run", "reason": "[deploy] manifests names no directory"})
        return "not run: pipeline.toml names no manifests"
    reference = _verified(context)
    manifests = set_image(parse(await _render(context, directory)), context.config.deploy.container, reference)
    require([*_misfits(manifests, version), *problems(manifests)])
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


async def _render(context: Context, directory: Path) -> bytes:
    done = await context.tools.run("kustomize", "build", directory, env=_NOWHERE, timeout=60, ok=(0, 1))
    if done.code:
        raise SubjectFailed(
            f"{directory.relative_to(context.config.root)} does not render",
            why=context.tools.last_words(done.stderr),
            do="correct kustomization.yaml; what it names must be files of this project",
        )
    return done.stdout


def _misfits(manifests: Iterable[Manifest], version: str) -> Iterator[Problem]:
    """Yield where a manifest differs from the schema of its kind, unknown fields included."""
    known = {known.rpartition(".")[0] for known in kubernetes_validate.utils.all_versions()}
    if version not in known:  # the library would quietly take the nearest older one
        raise ConfigError(
            f"there are no schemas for Kubernetes {version}",
            why=f"there are some for {', '.join(sorted(known, key=lambda name: int(name.partition('.')[2])))}",
            do="set [deploy] kubernetes to the version of the cluster",
        )
    for manifest in manifests:
        try:
            kubernetes_validate.validate(dict(manifest.body), version, strict=True)
        except kubernetes_validate.ValidationError as misfit:
            where = ".".join(str(step) for step in misfit.path)
            yield Problem(manifest.title, f"{where or 'the object'}: {misfit.message}"[:300])
        except kubernetes_validate.SchemaNotFoundError:
            yield Problem(manifest.title, f"Kubernetes {version} has no {manifest.body['apiVersion']} of this kind")
