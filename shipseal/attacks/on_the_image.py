"""Tamper with the image in the registry, as whoever owns that can."""

import json
from collections.abc import Mapping
from typing import Any

from shipseal.attacks import copies
from shipseal.attacks.attack import Attack
from shipseal.attacks.content import RepositoryContent
from shipseal.attacks.pointers import at
from shipseal.attacks.refusal import Refusal, unsatisfied
from shipseal.attacks.target import RECEIPT, Copy
from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.documents.promote import TagsDocument
from shipseal.engine.run_contents import RunContents
from shipseal.errors import UsageError, VerificationFailed
from shipseal.oci.documents import LAYER
from shipseal.oci.models import OciDescriptor, OciIndex, OciManifest
from shipseal.verification.grounds import Ground
from shipseal.verification.trust import Policy

_ALTERED = Refusal(VerificationFailed, "distribution.fetch_image._try")
_OTHER = b"another layer"


def _manifest(copy: Copy) -> OciManifest:
    return copy.content.manifest(copy.target.platforms[0])


def _alter(copy: Copy, digest: Digest) -> None:
    copy.content.alter(digest, copies.without(copy.content.read(digest), len(copy.content.read(digest)) // 2))
    copy.fit("publish")


def _swap_a_layer(copy: Copy) -> None:
    _alter(copy, _manifest(copy).layers[-1].digest)


def _change_the_configuration(copy: Copy) -> None:
    _alter(copy, _manifest(copy).config.digest)


def _annotate_a_manifest(copy: Copy) -> None:
    digest = copy.target.platforms[0]
    manifest = {**_manifest(copy).as_json(), "annotations": {"org.opencontainers.image.version": "999"}}
    copy.content.alter(digest, canonical(manifest))
    copy.fit("publish")


def _reordered(content: RepositoryContent, index: Digest) -> Digest:
    document = content.json(index)
    return content.put(json.dumps(dict(reversed(document.items()))).encode())


def _publish(copy: Copy, index: Digest, subjects: Mapping[Digest, Digest]) -> None:
    """Say in the receipt that another index was published, and other manifests in the place of some."""
    copy.content.list_manifest(index)
    renamed = {str(old): str(new) for old, new in subjects.items()}

    def change(receipt: Any) -> Any:
        there = [renamed.get(each, each) for each in at(receipt, "/subjects")]
        return {**receipt, "reference": f"{copy.target.published.name}@{index}", "subjects": there}

    copy.edit(RECEIPT, change)


def _reorder_the_index(copy: Copy) -> None:
    index = copy.target.image
    other = _reordered(copy.content, index)
    _publish(copy, other, {index: other})


def _with_another_layer(content: RepositoryContent, manifest: Digest) -> Digest:
    document = content.manifest(manifest)
    layer = OciDescriptor(media_type=LAYER, digest=content.put(_OTHER), size=len(_OTHER))
    changed = document.model_copy(update={"layers": (*document.layers[:-1], layer)})
    return content.put(canonical(changed.as_json()))


def _build_around_the_evidence(copy: Copy) -> None:
    """Put another layer into every platform, every digest right, and attach all evidence to what came of it."""
    content, image = copy.content, copy.target.image
    renamed = {manifest: _with_another_layer(content, manifest) for manifest in copy.target.platforms}
    index = OciIndex.read(content.read(image), "the index")
    others = ((each, renamed[each.digest]) for each in index.manifests)
    listed = [each.model_copy(update={"digest": new, "size": len(content.read(new))}) for each, new in others]
    renamed[image] = content.put(canonical(index.model_copy(update={"manifests": tuple(listed)}).as_json()))
    for old, new in renamed.items():
        for name in copy.target.every:
            if old in copy.target.subjects(name):
                content.attach(copy.target.bundle(name), copy.target.kind(name), [new], copy.now)
    _publish(copy, renamed[image], renamed)


def _each(ground: Ground) -> Any:
    def expected(policy: Policy) -> Refusal:
        return unsatisfied(*((kind, ground) for kind in policy.require))

    return expected


def _verify_another_image(copy: Copy) -> None:
    other = Digest.of(b"another image")

    def change(verification: Any) -> Any:
        name = copy.target.published.name
        return {**verification, "reference": f"{name}@{other}", "digest": str(other)}

    copy.edit("verify/verification.json", change)


def _move_the_tag(copy: Copy) -> None:
    other = _reordered(copy.content, copy.target.image)
    copy.content.list_manifest(other, tag=TagsDocument.read(RunContents(copy.target.run.directory)).tags[0])
    copy.fit("publish")


ATTACKS = (
    Attack("layer-swapped", "a layer's bytes changed in the registry", "verify", _ALTERED, _swap_a_layer),
    Attack(
        "configuration-changed",
        "the image's configuration changed in the registry",
        "verify",
        _ALTERED,
        _change_the_configuration,
    ),
    Attack(
        "manifest-annotated",
        "an annotation of a platform's manifest changed in the registry",
        "verify",
        Refusal(VerificationFailed, "distribution.fetch_image.fetch"),
        _annotate_a_manifest,
    ),
    Attack(
        "index-reordered",
        "the index written in another order, under its own digest",
        "verify",
        _each(Ground.ABSENT),
        _reorder_the_index,
    ),
    Attack(
        "image-rebuilt",
        "another layer with every digest put right, and the evidence attached to that image",
        "verify",
        _each(Ground.SUBJECT),
        _build_around_the_evidence,
    ),
    Attack(
        "verification-moved-over",
        "the verification of another image",
        "promote",
        Refusal(VerificationFailed, "stages.promote._one_image"),
        _verify_another_image,
    ),
    Attack(
        "tag-moved",
        "the version's tag moved to another image after verify",
        "promote",
        Refusal(UsageError, "distribution.moving.moves"),
        _move_the_tag,
    ),
)
