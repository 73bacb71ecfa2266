"""Deploy by others' ways: the verified digest in the overlay, as a change for review; the set as a signed artefact.

Neither touches a cluster: a controller that watches git or the registry does, and `status` tells where they disagree.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from shipseal.deploying import images
from shipseal.deploying.bases import read_own
from shipseal.deploying.kustomization import NAMES
from shipseal.deploying.manifests import parse
from shipseal.digest import Reference
from shipseal.disk import write as write_whole
from shipseal.distribution.attaching import put
from shipseal.distribution.manifests_artifact import Artifact, artifact, publish
from shipseal.engine.stage import Context
from shipseal.errors import ConfigError, SubjectFailed
from shipseal.rollout.evidence import require_signer
from shipseal.rollout.preflight import Published, published, verify
from shipseal.rollout.rendering import Rendered, kustomize, manifests_of, render, top
from shipseal.statements.builders import PredicateType, Subject
from shipseal.statements.unsigned_statement import Planned

_TITLE = "org.opencontainers.image.title"


async def write(context: Context, where: Published, reference: Reference) -> Path | None:
    """Put an image, verified right now, into the overlay's `images`; return the file, None where it is there already.

    Raises:
        VerificationFailed: the image does not pass.
        SubjectFailed: the file has no place for it; the message says what to write by hand.
    """
    async with published(context, where, writable=False) as place:
        await verify(context, place, reference)
    file, text = _kustomization(context)
    changed = images.write(text, await _name(context, text), reference)
    if changed == text:
        return None
    write_whole(file, changed.decode())
    return file


def named(context: Context) -> Reference | None:
    """Return the image that the overlay names by digest for this project's repository; None where it names none."""
    if context.config.deploy.manifests is None:
        return None
    own = context.config.image.repository
    found: Mapping[str, Reference] = images.pinned_images(_kustomization(context)[1])
    return next((each for each in found.values() if f"{each.registry}/{each.repository}" == own), None)


def _kustomization(context: Context) -> tuple[Path, bytes]:
    directory = manifests_of(context)
    for name in NAMES:
        file = directory / name
        if os.path.lexists(file):
            if file.is_symlink():
                raise SubjectFailed(
                    f"{file.name} is a link", remedy="have a file of that name: a link is not written to"
                )
            return file, read_own(file, top(context.config, directory)) or b""
    raise SubjectFailed(f"{directory.name} has no kustomization", why=f"looked for {', '.join(NAMES)}")


async def _name(context: Context, text: bytes) -> str:
    """Return what the manifests below call the image of the service's container: what an `images` entry replaces."""
    container = context.config.deploy.container
    rendered = parse(await kustomize(context.config, context.tools, manifests_of(context)))
    found = {
        str(each.get("image", "")).partition("@")[0]
        for manifest in rendered
        for each in manifest.containers()
        if each.get("name") == container
    }
    if len(found) != 1:
        raise ConfigError(f"{len(found)} containers are called {container!r}", remedy="name it in [deploy] container")
    image = found.pop()
    repository, colon, tag = image.rpartition(":")
    image = repository if colon and "/" not in tag else image
    replaced = {f"{each.registry}/{each.repository}": name for name, each in images.pinned_images(text).items()}
    return replaced.get(image, image)


async def push(context: Context, where: Published, reference: Reference) -> Reference:
    """Push the rendered set of a verified image as a signed artefact; return what controllers name.

    Raises:
        VerificationFailed: the image does not pass, or nobody would believe the signer.
        SubjectFailed: the set is not what may be deployed.
        RemoteFailed: the registry or the signing services do not do what they should.
    """
    async with published(context, where, writable=True) as place:
        await verify(context, place, reference)
        await require_signer(context, place)
        rendered = await render(context, manifests_of(context), reference)
        made = artifact(rendered.data, {_TITLE: f"{rendered.namespace}: {reference}"})
        layout = made.lay(place.work / "artifact")
        bundle = await _sign(context, reference, rendered, made)
        put(layout, bundle, PredicateType.RENDERED_SET, made.descriptor, context.now)
        context.say(f"pushing {len(rendered.manifests)} objects as {made.digest}")
        return Reference(reference.registry, reference.repository, await publish(place.registry, layout, made))


async def _sign(context: Context, reference: Reference, rendered: Rendered, made: Artifact) -> bytes:
    said = rendered.said(reference, context.config.deploy.kubernetes)
    name = f"{reference.registry}/{reference.repository}"
    subjects = (Subject(name, made.digest), Subject(name, reference.digest))
    statement, bundle = context.out / "artifact.json", context.out / "artifact.sigstore.json"
    statement.write_bytes(Planned("artifact", PredicateType.RENDERED_SET, subjects, said.predicate()).canonical())
    async with context.world.signer(context.tools, context.out) as signer:
        await signer.sign(statement, bundle)
    return bundle.read_bytes()
