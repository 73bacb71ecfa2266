"""Push the image by digest, then its evidence, and read all of it back before anybody is told."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.digest import Digest
from pipeline.distribution.registry import Registry
from pipeline.engine.stage import Context
from pipeline.engine.workspace import scratch
from pipeline.errors import RemoteFailed, VerificationFailed
from pipeline.oci.bytes import checked_json
from pipeline.oci.layout import Layout


async def publish(context: Context) -> str:
    """Write receipt.json; raise `RemoteFailed` when the registry does not give back what it was given."""
    image = context.read_json("image", "image.json")
    index = Digest.parse(image["digest"])
    layout = Layout.of_image(context.of("attest") / "layout", index)
    layout.check_image(index)
    subjects = [Digest.parse(platform["digest"]) for platform in image["platforms"].values()] + [index]
    expected = referrers_of(layout)
    files = context.world.content(context.out)
    async with context.world.registry(context.tools, files, writable=True) as registry:
        context.say(f"pushing {index} and its evidence")
        await registry.push(layout.path, index)
        context.say("reading everything back")
        for subject in subjects:
            await _check_referrers(registry, subject, expected.get(subject, set()))
        async with scratch(context) as work:
            await registry.pull(index, work / "layout")
            for referrer in sorted({each for found in expected.values() for each in found}):
                await registry.pull(referrer, work / "layout")  # nothing that others have attached
            count, size = compare(layout.path, work / "layout", registry.host)
        where = "a local stand-in" if files else registry.host
    evidence = sum(len(found) for found in expected.values())
    context.write_json(
        "receipt.json",
        {
            "reference": f"{context.config.image.repository}@{index}",
            "registry": where,
            "bundles": sorted(map(str, bundles_of(layout, expected))),
            "subjects": [str(subject) for subject in subjects],
            "referrers": {str(subject): sorted(map(str, found)) for subject, found in expected.items()},
            "blobs": count,
            "bytes": size,
        },
    )
    return f"{count} blobs and {evidence} referrers pushed to {where}, read back and compared"


def referrers_of(layout: Layout) -> dict[Digest, set[Digest]]:
    """Return the digests of the manifests of a layout's index that refer to each subject."""
    found: dict[Digest, set[Digest]] = {}
    for digest, manifest in _manifests(layout, (Digest.parse(item["digest"]) for item in layout.listed())):
        if "subject" in manifest:
            with _known_shape(digest):
                found.setdefault(Digest.parse(manifest["subject"]["digest"]), set()).add(digest)
    return found


def bundles_of(layout: Layout, referrers: Mapping[Digest, set[Digest]]) -> set[Digest]:
    """Return the digests of the bundles that referrers carry."""
    bundles: set[Digest] = set()
    for digest, manifest in _manifests(layout, (each for found in referrers.values() for each in found)):
        with _known_shape(digest):
            bundles |= {Digest.parse(layer["digest"]) for layer in manifest["layers"]}
    return bundles


def _manifests(layout: Layout, digests: Iterable[Digest]) -> Iterator[tuple[Digest, dict[str, Any]]]:
    for digest in digests:
        yield digest, checked_json(layout.read(digest), digest, "a manifest of attest/layout")


@contextmanager
def _known_shape(digest: Digest) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise VerificationFailed(
            f"attest/layout has a manifest of unknown shape: {digest}",
            why=f"{type(error).__name__}: {error}",
            do="run `python -m pipeline stage attest` again",
        ) from error


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
                do="nothing was tagged; run this again, and use another registry if it happens again",
            )
        size += ours.stat().st_size
    return len(names), size


async def _check_referrers(registry: Registry, subject: Digest, expected: set[Digest]) -> None:
    listed = Counter(str(descriptor.get("digest")) for descriptor in await registry.referrers(subject))
    ours = {str(digest) for digest in expected}  # others may have attached what they like, by whatever digest
    missing = sorted(ours - listed.keys())
    if missing or any(listed[digest] > 1 for digest in ours):
        raise RemoteFailed(
            f"{registry.host} lists {listed.total()} referrers of {subject}, and {len(expected)} were pushed",
            why=[f"missing {digest}" for digest in missing] or "some are listed twice",
            do="nothing was tagged; run this again",
        )
