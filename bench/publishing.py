"""Measure what a release sends beside what it needs to: `python -m bench.publishing`.

Needed is every blob and manifest of the image and its evidence once, and the index once for each tag, which is written
with it. Sent is what came with all requests to the registry. A registry without the referrers API has the lists of
referrers besides, each written anew for every piece of evidence: they stand apart. A small image of one platform.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore, local_sigstore
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store, default_root
from tests.release.effects import Request
from tests.release.laboratory import Laboratory, laboratory
from tests.release.registries import Served, docker_registry, olareg

_HALF = 12  # manifests, after which a release is killed


@dataclass(frozen=True)
class Sent:
    """What one or several attempts have sent, in bytes: of blobs, manifests and tags, and of lists of referrers."""

    bytes: int
    lists: int

    @classmethod
    def of(cls, log: Iterable[Request]) -> "Sent":
        """Sum it up."""
        pushed = [each for each in log if each.path.startswith("/v2/")]
        lists = sum(each.size for each in pushed if each.effect == "list of referrers")
        return cls(sum(each.size for each in pushed) - lists, lists)


def needed(lab: Laboratory) -> int:
    """Return the bytes that a registry has to be given for what the last release has left."""
    run = lab.root / ".run"
    image = Digest.parse(lab.read("image/image.json")["digest"])
    index = (run / "image/layout/blobs/sha256" / image.hex).stat()
    evidence = sum(path.stat().st_size for path in (run / "attest/layout/blobs/sha256").iterdir())
    summary = (run / "promote/summary.sigstore.json").stat().st_size
    referrers = {each.thing: each.size for each in lab.effects.log if each.effect == "manifest"}
    known = {f"sha256:{path.name}" for path in (run / "attest/layout/blobs/sha256").iterdir()}
    attached = sum(size for thing, size in referrers.items() if thing not in known)
    tags: list[str] = lab.read("promote/tags.json")["tags"]
    return evidence + summary + attached + index.st_size * len(tags)


def rows(lab: Laboratory, another: Served) -> Iterator[tuple[str, int, Sent]]:
    """Yield what is measured: its name, what is needed and what was sent."""
    assert lab.release() == 0, lab.said()
    yield "a first release", needed(lab), Sent.of(lab.effects.log)
    assert lab.release() == 0, lab.said()
    yield "the same again", 0, Sent.of(lab.effects.log)
    lab.machine()
    lab.exchange(another)
    lab.release(lambda had: had.count("manifest") == _HALF)
    log = list(lab.effects.log)
    assert lab.release() == 0, lab.said()
    yield "killed in the middle, and again", needed(lab), Sent.of([*log, *lab.effects.log])


def table(authority: LocalSigstore, work: Path, stack: ExitStack) -> Iterator[str]:
    """Yield the lines of the table."""
    store, locked = Store(default_root(os.environ)), Inputs.of_tools().locked()
    yield "| registry | release | needed | sent | sent / needed | lists of referrers |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for kind in ("olareg", "docker-registry"):

        def start(name: str, kind: str = kind) -> Served:
            place = work / kind / name
            place.mkdir(parents=True)
            one = kind == "olareg"
            return stack.enter_context(olareg(store.get(locked["olareg"]), place) if one else docker_registry(place))

        with laboratory(work / kind, authority, start) as lab:
            for name, least, sent in rows(lab, start("another")):
                ratio = f"{sent.bytes / least:.3f}" if least else "nothing needed" if not sent.bytes else "TOO MUCH"
                yield f"| {kind} | {name} | {least} B | {sent.bytes} B | {ratio} | {sent.lists} B |"


def main() -> None:
    """Print the table."""
    print("# What a release sends to a registry\n")
    with tempfile.TemporaryDirectory(prefix="bench-publishing-") as work, ExitStack() as stack:
        authority = stack.enter_context(local_sigstore())
        for line in table(authority, Path(work), stack):
            print(line)


if __name__ == "__main__":
    main()
