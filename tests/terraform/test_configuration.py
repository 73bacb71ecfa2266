"""The configuration as its checkers see it: formatted, valid, linted, without an unexcused finding, documented."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.aws import HOME
from tests.cloud.terraform import CONFIGURATION, Root, binary, copy, environment

from .readme import tables

ROOTS = ("bootstrap", *(f"environments/{path.name}" for path in sorted((CONFIGURATION / "environments").iterdir())))
MODULES = tuple(f"modules/{path.name}" for path in sorted((CONFIGURATION / "modules").iterdir()))
REASON = re.compile(r"checkov:skip=(\w+): (.{20,})")


def opened(name: str, cli_file: Path, scratch: Path) -> Root:
    """Open a directory of a copy of its own, initialised without a backend and an account."""
    copied = copy(scratch / "terraform")
    root = Root(copied / name, environment(cli_file))
    root.init("-backend=false")
    return root


def test_every_file_is_formatted(cli_file: Path) -> None:
    command: list[str | Path] = [binary(), "fmt", "-check", "-recursive", CONFIGURATION]
    done = subprocess.run(command, env=environment(cli_file), capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_is_valid_with_the_locked_provider(name: str, cli_file: Path, tmp_path: Path) -> None:
    root = opened(name, cli_file, tmp_path)
    root.run("validate", "-no-color").expect()
    locked = (root.directory / ".terraform.lock.hcl").read_text()
    assert locked == (CONFIGURATION / name / ".terraform.lock.hcl").read_text()


@pytest.mark.parametrize("name", ["bootstrap", *MODULES])
def test_a_modules_own_tests_pass(name: str, quick_cli_file: Path, tmp_path: Path) -> None:
    """Each validation and precondition has a case that fails it, each number of the architecture an assertion."""
    done = opened(name, quick_cli_file, tmp_path).run("test", "-no-color").expect()
    passed = re.search(r"Success! (\d+) passed, 0 failed", done.output)
    assert passed
    assert int(passed[1]) > 0


@pytest.mark.parametrize("name", ["bootstrap", *MODULES])
def test_every_validation_has_a_case_that_fails_it(name: str) -> None:
    code = "".join(file.read_text() for file in (CONFIGURATION / name).glob("*.tf"))
    refused = "".join(
        cases for file in (CONFIGURATION / name).rglob("*.tftest.hcl")
        for cases in re.findall(r"expect_failures = \[(.*)\]", file.read_text())
    )  # fmt: skip
    for block in re.findall(r'^(variable "\w+"|resource "\w+" "\w+") \{(.*?)^\}', code, re.DOTALL | re.MULTILINE):
        if any(f"{check} {{" in block[1] for check in ("validation", "precondition", "postcondition")):
            kind, *names = block[0].replace('"', "").split()
            address = f"var.{names[0]}" if kind == "variable" else ".".join(names)
            assert address in refused, f"{name}: no case in tests/ makes {address} refuse"


@pytest.mark.parametrize("name", [*ROOTS, *MODULES])
def test_tflint_finds_nothing_with_all_its_rules(name: str, programs: Path) -> None:
    done = lint(programs, CONFIGURATION / name)
    assert done.stdout.strip() == ""
    assert done.returncode == 0


def test_tflint_would_find_something(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('variable "unused" {}\n')
    assert "terraform_unused_declarations" in lint(programs, tmp_path).stdout


def lint(programs: Path, directory: Path) -> "subprocess.CompletedProcess[str]":
    program = programs / "tflint"
    assert program.exists(), f"{program} is missing: run `make test-terraform`, which builds it from tools/tflint"
    command: list[str | Path] = [program, f"--chdir={directory}", f"--config={CONFIGURATION / '.tflint.hcl'}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_checkov_finds_nothing_that_is_not_excused(programs: Path) -> None:
    command: list[str | Path] = [
        programs / "checkov",
        "-d",
        CONFIGURATION,
        "--framework",
        "terraform",
        "--skip-download",
        "-o",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["results"]["failed_checks"] == []
    assert report["summary"]["passed"] > 150
    assert report["summary"]["parsing_errors"] == 0


def test_every_excuse_has_a_reason() -> None:
    text = "".join(file.read_text() for file in CONFIGURATION.rglob("*.tf"))
    assert text.count("checkov:skip") == len(REASON.findall(text)) > 0


@pytest.mark.parametrize("name", [*ROOTS, *MODULES])
def test_a_readme_lists_every_input_and_output(name: str) -> None:
    readme = (CONFIGURATION / name / "README.md").read_text(encoding="utf-8")
    assert tables(CONFIGURATION / name) in readme, f"python -m tests.terraform.readme writes {name}/README.md anew"


def test_no_module_comes_from_a_registry() -> None:
    sources = [
        source for file in CONFIGURATION.rglob("*.tf")
        for source in re.findall(r'^module "\w+" \{\n  source = "(.*)"', file.read_text(), re.MULTILINE)
    ]  # fmt: skip
    assert sources
    assert all(source.startswith("../") for source in sources)


def test_every_runbook_is_listed() -> None:
    pages = HOME / "docs" / "runbooks"
    listed = (pages / "README.md").read_text(encoding="utf-8")
    names = [page.name for page in pages.glob("*.md") if page.name != "README.md"]
    assert len(names) >= 7
    assert [name for name in names if f"({name})" not in listed] == []
