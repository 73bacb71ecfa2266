"""The drills of the page do what it says: what each failure costs, and what brings the service back.

The test of the failing probe waits for half a minute; it does so beside the others, in a namespace of its own.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from shipseal.deploying.manifests import dig
from tests.cluster.checkout import NAME, PLAYED
from tests.cluster.drill import Drill, answering, nodes, watched, zones
from tests.cluster.ground import Ground, make
from tests.cluster.manifests import K8S
from tests.cluster.releases import Releases
from tests.cluster.running import Running, soon
from tests.cluster.visitors import Visitors
from tests.runbook import commands

REPLICAS = 3
TOLERATED = 300  # seconds that the API server lets a pod stay on a node that does not answer
SHORTER = 100  # times shorter is that here
SECTIONS = ("Pod crash", "Node loss", "Zone loss", "Bad image", "Slow start", "Failing probe")

Make = Callable[[], Ground]


@pytest.fixture(scope="module")
def grounds(
    releases: Releases, running: Running, visitors: Visitors, kustomize: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Make]:
    """Give what makes a ground with image `a` deployed."""
    made = list[Ground]()

    def new() -> Ground:
        namespace = f"drills-{uuid4().hex[:8]}"
        made.append(make(releases, running, visitors, kustomize, tmp_path_factory.mktemp("drills") / "it", namespace))
        return made[-1]

    yield new
    for each in made:
        running.kubectl("delete", "namespace", each.namespace, "--wait=false")


@pytest.fixture(scope="module")
def ground(grounds: Make) -> Ground:
    """Give the ground of all drills but the last: each leaves it as it was."""
    ground = grounds()
    ground.deploy(to=ground.releases.a)
    return ground


@dataclass(frozen=True)
class Rolled:
    """What a deploy left that was rolled back: what it said, the numbers of available replicas, and the ground."""

    said: str
    available: list[int]
    ground: Ground


@pytest.fixture(scope="module", autouse=True)
def probed(grounds: Make) -> Iterator[Future[Rolled]]:
    """Begin with the drill of the probe, which takes longest and waits for nothing but itself."""
    ground = grounds()

    def status() -> int:
        return 503 if ground.releases.b in ground.images() else 200

    def drill() -> Rolled:
        with answering(status) as url:
            ground.checkout.configure(probe=url)
            ground.deploy(to=ground.releases.a)
            with watched(ground) as available:
                done = Drill(ground, "Failing probe").follow()
            return Rolled(done.output, available, ground)

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(drill)


@pytest.fixture
def whole(ground: Ground) -> Iterator[list[str]]:
    """Give the nodes of three ready pods, and see that as many are left; what a failed drill leaves undone is done."""
    before, there = nodes(ground), ground.kubectl.read("nodes")["items"]
    assert len(before) == REPLICAS
    yield before
    missing = [each for each in there if each["metadata"]["name"] not in zones(ground)]
    for node in missing:
        ground.kubectl("create", "-f", "-", given=node)
    ground.kubectl("annotate", "nodes", "--all", f"{PLAYED}/lost-")
    assert missing == []
    assert len(nodes(ground)) == REPLICAS


def shipped() -> Any:
    """Return the Deployment that is shipped."""
    return yaml.safe_load((K8S / "base" / "deployment.yaml").read_text())["spec"]


def budget(ground: Ground) -> tuple[int, int]:
    """Return how many pods are healthy, and how many of them may be evicted."""
    status = ground.kubectl.read("pdb", NAME)["status"]
    return status["currentHealthy"], status["disruptionsAllowed"]


def evict(ground: Ground, pod: Any, code: int = 0) -> str:
    """Ask for the eviction of a pod, as a drain does."""
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace")}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"/api/v1/namespaces/{ground.namespace}/pods/{metadata['name']}/eviction"
    return ground.kubectl("create", "--raw", path, "-f", "-", given=eviction, code=code).output


def newest(ground: Ground) -> Any:
    """Return the newest receipt, as `status` says it; all is well by that."""
    return json.loads(ground.status("--json").stdout.splitlines()[-1])["receipt"]


@pytest.mark.parametrize("section", SECTIONS)
def test_each_drill_has_its_row_and_its_commands(section: str) -> None:
    assert commands("drills.md", section=section)


def test_a_pod_that_crashes_leaves_two_of_three_which_nobody_may_evict_until_it_is_back(
    ground: Ground, whole: list[str]
) -> None:
    pod, other, _ = ground.pods()
    drill = Drill(ground, "Pod crash", (("POD", pod["metadata"]["name"]),))
    assert budget(ground) == (REPLICAS, 1)
    said = drill.follow(0).output
    assert "what runs is not healthy" in said
    assert budget(ground) == (REPLICAS - 1, 0)
    assert "it would violate the pod's disruption budget" in evict(ground, other, code=1)
    drill.follow(1)
    assert soon(lambda: budget(ground) == (REPLICAS, 1))
    assert pod["metadata"]["uid"] not in {each["metadata"]["uid"] for each in ground.pods()}


def test_the_pods_of_a_lost_node_are_made_anew_on_others_once_they_no_longer_tolerate_it(
    ground: Ground, whole: list[str]
) -> None:
    on = [each for each in ground.pods() if each["spec"]["nodeName"] == whole[0]]
    for pod in ground.pods():
        tolerated = {each["key"]: each["tolerationSeconds"] for each in pod["spec"]["tolerations"]}
        assert tolerated == dict.fromkeys(_lost("not-ready", "unreachable"), TOLERATED)
    for pod in on:
        _tolerate(ground, pod, TOLERATED // SHORTER)
    drill = Drill(ground, "Node loss", (("NODE", whole[0]),))
    with watched(ground) as available:
        began = time.monotonic()
        drill.follow(0)
        assert soon(lambda: _lost("unreachable") <= _taints(ground, whole[0]))
        drill.follow(1)
        took = time.monotonic() - began
    assert took > TOLERATED // SHORTER
    assert min(available) >= REPLICAS - len(on) == 2
    assert whole[0] not in nodes(ground)
    drill.follow(2)
    assert soon(lambda: not _taints(ground, whole[0]))


def test_without_one_zone_the_other_has_all_pods_and_with_it_again_they_are_spread(
    ground: Ground, whole: list[str]
) -> None:
    where = zones(ground)
    zone = where[whole[0]]
    rest = {node for node, each in where.items() if each != zone}
    drill = Drill(ground, "Zone loss", (("ZONE", zone),))
    lost = sum(node not in rest for node in whole)
    drill.follow(0)
    assert rest == set(zones(ground))
    assert len(rest) * 2 == len(where)
    assert 1 <= sum(node in rest for node in nodes(ground)) == REPLICAS - lost < REPLICAS
    drill.follow(1)
    assert set(nodes(ground)) <= rest
    drill.follow(2)
    assert {zones(ground)[node] for node in nodes(ground)} == {zone, *(where[node] for node in rest)}


def test_an_image_that_never_becomes_ready_takes_no_pod_away_and_is_rolled_back(
    ground: Ground, whole: list[str]
) -> None:
    a, b = (ground.releases.reference(each) for each in (ground.releases.a, ground.releases.b))
    ground.checkout.annotate_pods(ready="never")
    with watched(ground) as available:
        said = Drill(ground, "Bad image").follow().output
    assert "ImagePullBackOff" in said
    assert f"rolled back to {a}" in said
    assert min(available) == REPLICAS
    assert {ground.releases.a} == ground.images()
    receipt = newest(ground)
    assert (a, b) == (receipt["image"], receipt["rollback"]["image"])
    assert shipped()["progressDeadlineSeconds"] == 180


def test_pods_that_start_slowly_take_no_pod_away_and_are_waited_for(ground: Ground, whole: list[str]) -> None:
    ground.checkout.patch("deadline.yaml", {"spec": {"progressDeadlineSeconds": 20}})
    ground.checkout.annotate_pods(**{"ready-after": "2s"})
    began = time.monotonic()
    with watched(ground) as available:
        Drill(ground, "Slow start").follow()
    assert time.monotonic() - began > 2 * REPLICAS
    assert min(available) == REPLICAS
    assert {ground.releases.b} == ground.images()
    receipt = newest(ground)
    assert (ground.releases.reference(ground.releases.b), None) == (receipt["image"], receipt["rollback"])
    probe = dig(shipped(), "template", "spec")["containers"][0]["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] == 30


def test_a_probe_that_is_not_answered_with_200_rolls_back_pods_that_were_ready(probed: "Future[Rolled]") -> None:
    rolled = probed.result(120)
    ground = rolled.ground
    a, b = (ground.releases.reference(each) for each in (ground.releases.a, ground.releases.b))
    assert "/alive did not answer with 200" in rolled.said
    assert f"rolled back to {a}" in rolled.said
    assert min(rolled.available) == REPLICAS
    assert {ground.releases.a} == ground.images()
    receipt = newest(ground)
    assert (a, b) == (receipt["image"], receipt["rollback"]["image"])
    assert (len(ground.receipts()), receipt["probe"]["status"]) == (2, 200)


def _lost(*how: str) -> set[str]:
    return {f"node.kubernetes.io/{each}" for each in how}


def _taints(ground: Ground, node: str) -> set[str]:
    taints = ground.kubectl.read("node", node)["spec"].get("taints", [])
    return {each["key"] for each in taints if each["effect"] == "NoExecute"}


def _tolerate(ground: Ground, pod: Any, seconds: int) -> None:
    """Have a pod stay for so long on a node that does not answer."""
    changes = [
        {"op": "replace", "path": f"/spec/tolerations/{number}/tolerationSeconds", "value": seconds}
        for number in range(len(pod["spec"]["tolerations"]))
    ]
    ground.kubectl("patch", "pod", pod["metadata"]["name"], "--type=json", f"--patch={json.dumps(changes)}")
