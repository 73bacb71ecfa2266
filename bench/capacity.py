"""Simulate days of traffic, and say what each costs: `python -m bench.capacity`. docs/capacity.md holds the table.

What a request costs was measured: half a core gave 44,475 requests/s with the access log on (docs/service.md). Beside
it stand the same on a vCPU that is half a core, and what the architecture's 10,000 requests/s from 500m come to.
"""

import json
from collections.abc import Iterator

import yaml

from shipseal.deploying.autoscaler import AutoscalerSpec
from shipseal.deploying.capacity import day, dollars
from shipseal.project.config import HOME

PEAKS = (1_000, 10_000, 30_000, 60_000, 100_000)  # requests/s at 15:00
COSTS = (11.2, 22.4, 50.0)  # microseconds of CPU
COLUMNS = ("busiest, requests/s", "µs a request", "most pods", "pod hours", "node hours", "answered",
           "vCPU hours beyond credits", "$ a day", "$ a million")  # fmt: skip


def table() -> Iterator[str]:
    """Yield the lines of the table."""
    rules = AutoscalerSpec.of(yaml.safe_load((HOME / "k8s" / "base" / "hpa.yaml").read_text(encoding="utf-8")))
    plan = json.loads((HOME / "terraform" / "environments" / "production" / "usage.json").read_text(encoding="utf-8"))
    prices = (HOME / "terraform" / "prices.toml").read_text(encoding="utf-8")
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|" + " ---: |" * len(COLUMNS)
    for cost in COSTS:
        for peak in PEAKS:
            found = day(rules, peak, cost)
            spent = dollars(found, plan, prices)
            yield (
                f"| {peak:,} | {cost:g} | {found.pods} | {found.pod_hours:.0f} | {found.node_hours:.0f} "
                f"| {found.answered / found.came:.1%} | {found.beyond_credits:.1f} | {spent:.2f} "
                f"| {spent / found.answered * 1e6:.4f} |"
            )


if __name__ == "__main__":
    print("\n".join(table()))
