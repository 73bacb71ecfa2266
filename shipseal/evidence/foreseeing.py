"""Foresee what a release does outside: from what the stages before it have left, and from what the registry has."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from shipseal.digest import Digest, Reference
from shipseal.distribution.moving import Moves, moves
from shipseal.distribution.referrers import EMPTY, Attached
from shipseal.distribution.registry import Registry
from shipseal.distribution.state import RegistryState, look
from shipseal.distribution.tags import tags_of
from shipseal.documents.attest import EffectsDocument, Kind
from shipseal.documents.image import ImageDocument
from shipseal.engine.stage import Context
from shipseal.evidence.effects import ImagePart, effects_of
from shipseal.evidence.statements import SUMMARY, claims_of, plan, summary
from shipseal.oci.layout import Layout
from shipseal.oci.models import OciManifest
from shipseal.signing.roots import public_root
from shipseal.signing.services import PUBLIC, services_of
from shipseal.signing.signer import Signer
from shipseal.statements.unsigned_statement import Planned
from shipseal.verification.adoption import Adoption, attached_there
from shipseal.verification.both_verifiers import Both
from shipseal.verification.decision import ImageIndex
from shipseal.verification.piece import SignedStatement
from shipseal.verification.rehearsal import require_trusted


@dataclass(frozen=True)
class There:
    """What a registry has before a release.

    Args:
        moves: where its tags are.
        state: what it has of the image, and lists beside it.
        attached: the bundles there.
    """

    moves: Moves
    state: RegistryState = field(default_factory=RegistryState)
    attached: Sequence[Attached] = ()

    @classmethod
    def nothing(cls, version: str, *, latest: bool = False) -> Self:
        """Return what a registry has that is empty: that of a dry run."""
        return cls(Moves(dict.fromkeys(tags_of(version, latest=latest)), {}))


async def look_there(
    registry: Registry, image: ImageDocument, layout: Layout, work: Path, *, latest: bool = False
) -> There:
    """Ask a registry for all that decides what a release has to do; nothing is written.

    Args:
        registry: where it goes.
        image: `image/image.json`.
        layout: with the image.
        work: a directory for what is fetched.
        latest: whether a release moves that tag.

    Raises:
        RemoteFailed, UsageError, SubjectFailed: as `distribution.moving.moves`.
        VerificationFailed: the registry gives other bytes than those of a digest.
    """
    digest = image.digest
    where = await moves(registry, image.service.version, digest, latest=latest)
    subjects = {digest: "the image", **{at: name for name, at in image.manifests.items()}}
    parts = parts_of(layout, digest)
    of = {kind: [part.digest for part in parts if part.kind is kind] for kind in (Kind.BLOB, Kind.MANIFEST)}
    state = await look(registry, [*of[Kind.BLOB], Digest.of(EMPTY)], of[Kind.MANIFEST], subjects)
    seen = Layout.create(work / "there")
    for subject in subjects:
        seen.put(layout.read(subject))
    return There(where, state, await attached_there(registry, subjects, seen))


def parts_of(layout: Layout, digest: Digest) -> list[ImagePart]:
    """Return the blobs and manifests of an image, each once, as they are pushed: what is named before what names it."""
    index, platforms = layout.image(digest)
    found: dict[Digest, ImagePart] = {}
    for platform in platforms:
        manifest = OciManifest.of(layout.read(platform.digest), platform.digest, f"the manifest for {platform.name}")
        for role, blob in manifest.blobs:
            part = ImagePart(Kind.BLOB, f"{role} for {platform.name}", blob.digest, blob.size)
            found.setdefault(part.digest, part)
        size = int(platform.descriptor["size"])
        found[platform.digest] = ImagePart(Kind.MANIFEST, platform.name, platform.digest, size)
    found[digest] = ImagePart(Kind.MANIFEST, "index", digest, int(index["size"]))
    return list(found.values())


@dataclass(frozen=True)
class Foreseen:
    """What a release will do.

    Args:
        planned: every statement but the summary.
        adoption: who decides what is adopted.
        pieces: what is signed and attached already, by the names of the statements that it stands for.
        effects: all of it.
    """

    planned: tuple[Planned, ...]
    adoption: Adoption
    pieces: dict[str, SignedStatement]
    effects: EffectsDocument


async def foresee(
    context: Context, image: ImageDocument, layout: Layout, signer: Signer, there: There, work: Path
) -> Foreseen:
    """Return what a release will do.

    Args:
        context: of the stage that signs; nothing is written.
        image: `image/image.json`.
        layout: with the image.
        signer: who will sign.
        there: what the registry has.
        work: a directory for what Cosign is asked about.

    Raises:
        VerificationFailed: the evidence is not of this image, the policy trusts another authority, or the two
            verifiers disagree about what is attached.
    """
    planned = tuple(plan(context, image, signer.promise(claims_of(context))))
    adoption = replace(adoption_of(context, image), found=there.attached)
    if signer.root and not signer.key:  # of a key the policy itself says that it is trusted
        require_trusted(adoption.policy, adoption.both.root.read_bytes(), signer.root.read_bytes())
    pieces = await adoption.adopt({each.name: each.canonical() for each in planned}, work)
    reference = Reference.parse(f"{context.config.image.repository}@{image.digest}")
    evidence = [Digest.of(piece.bundle) for piece in pieces.values()]
    said = summary(reference, adoption.image, evidence, adoption.policy, context.now)
    verified: dict[str, SignedStatement] = {}
    if len(pieces) == len(planned):  # a summary names the evidence: where any is new, it is
        verified = await adoption.adopt({SUMMARY: said.canonical()}, work)
    index, platforms = layout.image(adoption.image.digest)
    effects = effects_of(
        context.config.image.repository,
        parts_of(layout, adoption.image.digest),
        [*((each, pieces.get(each.name)) for each in planned), (said, verified.get(SUMMARY))],
        services_of(signer.signing_config, certified=not signer.key),
        (there.state, there.moves),
        [index, *(each.descriptor for each in platforms)],
    )
    return Foreseen(planned, adoption, pieces, effects)


def of_image(repository: str, image: ImageDocument, layout: Layout, there: There) -> EffectsDocument:
    """Return the effects that are known of an image when nobody knows yet what is said of it."""
    index, _ = layout.image(image.digest)
    return effects_of(repository, parts_of(layout, image.digest), (), PUBLIC, (there.state, there.moves), [index])


def adoption_of(context: Context, image: ImageDocument) -> Adoption:
    """Return what decides which statements are adopted, of nothing yet."""
    policy, directory = context.world.policy()
    left = context.out / "trusted_root.json"
    root = policy.root(left if left.exists() else None, public_root(), directory)
    name = policy.rules.repository or image.reference.name
    judged = ImageIndex(image.digest, image.manifests, name)
    return Adoption(policy, judged, Both.by(context.tools, root, policy.keys), context.now)
