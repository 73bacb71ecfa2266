"""The cluster of the second region gets the very digest that ran in the first, by its receipt.

What stands for the region is a second cluster; the infrastructure around it and the two halves of the DNS record are in
`tests/terraform`. The seconds of each step are printed beside those that the runbook allows.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Say
from tests.cluster.ground import Ground, make
from tests.cluster.running import cluster
from tests.cluster.said import DEPLOYMENT, predicates, receipt
from tests.cluster.visitors import Visitors
from tests.runbook import PAGES

RTO = 30  # minutes, the architecture's
STEP = re.compile(r"^\| (?P<step>[^|]+) \| (?P<least>[0-9.]+)(?: to (?P<most>[0-9.]+))? min ", re.MULTILINE)
SECOND = "greetings-second"


@dataclass
class Drill:
    """What was seen, and how long each step took in seconds.

    Args:
        first: where the image runs; it is left alone.
        chosen: the digest that the evidence in the registry names for the first region.
        second: where it is deployed to.
        told: what `status` says there, as an event.
        seconds: of each step.
    """

    first: Ground
    chosen: str = ""
    second: Ground | None = None
    told: Any = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step takes."""
        began = time.monotonic()
        yield
        self.seconds[step] = time.monotonic() - began


def uid(ground: Ground) -> str:
    """Return what tells a cluster from all others."""
    return str(ground.kubectl.within("").read("namespace", "kube-system")["metadata"]["uid"])


def ran(first: Ground, where: Any) -> str:
    """Return the digest that was deployed last in a place, by the evidence beside the released images."""
    found = [
        (said["sequence"], image)
        for image in (first.releases.a, first.releases.b, first.releases.other)
        for said in predicates(first.checkout.project.registry, image, DEPLOYMENT)
        if (said["where"]["uid"], said["where"]["namespace"]) == where
    ]
    return max(found)[1]


@pytest.fixture(scope="module")
def drill(healthy: Ground, kustomize: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """Follow the runbook's steps; the second cluster runs until the last test of them."""
    drill, directory = Drill(healthy), tmp_path_factory.mktemp("second")
    place = (uid(healthy), healthy.namespace)
    with drill.timed("find what ran"):
        drill.chosen = ran(healthy, place)
    with cluster(directory / "stderr.txt") as running:
        drill.seconds["start the second cluster"] = running.seconds
        visitors = Visitors.of(running, directory)
        with drill.timed("apply the platform"):
            drill.second = make(healthy.releases, running, visitors, kustomize, directory / "it", SECOND)
        with drill.timed("deploy"):
            drill.second.deploy(to=drill.chosen)
        with drill.timed("verify"):
            drill.told = json.loads(drill.second.status("--json").stdout.splitlines()[-1])
        yield drill


def newest(ground: Ground) -> Any:
    """Return what the newest receipt in a namespace says."""
    receipts = ground.receipts()
    return receipt(receipts[max(receipts)])


def test_the_second_cluster_runs_the_digest_of_the_first_by_a_receipt_of_its_own(drill: Drill) -> None:
    assert drill.second
    ours, theirs = newest(drill.second), newest(drill.first)
    assert ours["image"] == theirs["image"] == drill.first.releases.reference(drill.chosen)
    assert ours["where"] == {**theirs["where"], "uid": uid(drill.second), "namespace": SECOND}
    assert ours["where"]["uid"] != theirs["where"]["uid"]
    assert drill.second.images() == {drill.chosen} == drill.first.images()
    assert (len(drill.second.pods()), drill.told["receipt"]) == (3, ours)


def test_the_registry_alone_says_what_runs_in_both_regions(drill: Drill) -> None:
    assert drill.second
    assert ran(drill.first, (uid(drill.second), SECOND)) == drill.chosen == drill.first.releases.a


def test_the_runbook_allows_less_than_the_recovery_time_and_the_deploy_keeps_to_its_part(
    drill: Drill, say: Say
) -> None:
    text = (PAGES / "regional-failure.md").read_text()
    allowed = {each["step"]: float(each["most"] or each["least"]) for each in STEP.finditer(text)}
    assert list(allowed) == ["decide", "apply the second region", "deploy the last release", "DNS"]
    from_the_decision = sum(allowed.values()) - allowed["decide"]
    here = sum(drill.seconds.values())
    lines = [f"  {step:<28}{seconds:6.1f} s" for step, seconds in drill.seconds.items()]
    lines += [f"  allowed from the decision on: {from_the_decision:g} of {RTO} min; AWS's own part is not in these"]
    for line in ("region lost, by the local clusters:", *lines):
        say(line)
    assert from_the_decision <= RTO
    assert here < 60 * allowed["deploy the last release"]
