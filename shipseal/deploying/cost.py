"""What an environment costs a month: Terraform's own plan and a file of prices in, a bill out. Pure.

Only what has a price by the month is counted. Logs by the gigabyte, data through a NAT gateway and requests are not.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shipseal.deploying import usage
from shipseal.deploying.usage import Resources
from shipseal.errors import ConfigError


@dataclass(frozen=True)
class Price:
    """One line of the price file: dollars a month for one unit, the architecture's None where it has none."""

    name: str
    counts: str
    of: str
    current: float
    architecture: float | None = None


@dataclass(frozen=True)
class Prices:
    """The price file: `traffic` in GB and `totals` in dollars a month, by environment."""

    as_of: str
    lines: tuple[Price, ...]
    totals: Mapping[str, float]
    traffic: Mapping[str, float]

    @classmethod
    def parse(cls, text: str) -> "Prices":
        """Read the price file.

        :raises ConfigError: when it is not TOML, or a line has not what a line needs
        """
        try:
            found = tomllib.loads(text)
            lines = tuple(Price(**line) for line in found["line"])
            return cls(str(found["as_of"]), lines, found["totals"], found["traffic"])
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise ConfigError(
                "the price file cannot be read", why=str(error), remedy="compare it with terraform/prices.toml"
            ) from error


@dataclass(frozen=True)
class Line:
    """A price, and how many units of it an environment has."""

    price: Price
    quantity: float

    @property
    def current(self) -> float:
        """Return dollars a month at today's price."""
        return self.quantity * self.price.current

    @property
    def architecture(self) -> float | None:
        """Return dollars a month as the architecture counts, None where it does not."""
        return None if self.price.architecture is None else self.quantity * self.price.architecture


@dataclass(frozen=True)
class Bill:
    """What one environment costs a month."""

    environment: str
    lines: tuple[Line, ...]
    limit: float | None

    @property
    def current(self) -> float:
        """Return the sum at today's prices."""
        return sum(line.current for line in self.lines)

    @property
    def architecture(self) -> float:
        """Return the sum of the lines that the architecture has a price for."""
        return sum(line.architecture or 0 for line in self.lines)

    @property
    def beyond(self) -> tuple[Line, ...]:
        """Return the lines, in their order, with which the architecture's own sum passes the architecture's figure."""
        spent, found = 0.0, []
        for line in self.lines:
            spent += line.architecture or 0
            if self.limit is not None and line.architecture and round(spent, 2) > self.limit:
                found.append(line)
        return tuple(found)


def bill(environment: str, plan: Mapping[str, object], prices: Prices) -> Bill:
    """Count what a plan, or a state, would cost.

    :param environment: name that `totals` and `traffic` of the price file know it by
    :param plan: what `terraform show -json` prints
    :raises ConfigError: when the plan has no resources, or nodes that the price file does not know
    """
    resources = list(usage.resources_of(plan))
    if not resources:
        raise ConfigError(
            f"the plan of {environment} holds no resources",
            remedy="make it with `terraform plan -out=FILE && terraform show -json FILE`",
        )
    _require_priced_nodes(resources, prices)
    traffic = prices.traffic.get(environment, 0)
    counted = (Line(price, _quantity(price, resources, traffic)) for price in prices.lines)
    return Bill(environment, tuple(line for line in counted if line.quantity), prices.totals.get(environment))


def _quantity(price: Price, resources: Resources, traffic: float) -> float:
    ways: Mapping[str, Callable[[], float]] = {
        "each": lambda: len(usage.of_type(resources, price.of)),
        "nodes": lambda: usage.nodes(resources).get(price.of, 0),
        "node-gb": lambda: usage.node_gigabytes(resources),
        "addresses": lambda: usage.addresses(resources),
        "traffic": lambda: traffic,
    }
    if price.counts not in ways:
        raise ConfigError(f'"{price.name}" counts "{price.counts}"', remedy=f"use one of: {', '.join(ways)}")
    return ways[price.counts]()


def _require_priced_nodes(resources: Resources, prices: Prices) -> None:
    known = {price.of for price in prices.lines if price.counts == "nodes"}
    unknown = sorted(set(usage.nodes(resources)) - known)
    if unknown:
        raise ConfigError(
            f"the price file knows no node {', '.join(unknown)}",
            why=f"it knows {', '.join(sorted(known))}",
            remedy='add a [[line]] with counts = "nodes" for it',
        )
