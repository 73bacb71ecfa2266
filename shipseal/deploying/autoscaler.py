"""What the HorizontalPodAutoscaler would do: its algorithm over figures of yours, without a cluster. Pure.

After kubernetes.io, "Horizontal Pod Autoscaling" and the controller of 1.35 (pkg/controller/podautoscaler): the larger
of what each target asks for; down no lower than what was asked for within the window; up and down no further than the
policies let it in their periods. Of behaviour it knows what `k8s/base/hpa.yaml` has, and refuses anything else.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError
from pydantic.alias_generators import to_camel

from shipseal.deploying.manifests import Object
from shipseal.documents.document import Foreign
from shipseal.errors import ConfigError

TOLERANCE = 0.1
"""How far from a target is near enough: --horizontal-pod-autoscaler-tolerance, by default."""
_ONE = Field(min_length=1, max_length=1)


class _Known(Foreign, alias_generator=to_camel):
    """An object of `autoscaling/v2`, as far as it is simulated."""


class _Pods(_Known):
    type: Literal["Pods"]
    value: int
    period_seconds: int


class _Percent(_Known):
    type: Literal["Percent"]
    value: int
    period_seconds: int


class _Up(_Known):
    policies: Annotated[list[_Pods], _ONE]
    stabilization_window_seconds: Literal[0]


class _Down(_Known):
    policies: Annotated[list[_Percent], _ONE]
    stabilization_window_seconds: int


class _Behavior(_Known):
    scale_up: _Up
    scale_down: _Down


class _Target(_Known):
    average_utilization: int


class _Resource(_Known):
    name: str
    target: _Target


class _Metric(_Known):
    type: Literal["Resource"]
    resource: _Resource


class _Spec(_Known):
    min_replicas: int
    max_replicas: int
    metrics: list[_Metric]
    behavior: _Behavior


class _HorizontalPodAutoscaler(_Known):
    spec: _Spec


@dataclass(frozen=True)
class AutoscalerSpec:
    """What an autoscaler's object says: targets in per cent of the requests, periods in seconds."""

    minimum: int
    maximum: int
    targets: Mapping[str, int]
    up_pods: int
    up_period: int
    down_percent: int
    down_period: int
    down_window: int

    @classmethod
    def of(cls, manifest: Object) -> Self:
        """Read a manifest of `autoscaling/v2`.

        :raises ConfigError: when it says something that is not simulated
        """
        try:
            spec = _HorizontalPodAutoscaler.model_validate(manifest).spec
        except ValidationError as error:
            raise ConfigError(
                "this autoscaler cannot be simulated",
                why="known are Resource metrics, one policy of Pods up without a window, and one of Percent down",
                remedy="compare it with k8s/base/hpa.yaml",
            ) from error
        (up,), down = spec.behavior.scale_up.policies, spec.behavior.scale_down
        (less,) = down.policies
        targets = {each.resource.name: each.resource.target.average_utilization for each in spec.metrics}
        return cls(
            spec.min_replicas,
            spec.max_replicas,
            targets,
            up.value,
            up.period_seconds,
            less.value,
            less.period_seconds,
            down.stabilization_window_seconds,
        )


@dataclass(frozen=True)
class Figures:
    """What is known of pods and one resource: of some, how much they use, in per cent of their request; of others not.

    `starting` are pods that are pending or not ready, `missing` ones that run and have no figures.
    """

    used: Sequence[int]
    starting: int = 0
    missing: int = 0


@dataclass
class Autoscaler:
    """One that runs: the number of pods, and what it has asked for and done, with the seconds at which it did."""

    rules: AutoscalerSpec
    replicas: int
    _asked: list[tuple[float, int]] = field(default_factory=list)
    _done: list[tuple[float, int]] = field(default_factory=list)

    def look(self, now: float, figures: Mapping[str, Figures]) -> int:
        """Look once, and return how many pods there are to be from now on.

        :param now: seconds since any moment
        :param figures: by the name of a resource; one of which nothing is known lets it go up by others, never down
        """
        known = {name: each for name, each in figures.items() if each.used}
        wanted = max((self._wanted(name, each) for name, each in known.items()), default=self.replicas)
        if not known or (len(known) < len(self.rules.targets) and wanted < self.replicas):
            return self.replicas
        since = now - self.rules.down_window
        recent = max([wanted, *(number for at, number in self._asked if at > since)])
        self._asked = [*((at, number) for at, number in self._asked if at > since), (now, wanted)]
        steady = wanted if wanted > self.replicas else min(self.replicas, recent)
        allowed = min(max(self._allowed(now, steady), self.rules.minimum), self.rules.maximum)
        if allowed != self.replicas:
            self._done.append((now, allowed - self.replicas))
            self.replicas = allowed
        return allowed

    def _wanted(self, name: str, figures: Figures) -> int:
        """Return what one target asks for; of pods that nothing is known of it assumes what holds it back."""
        target = self.rules.targets[name]
        ratio = _ratio(figures.used, target)
        starting = figures.starting if ratio > 1 else 0
        if not starting and not figures.missing:
            return self.replicas if _is_near(ratio) else math.ceil(ratio * len(figures.used))
        missing = {True: 0, False: max(100, target)}[ratio > 1]
        assumed = [*figures.used, *[missing] * figures.missing, *[0] * starting]
        again = _ratio(assumed, target)
        number = math.ceil(again * len(assumed))
        turned = (ratio < 1 < again) or (again < 1 < ratio)
        against = (again < 1 and number > self.replicas) or (again > 1 and number < self.replicas)
        return self.replicas if _is_near(again) or turned or against else number

    def _allowed(self, now: float, wanted: int) -> int:
        """Return how far of the way the policies let it go now."""
        rules = self.rules
        if wanted > self.replicas:
            return min(wanted, max(self.replicas, self._begun(now - rules.up_period) + rules.up_pods))
        # Rounded towards zero as the controller does it: of five pods, three may go.
        limit = int(self._begun(now - rules.down_period) * (1 - rules.down_percent / 100))
        return max(wanted, min(self.replicas, limit))

    def _begun(self, since: float) -> int:
        """Return how many pods there were when a period began."""
        return self.replicas - sum(change for at, change in self._done if at > since)


def _ratio(percents: Sequence[int], target: int) -> float:
    return sum(percents) // len(percents) / target


def _is_near(ratio: float) -> bool:
    return 1 - TOLERANCE <= ratio <= 1 + TOLERANCE
