"""Have what was pushed listed beside what it refers to, and repair the list where a push has ended before it.

A registry with the referrers API lists a manifest when it takes it. Without it whoever pushes adds the manifest to an
index, under a tag named for the subject (OCI distribution 1.1, "Unavailable Referrers API"): a push that ends between
the two leaves a manifest that nobody finds, and that no client pushes again, for it is there.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import random

import anyio

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry
from shipseal.errors import RemoteFailed
from shipseal.oci.layout import INDEX_TYPE

_SETTLES = 0.4  # seconds: a client writes the index so much after it has read it, or sooner
_QUIET = 2  # times in a row that nothing is missing
_ATTEMPTS = 12
_KEYS = ("mediaType", "digest", "size", "artifactType", "annotations")


async def require_listed(
    registry: Registry, subject: Digest, expected: Sequence[Mapping[str, object]], work: Path
) -> None:
    """Raise `RemoteFailed` unless a registry lists what refers to a subject, each once.

    Where the list is an index, another publisher may have read it before we wrote ours, and write his own after: so it
    is looked at until it has stayed right for a while, and what we have seen in it is put back too. Two that do so end
    with all that both have pushed; the stage `verify`, which comes later, refuses what was lost all the same.

    Args:
        registry: has all of it.
        subject: what is referred to.
        expected: descriptors of what was pushed; others may have attached what they like.
        work: a directory for the index that is written where it lacks something.
    """
    seen: dict[str, Mapping[str, object]] = {str(each["digest"]): each for each in expected}
    keeps_itself = await registry.has_referrers_api(subject)
    quiet = 0
    for attempt in range(_ATTEMPTS):
        listed = await registry.referrers(subject)
        there = Counter(str(descriptor.get("digest")) for descriptor in listed)
        seen = {**{digest: each for each in listed if (digest := str(each.get("digest")))}, **seen}
        lost = sorted(seen.keys() - there.keys())
        quiet = 0 if lost else quiet + 1
        if keeps_itself or quiet == _QUIET:
            break
        if lost:
            if attempt:
                registry.tools.say(f"somebody else publishes too: listing {len(lost)} referrers of {subject} again")
            await _list_more(registry, subject, [seen[digest] for digest in lost], work)
        await anyio.sleep(_SETTLES * (1 + attempt * random()))  # noqa: S311 - so that two do not go on in step
    lost = sorted(str(each["digest"]) for each in expected if str(each["digest"]) not in there)
    if lost or any(there[str(each["digest"])] > 1 for each in expected):
        raise RemoteFailed(
            f"{registry.host} lists {there.total()} referrers of {subject}, and {len(expected)} were pushed",
            why=[f"missing {digest}" for digest in lost] or "some are listed twice",
            remedy="nothing was tagged; run this again",
        )


async def _list_more(registry: Registry, subject: Digest, missing: Sequence[Mapping[str, object]], work: Path) -> None:
    """Add descriptors to the index in the place of the referrers API, behind whatever it lists."""
    tag = f"{subject.algorithm}-{subject.hex}"
    there = await registry.tagged(tag)
    try:
        manifests = json.loads(there)["manifests"] if there else []
        known = {str(each["digest"]) for each in manifests}
        more = [{key: each[key] for key in _KEYS if key in each} for each in missing if each["digest"] not in known]
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [*manifests, *more]}
        file = anyio.Path(work / f"{tag}.json")
        await file.write_bytes(json.dumps(index, sort_keys=True).encode())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RemoteFailed(
            f"{registry.host} keeps the list of what refers to {subject} in an unknown shape",
            why=f"{type(error).__name__}: {error}",
            remedy=f"nothing was tagged; look at the tag {tag}, and remove it if it is nobody's",
        ) from error
    await registry.push_manifest(tag, Path(file), INDEX_TYPE)
