"""The bill of an environment: what is counted, what the architecture says, and what does not fit."""

import json
from pathlib import Path
from typing import Any

import pytest

from shipseal.cli import main
from shipseal.deploying.cost import Bill, Prices, bill
from shipseal.deploying.usage import extract, node_gigabytes, resources_of
from shipseal.errors import ConfigError
from shipseal.project.config import HOME

TERRAFORM = HOME / "terraform"


@pytest.fixture
def prices() -> Prices:
    return Prices.parse((TERRAFORM / "prices.toml").read_text(encoding="utf-8"))


def usage(environment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((TERRAFORM / "environments" / environment / "usage.json").read_text())
    return found


def amounts(bill: Bill) -> dict[str, float | None]:
    return {line.price.name: line.architecture for line in bill.lines}


def test_production_costs_what_the_architecture_says_line_by_line(prices: Prices) -> None:
    found = bill("production", usage("production"), prices)
    expected = {
        "EKS control plane": 73.0,
        "Node t3.medium, on demand": 60.0,
        "NAT gateway": 65.0,
        "Load balancer": 23.0,
        "EBS gp3, GB": 8.0,
        "Transfer out, GB": 5.0,
    }
    assert expected == {name: amount for name, amount in amounts(found).items() if amount is not None}
    assert found.architecture == 234
    assert found.limit == 234
    assert found.beyond == ()


def test_every_volume_of_a_node_is_counted() -> None:
    """Two nodes of Bottlerocket: 4 GB for the system and 50 for the rest, each."""
    plan = usage("production")
    resources = list(resources_of(plan))
    [template] = [each for each in resources if each.type == "aws_launch_template"]
    devices = template.values["block_device_mappings"]
    devices.append({**devices[0], "ebs": [{**devices[0]["ebs"][0], "volume_size": 4}]})
    assert node_gigabytes(resources) == 2 * (50 + 4)


def test_developments_true_sum_stands_beside_the_architectures_figure(prices: Prices) -> None:
    found = bill("development", usage("development"), prices)
    assert found.limit == 100
    fixed = ("EKS control plane", "NAT gateway", "Load balancer")
    assert sum(amounts(found)[name] or 0 for name in fixed) == 128.5
    assert [line.price.name for line in found.beyond] == [
        "NAT gateway",
        "Load balancer",
        "EBS gp3, GB",
        "Transfer out, GB",
    ]


def test_what_the_architecture_leaves_out_is_in_todays_sum_only(prices: Prices) -> None:
    found = bill("production", usage("production"), prices)
    [addresses] = [line for line in found.lines if line.price.name == "Public IPv4 address"]
    assert addresses.quantity == 4
    assert addresses.architecture is None
    assert found.current == pytest.approx(sum(line.current for line in found.lines))
    assert found.current > found.architecture


def test_a_state_is_counted_like_a_plan(prices: Prices) -> None:
    plan = usage("production")
    assert bill("production", {"values": plan["planned_values"]}, prices) == bill("production", plan, prices)


def test_modules_within_modules_are_counted(prices: Prices) -> None:
    root = usage("production")["planned_values"]["root_module"]
    nested = {"planned_values": {"root_module": {"child_modules": [{"child_modules": [root]}]}}}
    assert bill("production", nested, prices).architecture == 234


def test_an_extract_of_an_extract_is_the_same() -> None:
    assert usage("production") == extract(usage("production"))


def test_a_plan_of_nothing_is_no_bill_of_zero(prices: Prices) -> None:
    with pytest.raises(ConfigError, match="holds no resources"):
        bill("production", {}, prices)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ([], "a list is not a table"),
        ({"values": {"root_module": {"resources": [{"type": "aws_lb"}]}}}, "address: it is missing"),
        (json.loads(json.dumps(usage("production")).replace('"desired_size": ', '"desired_size": 1.')), "whole number"),
    ],
)
def test_what_terraform_does_not_write_is_refused(prices: Prices, plan: Any, why: str) -> None:
    with pytest.raises(ConfigError, match="is not as Terraform writes it") as refused:
        bill("production", plan, prices)
    assert why in refused.value.why[0]


def test_a_node_without_a_price_is_refused(prices: Prices) -> None:
    text = json.dumps(usage("production")).replace("t3.medium", "m7i.large")
    with pytest.raises(ConfigError, match=r"knows no node m7i\.large ON_DEMAND"):
        bill("production", json.loads(text), prices)


@pytest.mark.parametrize("text", ["as_of = ", "as_of = 2025-01-01", 'line = [{name = "x"}]\nas_of = "y"'])
def test_a_price_file_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Prices.parse(text)


def test_an_unknown_way_of_counting_is_refused(prices: Prices) -> None:
    text = (TERRAFORM / "prices.toml").read_text().replace('counts = "addresses"', 'counts = "guesses"')
    with pytest.raises(ConfigError, match='counts "guesses"'):
        bill("production", usage("production"), Prices.parse(text))


def test_the_verb_prints_both_environments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost"]) == 0
    printed = capsys.readouterr().out
    assert "the architecture says 234; its own prices come to 234.00" in printed
    assert "what does not fit into 100: NAT gateway, Load balancer" in printed


def test_the_verb_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    plan = TERRAFORM / "environments" / "production" / "usage.json"
    assert main(["cost", f"production={plan}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["production"]["architecture"] == 234


@pytest.mark.parametrize("given", ["plan.json", "production=nowhere.json"])
def test_a_plan_that_is_not_there_is_a_usage_error(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", given]) == 2
    assert "  remedy " in capsys.readouterr().err


def test_a_plan_that_is_no_json_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan").write_bytes(b"PK\x03\x04")
    assert main(["cost", f"production={tmp_path / 'plan'}"]) == 2
    assert "terraform show -json" in capsys.readouterr().err
