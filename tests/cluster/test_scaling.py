"""The shipped autoscaler under the real controller manager: what it does, how fast, and what it says when it cannot.

A cluster of its own, in which all periods are shorter by one factor. Its figures are a real metrics-server's; what pods
use is kwok's to say, and follows a script.
"""

import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from shipseal.project.config import HOME
from tests.cluster.conftest import Say
from tests.cluster.manifests import K8S
from tests.cluster.picture import Series, drawn
from tests.cluster.running import Running, cluster, soon
from tests.cluster.scaling import (
    FASTER,
    IDLE,
    LIMIT,
    LOOK,
    NAME,
    Api,
    Service,
    deployed,
    shipped,
    shorter,
    simulated,
)

PICTURE = HOME / "docs" / "autoscaler.svg"
RENEW = "RENEW_PICTURES"

STEADY, PEAK, LOW = 175, 2000, 60  # millicores in all: between its targets nothing depends on a late look
DIP, FALL, END = (300, 390), 480, 1200  # seconds of the shipped time
# Ten pods that hold 20 per cent of what they ask for are to be three, by the target of 80. The controller goes by that
# for another five minutes, which end when the second half may go: which comes first is a matter of one look.
LAST = ([10, 5, 2], [10, 5, 3, 2])
LEAK = 100_000_000  # bytes: half as much again as a pod asks for


def load(now: float) -> int:
    """What three pods can do; then far more, but for a dip of a minute and a half; then next to nothing."""
    if now < 120:
        return STEADY
    return LOW if DIP[0] <= now < DIP[1] or now >= FALL else PEAK


@dataclass(frozen=True)
class Followed:
    """A service that has followed a load."""

    service: Service
    orders: list[tuple[float, int]]


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a cluster with a metrics-server, whose autoscaler is faster."""
    with cluster(tmp_path_factory.mktemp("scaled") / "stderr.txt", "--autoscaler", str(FASTER)) as it:
        yield it


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory for the manifests of each service."""
    return tmp_path_factory.mktemp("grounds")


def pod_seconds(steps: list[tuple[float, int]]) -> float:
    """Return for how many seconds there was a pod, all pods together."""
    marks = [(0.0, 3), *steps, (END, 0)]
    return sum((until - since) * number for (since, number), (until, _) in pairwise(marks))


def direct(told: str) -> str:
    """Return the same without the step that is there or not by one look."""
    return told.replace("then 3, then 2;", "then 2;")


def namespace(name: str) -> str:
    return f"scaling-{name}-{uuid4().hex[:6]}"


