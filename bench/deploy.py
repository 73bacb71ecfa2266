"""Measure a deploy beside what it cannot do without: `python -m bench.deploy`.

That is `kubectl apply --server-side` and `kubectl rollout status` of the very same rendered set, on the same local
cluster, as the same user and the same field manager. Both take turns in one run, and each time the image is another, so
that three pods are replaced. Times are those of the commands, their start included; processor seconds are those of the
commands and of all that they start, and say more than a clock does on a machine that others use.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from shipseal.local.sigstore import local_sigstore
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store, default_root
from tests.cluster.checkout import NAME
from tests.cluster.ground import Ground, make
from tests.cluster.manifests import MANAGER
from tests.cluster.releases import release
from tests.cluster.running import cluster
from tests.cluster.visitors import Visitors
from tests.release.registries import olareg

PAIRS = 8
LIMIT = 2  # seconds that a deploy may take more
_START = "start"


@dataclass(frozen=True)
class Measured:
    """How long it took and how much of the processors, in seconds; of a deploy also how long each step took."""

    seconds: float
    spent: float
    steps: dict[str, float]


def ground(stack: ExitStack, work: Path) -> Ground:
    """Return a place to deploy to, in a cluster that runs until the stack is left, with two released images."""
    store, locked = Store(default_root(os.environ)), Inputs.of_tools().locked()
    for name in ("registry", "visitors", "project"):
        (work / name).mkdir()
    running = stack.enter_context(cluster(work / "stderr.txt"))
    authority = stack.enter_context(local_sigstore())
    served = stack.enter_context(olareg(store.get(locked["olareg"]), work / "registry"))
    released = release(work / "project", served, authority, store.root)
    visitors = Visitors.of(running, work / "visitors")
    return make(released, running, visitors, store.get(locked["kustomize"]), work / "greetings", "greetings")


def measured(act: Callable[[], str]) -> Measured:
    """Do something that returns the events of a deploy, or nothing."""
    began, before = time.monotonic(), os.times()
    said = act()
    seconds, after = time.monotonic() - began, os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return Measured(seconds, spent, dict(steps(said, seconds)) if said else {})


def by_pipeline(place: Ground, image: str) -> str:
    """Deploy an image."""
    return place.deploy("--json", to=image).stdout


def steps(said: str, whole: float) -> Iterator[tuple[str, float]]:
    """Yield the seconds of each step, by what was said when it began; what comes before the first is the start."""
    events = [json.loads(line) for line in said.splitlines()]
    spoken = [each for each in events if each["event"] == "progress"]
    marks = [(each["text"].partition(": ")[0], each["seconds"]) for each in spoken]
    named = {"verify", "render", "sign", "differ", "apply", "wait", "look", "receipt", "prune"}
    begun = [(step, at) for step, at in marks if step in named] + [("", spoken[-1]["seconds"])]
    yield _START, whole - begun[-1][1] + begun[0][1]
    yield from ((step, after - at) for (step, at), (_, after) in pairwise(begun))


def by_kubectl(place: Ground, rendered: Path) -> str:
    """Apply a rendered set and wait for it."""
    place.deployer("apply", "--server-side", f"--field-manager={MANAGER}", "-f", str(rendered))
    place.deployer("rollout", "status", f"deployment/{NAME}", "--timeout=60s")
    return ""


def measure(place: Ground, work: Path, pairs: int) -> tuple[list[Measured], list[Measured]]:
    """Deploy and apply by turns, from one image to the other and back; in every second pair kubectl begins."""
    a, b = place.releases.a, place.releases.b
    sets = {}
    for image in (a, b):
        place.deploy(to=image)  # the first time is no update
        sets[image] = work / f"{image[-8:]}.yaml"
        sets[image].write_text(list(place.receipts().values())[-1]["rendered.yaml"])
    ours, theirs, images = list[Measured](), list[Measured](), [a, b]
    for number in range(pairs):
        for turn in ("ours", "theirs") if number % 2 == 0 else ("theirs", "ours"):
            image = images[0]
            if turn == "ours":
                ours.append(measured(partial(by_pipeline, place, image)))
            else:
                theirs.append(measured(partial(by_kubectl, place, sets[image])))
            assert place.images() == {image}
            images.reverse()
    return ours, theirs


def main(arguments: list[str]) -> None:
    """Print the tables."""
    pairs = int(arguments[0]) if arguments else PAIRS
    with tempfile.TemporaryDirectory(prefix="bench-deploy-") as work, ExitStack() as stack:
        place = ground(stack, Path(work))
        ours, theirs = measure(place, Path(work), pairs)
    print(f"# A deploy, and kubectl with the same set, {pairs} times by turns; load {os.getloadavg()[0]:.1f}\n")
    print("\n".join(table(ours, theirs)))


def table(ours: list[Measured], theirs: list[Measured]) -> Iterator[str]:
    """Yield the lines of the tables."""
    yield "| | fastest | median | slowest | processors, median |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name, every in (("deploy", ours), ("kubectl apply, rollout status", theirs)):
        seconds, spent = [each.seconds for each in every], median(each.spent for each in every)
        yield f"| {name} | {min(seconds):.2f} s | {median(seconds):.2f} s | {max(seconds):.2f} s | {spent:.2f} s |"
    pairs = list(zip(ours, theirs, strict=True))
    more = median(one.seconds - other.seconds for one, other in pairs)
    yield f"\nmedian of the differences: {more:.2f} s ({'within' if more < LIMIT else 'beyond'} {LIMIT} s)"
    yield f"median of the ratios: {median(one.seconds / other.seconds for one, other in pairs):.2f}"
    yield "\n| step | median |\n| --- | ---: |"
    yield from (f"| {step} | {median(each.steps[step] for each in ours):.2f} s |" for step in ours[0].steps)


if __name__ == "__main__":
    main(sys.argv[1:])
