"""Go through a day of traffic as the autoscalers would, and count hours and dollars. Pure.

Nothing is measured here: what a request costs is given, the algorithm is `autoscaler`'s, and prices are those of
terraform/prices.toml. docs/capacity.md says where each number comes from.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from shipseal.deploying.autoscaler import Autoscaler, AutoscalerSpec, Figures
from shipseal.deploying.cost import Prices, bill

SYNC = 15  # seconds between two looks of the autoscaler
DAY = 24 * 3600
DAYS = 365 / 12  # in a month, as prices.toml counts it
REQUEST, LIMIT = 100, 500  # millicores of a pod
MEMORY = 22  # per cent of 64Mi that a pod holds
ALLOCATABLE, SYSTEM = 1930, 250  # millicores of a t3.medium, and what the add-ons ask for on each
SEATS, TAKEN = 17, 17  # pods that one holds, and those of the add-ons and the Cluster Autoscaler on two of them
FEWEST, MOST = 2, 4  # nodes
BASELINE = 400  # millicores of a t3.medium that its credits last for
BYTES, ASKED = 273, 250  # of an answer, counted on one; of a request, assumed; with headers: a balancer counts both
UNIT = 1e9 / 3600  # bytes a second for one capacity unit of the balancer; its other three measures are smaller here


@dataclass(frozen=True)
class Day:
    """What a day came to: requests that came and that were answered, hours, and vCPU hours beyond the credits."""

    came: float
    answered: float
    pods: int
    pod_hours: float
    node_hours: float
    beyond_credits: float
    units: float


def rate(seconds: float, peak: float) -> float:
    """Return requests/s: a tenth of the peak at night, a wave by day that is highest at 15:00, and a rush at noon.

    In the rush, of ten minutes, half as many come on top, from one second to the next.
    """
    hour = seconds / 3600
    wave = max(0.0, math.cos((hour - 15) / 24 * 2 * math.pi))
    rush = 1.5 if 12 <= hour < 12 + 1 / 6 else 1
    return min(peak, peak * (0.1 + 0.9 * wave) * rush)


def nodes_for(pods: int) -> int:
    """Return the nodes that the Cluster Autoscaler keeps: it goes by what pods ask for, never by what they use."""
    by_cpu = math.ceil(pods * REQUEST / (ALLOCATABLE - SYSTEM))
    by_seats = math.ceil((pods + TAKEN) / SEATS)
    return min(MOST, max(FEWEST, by_cpu, by_seats))


def day(rules: AutoscalerSpec, peak: float, cost: float) -> Day:
    """Go through a day, with `cost` microseconds of CPU a request."""
    scaler = Autoscaler(rules, 3)
    came = answered = pod_hours = node_hours = used_hours = units = 0.0
    most, pods = 3, 3
    for now in range(0, DAY, SYNC):
        asked, nodes = rate(now, peak), nodes_for(pods)
        room = min(pods * LIMIT, nodes * (ALLOCATABLE - SYSTEM))
        used = min(asked * cost / 1000, room)
        came, answered = came + asked * SYNC, answered + used * 1000 / cost * SYNC
        pod_hours, node_hours = pod_hours + pods * SYNC / 3600, node_hours + nodes * SYNC / 3600
        used_hours += (used + nodes * SYSTEM / 2) / 1000 * SYNC / 3600
        units += max(1, used * 1000 / cost * (BYTES + ASKED) / UNIT) * SYNC / 3600
        cpu = Figures([int(used / pods * 100 / REQUEST)] * pods)
        pods = scaler.look(now, {"cpu": cpu, "memory": Figures([MEMORY] * pods)})
        most = max(most, pods)
    beyond = max(0.0, used_hours - node_hours * BASELINE / 1000)
    return Day(came, answered, most, pod_hours, node_hours, beyond, units)


def dollars(found: Day, plan: Mapping[str, object], prices: str) -> float:
    """Return what a day costs: production's bill with its own nodes and traffic, capacity units and credits besides.

    :param plan: what production uses, as `cost.bill` takes it
    :param prices: the text of the price file
    """
    busy, total = tomllib.loads(prices)["busy"], 0.0
    for line in bill("production", plan, Prices.parse(prices)).lines:
        if line.price.counts == "traffic":
            total += found.answered * BYTES / 1e9 * line.price.current
        elif line.price.counts in {"nodes", "node-gb"}:
            total += line.current / DAYS * found.node_hours / 24 / FEWEST
        else:
            total += line.current / DAYS
    more = (found.units - 24) * busy["capacity-unit"] + found.beyond_credits * busy["vcpu"]
    return float(total + more)