@pytest.fixture(scope="module", autouse=True)
def loaded(scaled: Running, kustomize: Path, grounds: Path) -> Iterator[Future[Followed]]:
    """Begin with what takes longest, and let it go on beside the other tests."""
    service = deployed(scaled, kustomize, grounds / "load", namespace("load"), cpu=STEADY // 3, memory=IDLE)

    def follow() -> Followed:
        service.follow(load, END)
        return Followed(service, service.orders())

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(follow)


@pytest.fixture(scope="module", autouse=True)
def leaked(scaled: Running, kustomize: Path, grounds: Path) -> Iterator[Future[list[int]]]:
    """Beside it, let another hold too much memory for a while; give the numbers of pods that it then has."""
    service = deployed(scaled, kustomize, grounds / "leak", namespace("leak"), cpu=5, memory=IDLE)

    def leak() -> list[int]:
        service.use(5, LEAK)
        assert soon(lambda: service.replicas() == shipped().maximum, 90)
        service.use(5, IDLE)
        assert soon(lambda: service.replicas() == shipped().minimum, 120)
        return [number for _, number in service.orders()]

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(leak)


@pytest.fixture(scope="module")
def followed(loaded: Future[Followed], say: Say) -> Followed:
    """Give the service when it has followed the load, and have it told at the end of the run."""
    found = loaded.result(timeout=250)
    for line in told(found.orders):
        say(line)
    return found


def told(orders: list[tuple[float, int]]) -> Iterator[str]:
    """Say the series, and how it lies to the four numbers of the manifest."""
    rules, numbers = shipped(), [3, *(number for _, number in orders)]
    series = ", ".join(f"{number} at {at:.0f} s" for at, number in orders)
    yield f"autoscaler, each period a {FASTER}th of the shipped one, pods' use scripted by kwok: 3 pods, then {series}"
    up = max(after - before for before, after in pairwise(numbers))
    yield (
        f"  {min(numbers)} to {max(numbers)} pods ({rules.minimum} to {rules.maximum}); up by {up} at a time "
        f"({rules.up_pods} in {rules.up_period} s); pod seconds {pod_seconds(orders):.0f}, "
        f"simulated {pod_seconds(simulated(load, END, 3)):.0f}"
    )


def test_only_periods_are_shorter_and_all_by_one_factor() -> None:
    autoscaler = yaml.safe_load((K8S / "base" / "hpa.yaml").read_text())
    short = shorter(autoscaler)
    for way, shortened in zip(autoscaler["spec"]["behavior"].values(), short["spec"]["behavior"].values(), strict=True):
        assert way["stabilizationWindowSeconds"] == shortened["stabilizationWindowSeconds"] * FASTER
        for policy, other in zip(way["policies"], shortened["policies"], strict=True):
            assert policy == {**other, "periodSeconds": other["periodSeconds"] * FASTER}
    short["spec"]["behavior"] = autoscaler["spec"]["behavior"]
    assert short == autoscaler


def test_a_pod_without_figures_keeps_the_number_where_it_is_until_it_has_some(
    scaled: Running, kustomize: Path, grounds: Path
) -> None:
    """Two pods at 40 % would be enough for what three do; of the third nothing is known, so it counts as busy."""
    service = deployed(scaled, kustomize, grounds / "one", namespace("one"), cpu=58, memory=IDLE)
    silent = service.pods()[0]["metadata"]["name"]
    nothing = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ResourceUsage", "metadata": {"name": silent}}
    service.kubectl("create", "-f", "-", given={**nothing, "spec": {"usages": []}})
    assert soon(lambda: len(service.figures()) == 2, 30)
    service.use(40)
    assert soon(lambda: set(service.figures().values()) == {40}, 30)
    assert service.stays(3, 330)  # longer than the window of what was asked for
    service.kubectl("delete", "resourceusage", silent)
    assert soon(lambda: service.replicas() == 2, 60)


def test_without_any_figures_the_number_stays_and_the_autoscaler_says_why(
    scaled: Running, kustomize: Path, grounds: Path
) -> None:
    service = deployed(scaled, kustomize, grounds / "none", namespace("none"))
    assert soon(lambda: service.condition("ScalingActive")[:2] == ("False", "FailedGetResourceMetric"), 30)
    assert "no metrics returned from resource metrics API" in service.condition("ScalingActive")[2]
    assert soon(lambda: {"FailedGetResourceMetric", "FailedComputeMetricsReplicas"} <= service.reasons(), 30)
    assert service.stays(3, 60)


def test_pods_that_hold_more_than_their_memory_target_are_brought_to_the_most_and_let_go_when_they_hold_less(
    leaked: Future[list[int]],
) -> None:
    """More pods hold no less each: the target ends no leak, and costs eight pods for as long as it lasts."""
    numbers = leaked.result(timeout=300)
    tail = numbers[numbers.index(shipped().maximum) :]
    assert tail == sorted(tail, reverse=True)
    assert tail[-1] == shipped().minimum


def test_load_brings_ten_pods_and_its_end_leaves_two(followed: Followed) -> None:
    numbers = [number for _, number in followed.orders]
    assert max(numbers) == shipped().maximum
    assert followed.service.replicas() == numbers[-1] == shipped().minimum
    assert all(shipped().minimum <= number <= shipped().maximum for number in numbers)


def test_at_most_four_pods_come_in_fifteen_seconds(followed: Followed) -> None:
    """Judged by the API server's own log of what the controller asked for."""
    rules, changes = shipped(), followed.service.changes()
    ups = [(at, change) for at, change in changes if change > 0]
    assert ups
    for at, _ in ups:
        assert sum(change for other, change in ups if at - rules.up_period < other <= at) <= rules.up_pods


def test_at_most_half_of_the_pods_go_in_five_minutes_rounded_down(followed: Followed) -> None:
    """Of five the controller lets three go."""
    rules, changes = shipped(), followed.service.changes()
    downs = [(at, number) for (at, number), (_, change) in zip(followed.orders, changes, strict=True) if change < 0]
    assert [shipped().maximum, *(number for _, number in downs)] in LAST
    assert downs[0][0] >= FALL + rules.down_window - LOOK
    for at, number in downs:
        begun = number - sum(change for other, change in changes if at - rules.down_period < other <= at)
        assert number >= begun * (100 - rules.down_percent) // 100


def test_a_dip_of_a_minute_and_a_half_lets_nobody_go(followed: Followed) -> None:
    assert [at for at, change in followed.service.changes() if change < 0 and at < FALL] == []


def test_a_service_that_holds_14_mb_of_64mi_is_neither_held_up_by_memory_nor_flaps(followed: Followed) -> None:
    """From the last step on nothing changes, and memory is far below its target."""
    assert len(followed.orders) == len(followed.service.orders())
    metrics = followed.service.autoscaler()["status"]["currentMetrics"]
    (memory,) = [each["resource"] for each in metrics if each["resource"]["name"] == "memory"]
    assert memory["current"]["averageUtilization"] == 20
    assert followed.service.stays(2, 60)


def test_the_simulation_takes_the_same_steps_as_the_controller(followed: Followed) -> None:
    """The same numbers, and in all as many pod hours but for the seconds that a loaded machine is late."""
    ours = simulated(load, END, 3)
    for steps in (ours, followed.orders):
        assert [3, *(number for _, number in steps)] in ([3, 7, *last] for last in LAST)
    assert pod_seconds(followed.orders) == pytest.approx(pod_seconds(ours), rel=0.08)


def test_the_picture_of_the_page_shows_what_was_measured(followed: Followed) -> None:
    """`RENEW_PICTURES=1` has it drawn anew; otherwise it is to show the same steps."""
    series = Series(END, followed.service.samples, followed.orders, simulated(load, END, 3), 3)
    if os.environ.get(RENEW):
        PICTURE.write_text(drawn(series))
    (shown,) = re.findall(r"<desc>(.*)</desc>", PICTURE.read_text())
    assert direct(shown) == direct(series.told())
    assert f"]({PICTURE.name})" in (HOME / "docs" / "capacity.md").read_text()


def test_a_metrics_server_that_is_away_changes_nothing_is_told_and_comes_back(followed: Followed) -> None:
    """The last test of this file: until it is back, nobody has figures."""
    service = followed.service
    path = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
    port = Api(service.running)(path)["spec"]["service"]["port"]

    def available() -> str:
        conditions = service.api(path)["status"]["conditions"]
        return "".join(each["status"] for each in conditions if each["type"] == "Available")

    service.api(path, {"spec": {"service": {"port": 1}}})  # nobody listens there
    try:
        assert soon(lambda: available() == "False", 60)
        assert soon(lambda: service.condition("ScalingActive")[:2] == ("False", "FailedGetResourceMetric"), 60)
        assert "pods.metrics.k8s.io" in service.condition("ScalingActive")[2]
        assert soon(lambda: {"FailedGetResourceMetric", "FailedComputeMetricsReplicas"} <= service.reasons(), 30)
        service.use(LIMIT)
        assert service.stays(shipped().minimum, 90)  # it would go up at once
    finally:
        service.api(path, {"spec": {"service": {"port": port}}})
    assert soon(lambda: service.condition("ScalingActive")[0] == "True", 60)
    assert soon(lambda: service.replicas() == shipped().maximum, 60)
    assert NAME in service.kubectl("top", "pods").stdout
