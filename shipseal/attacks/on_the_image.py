"""Tamper with the image in the registry, as whoever owns that can."""

import json
from collections.abc import Mapping
from typing import Any

from shipseal.attacks import copies
from shipseal.attacks.attack import Attack
from shipseal.attacks.content import Content
from shipseal.attacks.refusal import Refusal, unsatisfied
from shipseal.attacks.target import RECEIPT, Copy
from shipseal.attestation.grounds import Ground
from shipseal.attestation.trust import Policy
from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.errors import UsageError, VerificationFailed
from shipseal.oci.documents import LAYER

_ALTERED = Refusal(VerificationFailed, "distribution.fetch_image._try")
_OTHER = b"another layer"


def _manifest(copy: Copy) -> Any:
    return copy.content.json(copy.target.platforms[0])


def _alter(copy: Copy, digest: Digest) -> None:
    copy.content.alter(digest, copies.without(copy.content.read(digest), len(copy.content.read(digest)) // 2))
    copy.fit("publish")


def _swap_a_layer(copy: Copy) -> None:
    _alter(copy, Digest.parse(_manifest(copy)["layers"][-1]["digest"]))


def _change_the_configuration(copy: Copy) -> None:
    _alter(copy, Digest.parse(_manifest(copy)["config"]["digest"]))


def _annotate_a_manifest(copy: Copy) -> None:
    digest = copy.target.platforms[0]
    manifest = {**_manifest(copy), "annotations": {"org.opencontainers.image.version": "999"}}
    copy.content.alter(digest, canonical(manifest))
    copy.fit("publish")


def _reordered(content: Content, index: Digest) -> Digest:
    document = content.json(index)
    return content.put(json.dumps(dict(reversed(document.items()))).encode())


def _publish(copy: Copy, index: Digest, subjects: Mapping[Digest, Digest]) -> None:
    """Say in the receipt that another index was published, and other manifests in the place of some."""
    copy.content.list_manifest(index)
    renamed = {str(old): str(new) for old, new in subjects.items()}

    def change(receipt: Any) -> Any:
        name = receipt["reference"].partition("@")[0]
        there = [renamed.get(each, each) for each in receipt["subjects"]]
        return {**receipt, "reference": f"{name}@{index}", "subjects": there}

    copy.edit(RECEIPT, change)


def _reorder_the_index(copy: Copy) -> None:
    index = copy.target.image
    other = _reordered(copy.content, index)
    _publish(copy, other, {index: other})


def _with_another_layer(content: Content, manifest: Digest) -> Digest:
    document = content.json(manifest)
    layer = {"mediaType": LAYER, "digest": str(content.put(_OTHER)), "size": len(_OTHER)}
    return content.put(canonical({**document, "layers": [*document["layers"][:-1], layer]}))


def _build_around_the_evidence(copy: Copy) -> None:
    """Put another layer into every platform, every digest right, and attach all evidence to what came of it."""
    content, image = copy.content, copy.target.image
    renamed = {manifest: _with_another_layer(content, manifest) for manifest in copy.target.platforms}
    index = content.json(image)
    for each in index["manifests"]:
        other = renamed[Digest.parse(each["digest"])]
        each |= {"digest": str(other), "size": len(content.read(other))}
    renamed[image] = content.put(canonical(index))
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
        name = verification["reference"].partition("@")[0]
        return {**verification, "reference": f"{name}@{other}", "digest": str(other)}

    copy.edit("verify/verification.json", change)


def _move_the_tag(copy: Copy) -> None:
    other = _reordered(copy.content, copy.target.image)
    copy.content.list_manifest(other, tag=copy.target.json("promote/tags.json")["tags"][0])
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
