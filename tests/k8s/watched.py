"""Rules and dashboards as they are committed, metrics as they are scraped, and promtool, which holds them together."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

MONITORING = Path(__file__).resolve().parents[2] / "k8s" / "monitoring"
CLUSTER = Path(__file__).with_name("cluster.prom")
TARGET = 'namespace="simpletimeservice",pod="one",job="simpletimeservice",instance="10.0.11.7:9090",container="app"'
"""What Prometheus adds to each sample, by the PodMonitor."""

_SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
_FAILED = re.compile(r'expr: ("(?:[^"\\]|\\.)*")')
_LEGEND = re.compile(r"\{\{(\w+)\}\}")


def rules() -> Any:
    """Return the groups of the PrometheusRule, as Prometheus gets them."""
    return yaml.safe_load((MONITORING / "prometheusrule.yaml").read_bytes())["spec"]


def each_rule(groups: Any) -> list[Any]:
    """Return the rules of all groups."""
    return [rule for group in groups["groups"] for rule in group["rules"]]


def queries(board: Any) -> list[tuple[str, str]]:
    """Return each query of a dashboard and its legend, with the value that a variable begins with."""
    values = {each["name"]: each["query"] for each in board["templating"]["list"]}
    found = [target for panel in board["panels"] for target in panel.get("targets") or ()]
    texts = [(each["expr"], each.get("legendFormat", "")) for each in found]
    return [(re.sub(r"\$(\w+)", lambda name: values[name[1]], expr), legend) for expr, legend in texts]


def series(text: str, added: str = TARGET) -> Any:
    """Return what was scraped as promtool's input: counters rise by one a minute, all else stays as it is.

    Args:
        text: in Prometheus's text format.
        added: the labels of the target; where the sample has one itself, that stays.
    """
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE "))
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        kind = kinds.get(name) or kinds[re.sub("_(bucket|sum|count)$", "", name)]
        own = re.findall(r"(\w+)=", labels or "")
        extra = [each for each in added.split(",") if each.partition("=")[0] not in own]
        written = ",".join([*([labels] if labels else []), *extra])
        grows = "+0x12" if kind == "gauge" else "+1x12"
        found.append({"series": f"{name}{{{written}}}", "values": f"{float(value):f}{grows}"})
    return found


def asked(expr: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each selector of a query, and the labels by which what it selects is grouped or joined."""
    yield from _asked(promql.parse(expr), frozenset())


def _asked(node: Any, labels: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    match node:
        case promql.MatrixSelector():
            yield from _asked(node.vector_selector, labels)
        case promql.VectorSelector():
            yield str(node), labels
        case promql.AggregateExpr():
            assert node.modifier is None or node.modifier.type == promql.AggModifierType.By, "say what is kept"
            yield from _asked(node.expr, labels | set(node.modifier.labels if node.modifier else ()))
        case promql.BinaryExpr():
            joined = node.modifier.matching.labels if node.modifier and node.modifier.matching else ()
            yield from _asked(node.lhs, labels | set(joined))
            yield from _asked(node.rhs, labels | set(joined))
        case promql.Call():
            for each in node.args:
                yield from _asked(each, labels)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from _asked(node.expr, labels)
        case _:
            assert isinstance(node, promql.NumberLiteral | promql.StringLiteral), node


def having(selector: str, label: str) -> str:
    """Return a selector that asks for a label besides, whatever its value."""
    name, _, matchers = selector.removesuffix("}").partition("{")
    return f'{name}{{{matchers}{"," if matchers else ""}{label}!=""}}'


def expected(groups: Any, board: Any) -> set[str]:
    """Return the queries each of which has to give something: what all is asked for, label by label."""
    wanted = {expr for expr, _ in queries(board)}
    wanted |= {rule["record"] for rule in each_rule(groups) if "record" in rule}
    texts = [(rule["expr"], "") for rule in each_rule(groups)] + queries(board)
    for expr, legend in texts:
        for selector, labels in asked(expr):
            wanted.add(selector)
            wanted |= {having(selector, label) for label in labels | set(_LEGEND.findall(legend))}
    return wanted


def empty(groups: Any, board: Any, scraped: list[Any], work: Path) -> set[str]:
    """Return those of the queries that give nothing, by promtool: on what was scraped, and on what rules make of it."""
    tests = {f"count({expr}) >= bool 1": expr for expr in expected(groups, board)}
    checks = [
        {"expr": expr, "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": 1}]} for expr in sorted(tests)
    ]
    ended = judged(groups, [{"interval": "1m", "input_series": scraped, "promql_expr_test": checks}], work)
    failed = {tests[json.loads(quoted)] for quoted in _FAILED.findall(ended.stdout + ended.stderr)}
    assert (ended.returncode == 0) == (not failed), ended.stdout + ended.stderr
    return failed


def judged(groups: Any, tests: list[Mapping[str, Any]], work: Path) -> "subprocess.CompletedProcess[str]":
    """Run promtool's unit tests on rules, as Prometheus gets them; each test's rules as often as it has samples."""
    (work / "rules.yaml").write_text(yaml.safe_dump(groups, sort_keys=False))
    files = []
    for step in sorted({test["interval"] for test in tests}):
        mine = [test for test in tests if test["interval"] == step]
        document = {"rule_files": ["rules.yaml"], "evaluation_interval": step, "tests": mine}
        files.append(work / f"tests-{step}.yaml")
        files[-1].write_text(yaml.safe_dump(document, sort_keys=False))
    return promtool("test", "rules", *map(str, files))


def promtool(*words: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run promtool; it is never skipped."""
    found = shutil.which("promtool")
    if found is None:
        pytest.fail("promtool is missing: install Debian's prometheus")
    return subprocess.run([found, *words], input=given, capture_output=True, text=True, check=False, timeout=120)
