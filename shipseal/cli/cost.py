"""`cost`: what each environment costs a month, line by line, beside what the architecture says.

Without arguments it reads `terraform/environments/*/usage.json`, which the tests compare with real plans. With
NAME=FILE it reads a plan or a state of yours: `terraform show -json FILE`.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shipseal.cli.verbs import Verbs
from shipseal.deploying.cost import Bill, Line, Prices, bill
from shipseal.errors import ConfigError, UsageError
from shipseal.project.config import HOME

_TERRAFORM = HOME / "terraform"
_ENVIRONMENTS = ("development", "production")


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("cost", help="what each environment costs a month", description=__doc__)
    verb.add_argument("plans", nargs="*", metavar="NAME=FILE", help="a plan as JSON, and the environment it is of")
    verb.add_argument(
        "--prices", type=Path, default=_TERRAFORM / "prices.toml", metavar="FILE", help="default: terraform/prices.toml"
    )
    verb.add_argument("--json", action="store_true", help="for machines, on standard output: docs/json.md")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Print one table for each environment."""
    prices = Prices.parse(_text(options.prices))
    bills = [bill(name, _plan(file), prices) for name, file in _named(options.plans)]
    if options.json:
        print(json.dumps({each.environment: _machine(each) for each in bills}))
        return 0
    for each in bills:
        print("\n".join(_table(each, prices.as_of)), end="\n\n")
    return 0


def _named(plans: list[str]) -> Iterator[tuple[str, Path]]:
    for given in plans or [f"{name}={_TERRAFORM / 'environments' / name / 'usage.json'}" for name in _ENVIRONMENTS]:
        name, equals, file = given.partition("=")
        if not equals:
            raise UsageError(f'"{given}" names no environment', remedy=f"write production={given}")
        yield name, Path(file)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read", why=str(error), remedy="name another file") from error


def _plan(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_text(file))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file} is not JSON", why=str(error), remedy=f"terraform show -json > {file}") from error
    return found


def _table(bill: Bill, as_of: str) -> Iterator[str]:
    yield f"{bill.environment}, US dollars a month (prices of {as_of})"
    yield f"  {'':28}{'units':>7}{'architecture':>14}{'current':>10}"
    yield from (_row(line) for line in bill.lines)
    yield f"  {'sum':28}{'':7}{bill.architecture:>14.2f}{bill.current:>10.2f}"
    if bill.limit is None:
        return
    yield f"  the architecture says {bill.limit:.0f}; its own prices come to {bill.architecture:.2f}"
    if bill.beyond:
        names = ", ".join(line.price.name for line in bill.beyond)
        yield f"  what does not fit into {bill.limit:.0f}: {names}"


def _row(line: Line) -> str:
    architecture = "-" if line.architecture is None else f"{line.architecture:.2f}"
    return f"  {line.price.name:28}{line.quantity:>7g}{architecture:>14}{line.current:>10.2f}"


def _machine(bill: Bill) -> dict[str, Any]:
    return {
        "architecture": round(bill.architecture, 2),
        "current": round(bill.current, 2),
        "limit": bill.limit,
        "beyond": [line.price.name for line in bill.beyond],
        "lines": [
            {
                "name": line.price.name,
                "units": line.quantity,
                "architecture": line.architecture,
                "current": round(line.current, 2),
            }
            for line in bill.lines
        ],
    }
