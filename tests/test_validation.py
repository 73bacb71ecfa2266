"""Whatever stands where in a file that people write, they are told in words that are no program's."""

import copy
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from shipseal.errors import ConfigError
from shipseal.judging.rules import Rules
from shipseal.judging.vex import VexFile
from shipseal.judging.waivers import _Waivers as Waivers
from shipseal.local.advisories import Advisories
from shipseal.project.config import HOME, Config
from shipseal.validation import check
from shipseal.verification.trust import Policy
from shipseal.verification.trust import _Document as Verification
from tests.statements import document, statement

WAIVER = {
    "finding": "CVE-2026-1",
    "package": "pkg:deb/debian/zlib1g",
    "reason": "nothing here combines checksums",
    "owner": "A Tester",
    "since": date(2026, 11, 1),
    "until": date(2027, 1, 1),
}
ADVISORY = {
    "id": "CVE-2026-1000",
    "provider": "debian",
    "severity": "low",
    "package": "zlib",
    "fix": "wont-fix",
    "description": "one",
    "source": "https://example.invalid/",
}
CONDITIONS = [{"no_file": "*x*"}, {"no_import": "x", "unless": ["usr/bin/x"]}]

FILES: dict[str, tuple[Any, dict[str, Any]]] = {
    "rules.toml": (Rules, tomllib.loads((HOME / "policy" / "rules.toml").read_text())),
    "waivers.toml": (Waivers, {"waiver": [WAIVER]}),
    "verification.toml": (Verification, tomllib.loads((HOME / "policy" / "verification.toml").read_text())),
    "vex.json": (VexFile, json.loads(document(statement(conditions=CONDITIONS)))),
    "sample-advisories.toml": (Advisories, {"built": datetime(2026, 1, 1, tzinfo=UTC), "advisory": [ADVISORY]}),
}
OTHERS: tuple[Any, ...] = (
    None,
    True,
    3,
    -1,
    10**30,
    1.5,
    float("nan"),
    "",
    "x",
    "\n",
    [],
    [1],
    {},
    {"x": 1},
    date(2026, 1, 1),
)
THEIRS = re.compile(r"Input should|should |Field required|Value error|type=|pattern|ctx|\\{|datetime\\.")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in a document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in children:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """Return a copy with another thing at one place."""
    result = copy.deepcopy(value)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = other
    return result


def complaints(read: Callable[[Any], object], whole: dict[str, Any]) -> Iterator[str]:
    """Yield every line that is told of a document in which one thing is another."""
    for path in places(whole):
        for other in OTHERS:
            try:
                read(changed(whole, path, other))
            except ConfigError as refused:
                yield from refused.why


@pytest.mark.parametrize("name", FILES)
def test_every_complaint_about_a_policy_file_is_in_our_own_words(name: str) -> None:
    model, whole = FILES[name]
    told = set(complaints(lambda value: check(model, value, name), whole))
    assert len(told) > len(whole)
    assert [line for line in sorted(told) if THEIRS.search(line) or "what belongs there" in line] == []


def toml(value: Any) -> str:
    """Return a value as TOML has it; there is no nothing in it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value or "") if isinstance(value, str | None) else str(value)


def test_every_complaint_about_pipeline_toml_is_in_our_own_words(tmp_path: Path) -> None:
    whole = tomllib.loads((HOME / "pipeline.toml").read_text())
    path = tmp_path / "pipeline.toml"

    def read(value: dict[str, Any]) -> None:
        path.write_text("\n".join(f"{key} = {toml(inner)}" for key, inner in value.items()))
        Config.load(path)

    told = set(complaints(read, whole))
    assert len(told) > len(whole)
    assert [line for line in sorted(told) if THEIRS.search(line) or "what belongs there" in line] == []


def test_a_policy_that_is_no_text_is_refused_in_words_too() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Policy.read(b"\xff", "production")
