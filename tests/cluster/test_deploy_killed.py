"""Killed at any step and started again, two at once, and with the API server away: the end is the same, and once.

Some of them mostly wait, and so all are tried at the same time.
"""

import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from shipseal.cluster import kubeconfig
from shipseal.rollout.preflight import STEPS
from tests.cluster.apis import line_to
from tests.cluster.checkout import NAME
from tests.cluster.conftest import MakeGround
from tests.cluster.ground import Ground, killed_at, progress, until
from tests.cluster.running import processes_of, soon
from tests.cluster.said import DEPLOYMENT, RENDERED_SET, predicates, receipt, written

pytestmark = pytest.mark.timeout(600)

MIDDLE = {"sign": "signing the rendered-set", "apply": "applying Deployment", "receipt": "signing the deployment"}
CUES = tuple(cue for step in STEPS for cue in (f"{step}: ", MIDDLE.get(step, "")) if cue)
"""What is said when a step begins, and in the middle of those that take long or write more than once."""

WAITED_FOR = "sign: "
"""After this one the lease of the dead is waited for; after others somebody deletes it, as the message says."""

AWAY = 30  # seconds


@dataclass(frozen=True)
class Left:
    """What a deploy that was killed has left: processes, receipts, statements of the set and of the deployment."""

    processes: Mapping[int, str]
    receipts: int
    sets: int
    deployments: int


@dataclass(frozen=True)
class End:
    """What there is in the end: the ground, what was said on the way, and what each that was killed has left."""

    ground: Ground
    said: tuple[str, ...] = ()
    left: Mapping[str, Left] | None = None


def left_by(ground: Ground) -> Left:
    soon(lambda: not processes_of(ground.checkout.root))
    sets, deployments = (len(statements(ground, ground.releases.a, kind)) for kind in (RENDERED_SET, DEPLOYMENT))
    return Left(processes_of(ground.checkout.root), len(ground.receipts()), sets, deployments)


def killed(ground: Ground) -> End:
    """Kill a first deploy at each step in turn, each time a little further on, and let the last one through."""
    left, said = {}, list[str]()
    for cue in CUES:
        said += killed_at(ground, cue)
        left[cue] = left_by(ground)
        if cue != WAITED_FOR:
            ground.kubectl("delete", "lease", "deploy", "--ignore-not-found")
    ended = ground.deploy("--json", to=ground.releases.a)
    return End(ground, (*said, ended.stdout), left)


def two_at_once(ground: Ground) -> End:
    """Start two deploys, of one image each; the first is held up, with the lease, until the other has asked for it."""
    one = ground.start("deploy", "--yes", "--to", ground.releases.a)
    said = until(one, "sign: ")
    one.send_signal(signal.SIGSTOP)
    other = ground.start("deploy", "--yes", "--to", ground.releases.b)
    said += until(other, "has the lease")
    one.send_signal(signal.SIGCONT)
    said += [*progress(one), *progress(other)]
    assert [each.wait(timeout=120) for each in (one, other)] == [0, 0]
    return End(ground, tuple(said))


def away(ground: Ground) -> End:
    """Cut the line to the API server in the middle of a deploy."""
    with line_to(kubeconfig.read([ground.kubeconfig], "", None)) as line:
        config = ground.kubeconfig_with(f"{ground.namespace}-line", cluster={"server": line.access.server})
        process = ground.start("deploy", "--yes", "--to", ground.releases.a, "--kubeconfig", str(config))
        said = []
        for text in progress(process):
            said.append(text)
            if text.startswith("applying Deployment"):
                line.cut()
                time.sleep(AWAY)
                line.mend()
        assert process.wait(timeout=120) == 0, said
    return End(ground, tuple(said))


