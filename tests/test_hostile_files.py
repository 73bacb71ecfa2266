"""Whatever stands in a file that a project brings: it is read right, or refused with an exit code, and never a bug."""

import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from shipseal import grammar
from shipseal.errors import ConfigError, ShipsealError
from shipseal.judging.policy_files import PolicyFiles
from shipseal.judging.rules import read_rules
from shipseal.judging.vex import read
from shipseal.judging.waivers import read_waivers
from shipseal.local import advisories
from shipseal.locked import locks, wheels
from shipseal.locked.debian import Lock
from shipseal.locked.inputs import Inputs
from shipseal.project.config import HOME, Config
from shipseal.project.reads import FILENAME
from shipseal.relocking import debian_lock, lock_changes
from tests.statements import document, rules, statement

bounded = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

DEBIAN = (
    (HOME / "image" / "debian.lock.toml").read_text().partition("[[package]]")[0]
    + "[[package]]"
    + ((HOME / "image" / "debian.lock.toml").read_text().split("[[package]]")[1])
)
PYTHON = (HOME / "service" / "requirements.lock").read_text()
TOOLS = (HOME / "tools" / "tools.lock.toml").read_text().partition("[oras]")[0]
CONFIGURATION = (HOME / "pipeline.toml").read_text()
VEX = document(statement(conditions=[{"no_file": "*x*"}]))


@some.composite
def damaged(draw: some.DrawFn, whole: str) -> str:
    """Draw a file in which a few places hold something else: cut, doubled, or with odd text put in."""
    text = whole
    for _ in range(draw(some.integers(1, 3))):
        start = draw(some.integers(0, len(text)))
        end = min(len(text), start + draw(some.integers(0, 40)))
        put = draw(
            some.one_of(
                some.just(""),
                some.just(text[start:end] * 2),
                some.text(max_size=20),
                some.sampled_from(
                    ['"-o"', "inf", "nan", "[[[", "1e999", "true", "2026-01-01", "{}", "\\", "\0", "-r x"]
                ),
                some.sampled_from(
                    ["; os_name ~= 'x'", "; extra == 'x'", "; nonsense == 'x'", " @ https://x/", "==1.*"]
                ),
            )
        )
        text = text[:start] + put + text[end:]
    return text


def of_any_form(keys: list[str]) -> some.SearchStrategy[Any]:
    """Draw documents that use known keys for whatever fits into TOML and JSON alike."""
    leaves = some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=8))
    names = some.one_of(some.sampled_from(keys), some.text(max_size=4))
    return some.recursive(
        leaves, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(names, inner, max_size=5), max_leaves=12
    )


