"""Push the image by digest, then its evidence, and read all of it back before anybody is told."""

from collections.abc import Mapping
from pathlib import Path

from shipseal.digest import Digest, Reference
from shipseal.distribution.following import Progress, following, sizes_of
from shipseal.distribution.listing import require_listed
from shipseal.distribution.registry import Registry
from shipseal.documents.image import ImageDocument
from shipseal.documents.publish import PublishedDocument
from shipseal.engine.stage import Context
from shipseal.engine.workspace import scratch
from shipseal.errors import RemoteFailed, VerificationFailed
from shipseal.evidence.deduplication import without_seconds
from shipseal.oci.layout import Layout
from shipseal.oci.models import OciReferrer


async def publish(context: Context) -> str:
    """Write receipt.json; raise `RemoteFailed` when the registry does not give back what it was given."""
    image = ImageDocument.read(context)
    index = image.digest
    layout = Layout.of_image(context.of("attest") / "layout", index)
    layout.check_image(index)
    subjects = (*image.manifests.values(), index)
    files = context.world.content(context.out)
    async with (
        context.world.registry(context.tools, files, writable=True) as registry,
        scratch(context) as work,
    ):
        if context.world.public:
            layout = await without_seconds(context, registry, image, layout, work)
        expected = referrers_of(layout)
        bundles = bundles_of(layout, expected)
        context.say(f"pushing {index} and its evidence")
        sent = await _push(context, registry, layout, index, work)
        context.say("reading everything back")
        for subject in subjects:
            ours = {str(digest) for digest in expected.get(subject, ())}
            listed = [item for item in layout.listed() if item["digest"] in ours]
            await require_listed(registry, subject, listed, work)
        await registry.pull(index, work / "layout")
        for referrer in sorted({each for found in expected.values() for each in found}):
            await registry.pull(referrer, work / "layout")  # nothing that others have attached
        count, size = compare(layout.path, work / "layout", registry.host)
    where = "a local stand-in" if files else registry.host
    evidence = sum(len(found) for found in expected.values())
    PublishedDocument(
        reference=Reference.parse(f"{context.config.image.repository}@{index}"),
        registry=where,
        bundles=tuple(sorted(bundles)),
        subjects=subjects,
        referrers={subject: tuple(sorted(found)) for subject, found in expected.items()},
        blobs=count,
        bytes=size,
        sent=sent,
    ).write(context)
    return f"{count} blobs and {evidence} referrers pushed to {where}, read back and compared"


async def _push(context: Context, registry: Registry, layout: Layout, index: Digest, work: Path) -> int:
    """Push, tell how far that is, and return how many bytes were sent: what the registry has is not sent again."""
    last = Progress(0, 0, 0)

    def tell(now: Progress) -> None:
        nonlocal last
        last = now
        context.count(f"{now.done} of {now.total} bytes are there, {now.sent} of them sent now", now.done, now.total)

    said = work / "oras.txt"
    async with following(said, sizes_of(layout.path), tell):
        await registry.push(layout.path, index, said=said)
    return last.sent


def referrers_of(layout: Layout) -> dict[Digest, set[Digest]]:
    """Return the digests of the manifests of a layout's index that refer to each subject."""
    found: dict[Digest, set[Digest]] = {}
    for digest in (Digest.parse(item["digest"]) for item in layout.listed()):
        if subject := _manifest(layout, digest).subject:
            found.setdefault(subject.digest, set()).add(digest)
    return found


def bundles_of(layout: Layout, referrers: Mapping[Digest, set[Digest]]) -> set[Digest]:
    """Return the digests of the bundles that referrers carry; raise `VerificationFailed` where there is none."""
    manifests = [_manifest(layout, each) for found in referrers.values() for each in found]
    bundles = {layer.digest for manifest in manifests for layer in manifest.layers}
    if not bundles:
        raise VerificationFailed(
            "attest/layout holds no evidence, and an image is not published without",
            remedy="run `shipseal stage attest` again",
        )
    return bundles


def _manifest(layout: Layout, digest: Digest) -> OciReferrer:
    return OciReferrer.of(layout.read(digest), digest, "a manifest of attest/layout")


def compare(pushed: Path, pulled: Path, host: str) -> tuple[int, int]:
    """Compare two layouts blob by blob; return how many blobs there are, and their bytes."""
    size = 0
    names = sorted(path.name for path in (pushed / "blobs" / "sha256").iterdir())
    for name in names:
        ours, theirs = (layout / "blobs" / "sha256" / name for layout in (pushed, pulled))
        if not theirs.exists() or Digest.of_file(theirs).hex != name:
            raise RemoteFailed(
                f"{host} does not give back sha256:{name} as it was pushed",
                why="it is missing" if not theirs.exists() else f"the digest of its bytes is {Digest.of_file(theirs)}",
                remedy="nothing was tagged; run this again, and use another registry if it happens again",
            )
        size += ours.stat().st_size
    return len(names), size