def nowhere(ground: Ground) -> End:
    """Deploy to an API server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = ground.kubeconfig_with(f"{ground.namespace}-nowhere", cluster={"server": f"https://127.0.0.1:{port}"})
    ended = ground.deploy("--kubeconfig", str(config), to=ground.releases.a, code=5)
    return End(ground, tuple(ended.stderr.splitlines()))


@pytest.fixture(scope="module")
def ends(make_ground: MakeGround, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[End]]]:
    """Give how each of them ends, once it does."""
    tried: dict[str, Callable[[Ground], End]] = {
        "killed": killed,
        "nowhere": nowhere,
        "away": away,
        "two": two_at_once,
    }
    grounds = {name: make_ground(tmp_path_factory.mktemp(name) / "greetings") for name in tried}
    with ThreadPoolExecutor(len(tried)) as pool:
        yield {name: pool.submit(tried[name], ground) for name, ground in grounds.items()}
    for each in grounds.values():
        each.leave()


def statements(ground: Ground, image: str, kind: str) -> list[Any]:
    """Return what is attached to an image and speaks of this ground's namespace."""
    found, here = predicates(ground.releases.project.registry, image, kind), ground.namespace
    return [each for each in found if here in {each.get("namespace"), each.get("where", {}).get("namespace")}]


@pytest.mark.parametrize("cue", CUES)
def test_a_deploy_that_is_killed_leaves_no_process_and_nothing_twice(cue: str, ends: Mapping[str, Future[End]]) -> None:
    left = (ends["killed"].result().left or {})[cue]
    assert left.processes == {}
    assert max(left.receipts, left.sets, left.deployments) <= 1


def test_a_deploy_that_was_killed_at_each_step_ends_as_an_undisturbed_one(ends: Mapping[str, Future[End]]) -> None:
    ground = ends["killed"].result().ground
    image = ground.releases.a
    assert ground.images() == {image}
    assert ground.replicas() == 3
    [(name, data)] = ground.receipts().items()
    assert name == "deploy-receipt-000001"
    assert statements(ground, image, DEPLOYMENT) == [receipt(data)]
    [rendered] = statements(ground, image, RENDERED_SET)
    assert rendered["digest"] == receipt(data)["manifests"]["digest"]
    assert ground.kubectl.read("lease", "deploy")["spec"].get("holderIdentity", "") == ""
    fields = ground.kubectl.read("deployment", NAME, "--show-managed-fields")["metadata"]["managedFields"]
    owners = [each["manager"] for each in fields if "f:replicas" in each["fieldsV1"].get("f:spec", {})]
    assert owners == ["supply-chain-pipeline-replicas"]


def test_the_lease_of_one_that_was_killed_is_waited_for_and_that_is_said(ends: Mapping[str, Future[End]]) -> None:
    end = ends["killed"].result()
    assert [text for text in end.said if f"has the lease deploy in {end.ground.namespace}: waiting" in text]
    assert [text for text in end.said if text.startswith("the lease deploy in") and "is free, after 1" in text]


def test_of_two_deploys_at_once_one_waits_and_says_for_whom(ends: Mapping[str, Future[End]]) -> None:
    end = ends["two"].result()
    assert [text for text in end.said if f"has the lease deploy in {end.ground.namespace}: waiting" in text]
    said = [receipt(data)["image"] for data in end.ground.receipts().values()]
    assert said == [end.ground.releases.reference(each) for each in (end.ground.releases.a, end.ground.releases.b)]
    assert end.ground.images() == {end.ground.releases.b}


def test_an_api_server_that_is_away_for_half_a_minute_is_waited_for_and_that_is_said(
    ends: Mapping[str, Future[End]],
) -> None:
    end = ends["away"].result()
    assert end.ground.images() == {end.ground.releases.a}
    assert list(end.ground.receipts()) == ["deploy-receipt-000001"]
    assert [text for text in end.said if text.startswith("the API server does not answer")]
    assert [text for text in end.said if text.startswith("the API server answers again, after 3")]


def test_a_cluster_that_is_not_there_is_waited_for_as_long_as_one_that_restarts(
    ends: Mapping[str, Future[End]],
) -> None:
    end = ends["nowhere"].result()
    assert [line for line in end.said if "the API server does not answer" in line]
    assert "error: the API server of local did not answer for 60 s" in end.said
    assert written(end.ground) == []


def test_a_receipt_that_was_attached_and_not_yet_kept_is_kept_and_not_signed_again(
    ends: Mapping[str, Future[End]],
) -> None:
    """As after a kill between the two."""
    ground = ends["killed"].result().ground
    before = ground.receipts()
    ground.kubectl("delete", "configmap", *before)
    ground.deploy(to=ground.releases.a)
    assert before == ground.receipts()
    assert len(statements(ground, ground.releases.a, DEPLOYMENT)) == 1
