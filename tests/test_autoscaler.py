"""The simulated autoscaler does what the controller's source says; tests/cluster/test_scaling.py has the real one."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from shipseal.deploying.autoscaler import Autoscaler, AutoscalerSpec, Figures
from shipseal.errors import ConfigError
from shipseal.project.config import HOME


@pytest.fixture
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HOME / "k8s" / "base" / "hpa.yaml").read_text())
    return found


@pytest.fixture
def rules(manifest: dict[str, Any]) -> AutoscalerSpec:
    return AutoscalerSpec.of(manifest)


def cpu(percent: int, pods: int, **others: int) -> Mapping[str, Figures]:
    """Return figures of which only the CPU's matter: 14 MB of 64Mi are 20 per cent."""
    return {"cpu": Figures([percent] * pods, **others), "memory": Figures([20] * pods)}


def test_the_shipped_values_are_the_architectures(rules: AutoscalerSpec) -> None:
    """2 to 10; CPU 70 %, memory 80 %; up by 4 pods in 15 s, down by half in 5 minutes, after 5 minutes."""
    assert rules == AutoscalerSpec(2, 10, {"cpu": 70, "memory": 80}, 4, 15, 50, 300, 300)


@pytest.mark.parametrize(
    ("percent", "pods", "expected"),
    [(70, 3, 3), (76, 3, 3), (77, 3, 3), (78, 3, 4), (63, 3, 3), (62, 3, 3), (46, 3, 2)],
)
def test_within_a_tenth_of_the_target_nothing_changes_and_beyond_it_is_rounded_up(
    rules: AutoscalerSpec, percent: int, pods: int, expected: int
) -> None:
    assert Autoscaler(rules, pods).look(0, cpu(percent, pods)) == expected


def test_four_pods_come_in_fifteen_seconds_and_the_next_after_them(rules: AutoscalerSpec) -> None:
    scaler = Autoscaler(rules, 2)
    assert [scaler.look(now, cpu(500, 2)) for now in (0, 5, 14, 15, 29, 30)] == [6, 6, 6, 10, 10, 10]


def test_half_goes_at_a_time_each_five_minutes_after_what_was_asked_for_is_five_minutes_old(
    rules: AutoscalerSpec,
) -> None:
    """Of five the controller lets three go: it rounds what stays down."""
    scaler, changes = Autoscaler(rules, 10), list[tuple[int, int]]()
    scaler.look(0, cpu(500, 10))
    for now in range(15, 1200, 15):
        before = scaler.replicas
        if scaler.look(now, cpu(5, before)) != before:
            changes.append((now, scaler.replicas))
    assert changes == [(300, 5), (600, 2)]


def test_a_dip_that_is_shorter_than_the_window_changes_nothing(rules: AutoscalerSpec) -> None:
    scaler = Autoscaler(rules, 10)
    loads = [500 if now < 300 or now >= 585 else 5 for now in range(0, 900, 15)]
    assert {scaler.look(15 * number, cpu(load, 10)) for number, load in enumerate(loads)} == {10}


def test_a_pod_that_starts_counts_as_idle_when_more_are_wanted(rules: AutoscalerSpec) -> None:
    assert Autoscaler(rules, 4).look(0, cpu(100, 3, starting=1)) == 4
    assert Autoscaler(rules, 4).look(0, cpu(100, 4)) == 6


def test_a_pod_without_figures_counts_as_busy_when_fewer_are_wanted_and_as_idle_when_more_are(
    rules: AutoscalerSpec,
) -> None:
    assert Autoscaler(rules, 3).look(0, cpu(40, 2, missing=1)) == 3
    assert Autoscaler(rules, 3).look(0, cpu(40, 3)) == 2
    assert Autoscaler(rules, 3).look(0, cpu(100, 2, missing=1)) == 3


def test_without_any_figures_nothing_changes_and_with_half_of_them_nothing_goes(rules: AutoscalerSpec) -> None:
    assert Autoscaler(rules, 7).look(0, {}) == 7
    assert Autoscaler(rules, 7).look(0, {"cpu": Figures([], missing=7), "memory": Figures([], missing=7)}) == 7
    assert Autoscaler(rules, 7).look(0, {"cpu": Figures([1] * 7)}) == 7
    assert Autoscaler(rules, 7).look(0, {"cpu": Figures([140] * 7)}) == 10


def settled(rules: AutoscalerSpec, memory: int) -> tuple[int, bool]:
    """Return where ten idle pods end that hold so many per cent of their request, and if it moves in the last hour."""
    scaler = Autoscaler(rules, 10)
    held = {"cpu": 5, "memory": memory}
    numbers = [
        scaler.look(now, {name: Figures([used] * scaler.replicas) for name, used in held.items()})
        for now in range(0, 7200, 15)
    ]
    return numbers[-1], len(set(numbers[240:])) > 1


@pytest.mark.parametrize(
    ("memory", "expected"), [(20, 2), (30, 2), (53, 2), (54, 3), (60, 3), (61, 4), (72, 10), (87, 10)]
)
def test_memory_holds_pods_up_from_54_per_cent_of_the_request_and_never_makes_the_number_flap(
    rules: AutoscalerSpec, memory: int, expected: int
) -> None:
    """54 per cent of 64Mi are 36 MB: more than twice what the service holds (14 MB are 20 per cent)."""
    assert settled(rules, memory) == (expected, False)


MORE: dict[str, Callable[[Any], object]] = {
    "a policy": lambda spec: spec["behavior"]["scaleDown"]["policies"].append(
        {"type": "Pods", "value": 1, "periodSeconds": 60}
    ),
    "another policy": lambda spec: spec["behavior"]["scaleUp"]["policies"][0].update(type="Percent"),
    "a window": lambda spec: spec["behavior"]["scaleUp"].update(stabilizationWindowSeconds=15),
    "another metric": lambda spec: spec["metrics"].append({"type": "Pods", "pods": {}}),
    "no behaviour": lambda spec: spec.pop("behavior"),
}


@pytest.mark.parametrize("more", MORE)
def test_an_autoscaler_that_says_more_is_refused_and_not_half_understood(manifest: dict[str, Any], more: str) -> None:
    MORE[more](manifest["spec"])
    with pytest.raises(ConfigError, match="cannot be simulated"):
        AutoscalerSpec.of(manifest)
