"""The page on capacity says what the simulation prints and what its own figures come to."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile

import pytest
import yaml

from shipseal.deploying import capacity
from shipseal.deploying.autoscaler import AutoscalerSpec
from shipseal.deploying.capacity import Day, day, dollars, nodes_for, rate
from shipseal.project.config import HOME

MEASURED, DOUBLED, ARCHITECTURE = 11.2, 22.4, 50.0
RULES = AutoscalerSpec.of(yaml.safe_load((HOME / "k8s" / "base" / "hpa.yaml").read_text()))
PRODUCTION = HOME / "terraform" / "environments" / "production" / "usage.json"
PRICES = (HOME / "terraform" / "prices.toml").read_text()
PAGE = " ".join((HOME / "docs" / "capacity.md").read_text(encoding="utf-8").split())


def test_the_page_holds_the_table_that_the_simulation_prints() -> None:
    text = (HOME / "docs" / "capacity.md").read_text(encoding="utf-8").splitlines()
    command = [sys.executable, "-m", "bench.capacity"]
    done = subprocess.run(command, cwd=HOME, check=True, capture_output=True, text=True, timeout=120)
    printed = done.stdout.splitlines()
    begun = text.index(printed[0])
    assert list(takewhile(str.strip, text[begun:])) == printed


def figures() -> Iterator[tuple[str, float]]:
    """Yield figures of the page, each with what it comes to: requests/s, to three digits."""
    target = RULES.targets["cpu"] * capacity.REQUEST / 100
    room = capacity.FEWEST * (capacity.ALLOCATABLE - capacity.SYSTEM)
    lasting = capacity.FEWEST * (capacity.BASELINE - capacity.SYSTEM / 2)
    yield "70m, which are 6,250 requests/s at 11.2 µs", target * 1000 / MEASURED
    yield "(3,125 at 22.4 µs)", target * 1000 / DOUBLED
    yield "Three pods hold 20,900 requests/s", 3 * (int(target * 1.1) + 1) * 1000 / MEASURED
    yield "asked for from 56,300 on", 9 * target * 1000 / MEASURED
    yield "that is at 67,000 requests/s", room * 1000 / ARCHITECTURE
    yield "at 22.4 µs at 150,000", room * 1000 / DOUBLED
    yield "49,000 requests/s all day at 11.2 µs", lasting * 1000 / MEASURED
    yield "24,500 at 22.4 µs", lasting * 1000 / DOUBLED
    yield "11,000 at 50 µs", lasting * 1000 / ARCHITECTURE
    yield "70 % are 12,500 requests/s", 2 * target * 1000 / MEASURED


@pytest.mark.parametrize(("said", "comes_to"), list(figures()))
def test_each_figure_of_the_page_is_what_the_measured_ones_come_to(said: str, comes_to: float) -> None:
    assert said in PAGE
    (figure,) = re.findall(r"\d+,\d{3}", said)
    assert float(figure.replace(",", "")) == pytest.approx(comes_to, rel=0.006)


def test_what_a_request_costs_is_what_the_page_of_the_service_measured() -> None:
    """Half a core, access log on."""
    assert "| the same, with the access log on | 0.89 | 1.35 | 44,475 |" in (HOME / "docs" / "service.md").read_text()
    assert pytest.approx(0.5 / 44_475 * 1e6, rel=0.005) == MEASURED


def test_ten_pods_and_the_rollouts_fit_two_nodes_by_what_they_ask_for() -> None:
    assert nodes_for(11) == 2
    assert nodes_for(18) == 3


def test_a_day_begins_at_a_tenth_of_its_peak_and_never_goes_beyond_it() -> None:
    rates = [rate(now, 1000) for now in range(0, capacity.DAY, 15)]
    assert min(rates) == 100
    assert max(rates) == pytest.approx(1000)
    assert rate(12 * 3600, 1000) > rate(12 * 3600 - 15, 1000) * 1.3


@pytest.fixture(scope="module")
def quiet() -> Day:
    return day(RULES, 1000, MEASURED)


def test_a_quiet_day_keeps_two_pods_and_two_nodes_and_answers_everything(quiet: Day) -> None:
    assert quiet.node_hours == pytest.approx(48)
    assert quiet.pod_hours == pytest.approx(48, rel=0.01)
    assert quiet.answered == pytest.approx(quiet.came)


def test_a_quiet_day_costs_a_days_share_of_productions_bill(quiet: Day) -> None:
    """Its answers would be 279 GB a month, where the bill has 50."""
    assert quiet.answered * capacity.BYTES / 1e9 * capacity.DAYS == pytest.approx(279, rel=0.02)
    assert dollars(quiet, json.loads(PRODUCTION.read_text()), PRICES) == pytest.approx(9.74, abs=0.01)