def toml(value: Any) -> str:
    """Return a value as inline TOML; what TOML has not, as an empty text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value or "") if isinstance(value, str | None) else str(value)


def table(value: Any) -> str:
    """Return a document of any form as a TOML file."""
    entries = value if isinstance(value, dict) else {"x": value}
    return "\n".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in entries.items())


def sound(read: Callable[[], object]) -> None:
    """Read a file; what is raised has an exit code that blames the file, and its words can be told."""
    try:
        read()
    except ShipsealError as failure:
        refused = failure
    else:
        return
    assert (refused.exit_code, bool(refused.explain())) == (2, True)


def debian(text: str) -> None:
    for lock in (Lock.parse(text), debian_lock.read(text)[0]):
        for package in lock.packages:
            assert grammar.DEBIAN_PACKAGE.fits(package.name)
            assert grammar.DEBIAN_VERSION.fits(package.version)
            assert not package.path.startswith(("-", "/"))
        lock.select("linux/amd64")


def python(text: str) -> None:
    requirements = locks.requirements(text, "x.lock")
    locks.require_names(text, "x.lock")
    for each in requirements:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", each.name), each
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*", each.version), each
    locks.applying(requirements, wheels.image("linux/amd64").environment)


def tools(text: str) -> None:
    for tool in locks.tools(text, "tools.lock.toml").values():
        assert not tool.package.startswith("-")
        assert "extld" not in tool.ldflags


DEBIAN_KEYS = ["suite", "python", "base", "package", "name", "version", "architecture", "sha256", "size", "path"]
TOOL_KEYS = ["version", "package", "ldflags", "sha256", "linux/amd64"]


@bounded
@given(some.one_of(damaged(DEBIAN), of_any_form(DEBIAN_KEYS).map(table)))
def test_a_lock_of_debian_packages_is_read_right_or_refused(text: str) -> None:
    sound(lambda: debian(text))
    list(lock_changes.changes("debian", text, DEBIAN))


@bounded
@given(some.one_of(damaged(PYTHON), some.text(max_size=80)))
def test_a_lock_of_python_packages_is_read_right_or_refused(text: str) -> None:
    sound(lambda: python(text))
    list(lock_changes.changes("python", text, PYTHON))


@bounded
@given(some.one_of(damaged(TOOLS), of_any_form(TOOL_KEYS).map(table)))
def test_a_lock_of_tools_is_read_right_or_refused(text: str) -> None:
    sound(lambda: tools(text))
    list(lock_changes.changes("tools", text, TOOLS))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project") / "pipeline.toml"


_SECTIONS = list(tomllib.loads(CONFIGURATION))
_KEYS = [*_SECTIONS, *(key for section in tomllib.loads(CONFIGURATION).values() for key in section)]


@bounded
@given(text=some.one_of(damaged(CONFIGURATION), of_any_form(_KEYS).map(table)))
def test_a_pipeline_toml_is_read_right_or_refused(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8", errors="surrogatepass")
    sound(lambda: Config.load(place).reads("locks"))


@bounded
@given(some.one_of(damaged(VEX), of_any_form(["@context", "statements", "products", "status"]).map(json.dumps)))
def test_a_vex_file_is_read_right_or_refused(text: str) -> None:
    sound(lambda: read(text, rules(), "x.json"))


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "reader",
    [
        lambda _: Lock.parse(f"x = {DEEP}"),
        lambda _: debian_lock.read(f"x = {DEEP}"),
        lambda _: locks.tools(f"x = {DEEP}", "tools.lock.toml"),
        lambda _: locks.requirements("x==1 ; " + "(" * 100_000, "x.lock"),
        lambda _: read_rules(f"x = {DEEP}"),
        lambda _: read_waivers(f"x = {DEEP}", rules()),
        lambda _: read(DEEP, rules(), "x.json"),
        lambda path: advisories.read(write(path, f"x = {DEEP}")),
        lambda path: Config.load(write(path, f"x = {DEEP}")),
    ],
)
def test_what_is_nested_without_end_is_refused(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    with pytest.raises(ShipsealError) as refused:
        reader(tmp_path / "file")
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("kind", ["pipe", "directory", "device", "endless", "bytes"])
@pytest.mark.parametrize("name", ["service/requirements.lock", "policy/rules.toml", "policy/vex/x.json", FILENAME])
def test_what_is_no_file_of_text_is_named_and_not_waited_for(project: Path, name: str, kind: str) -> None:
    path = project / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(b"\xff")
        os.truncate(path, (1 << 40) if kind == "endless" else 1)
    with pytest.raises(ConfigError, match="cannot be") as refused:
        read_everything(project)
    assert path.name.partition(".")[0] in refused.value.explain() or "leaves the project" in refused.value.explain()


@pytest.mark.parametrize("name", [b"\xff.json", b"\x1b[31m.json", b"a b.json", b"\xe2\x80\xae.json"])
def test_a_vex_file_whose_name_cannot_be_told_is_refused(project: Path, name: bytes) -> None:
    (project / "policy" / "vex").mkdir()
    (project / "policy" / "vex" / os.fsdecode(name)).write_text(VEX)
    with pytest.raises(ConfigError, match="has a file whose name cannot be told") as refused:
        read_everything(project)
    assert refused.value.explain().replace("\n", "").isprintable()


def read_everything(project: Path) -> None:
    config = Config.load(project / "pipeline.toml")
    PolicyFiles.load(config)
    Inputs.of(config)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
