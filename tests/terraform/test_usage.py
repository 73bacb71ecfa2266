"""What `shipseal cost` counts is what a real plan of each environment really holds."""

import json
from pathlib import Path

import pytest

from shipseal.deploying.usage import extract
from tests.cloud.aws import Cloud
from tests.cloud.terraform import CONFIGURATION, Root, copy, environment

from .conftest import REQUIRED


@pytest.mark.parametrize("name", ["development", "production"])
def test_the_usage_kept_beside_an_environment_is_its_plans(
    name: str, cloud: Cloud, quick_cli_file: Path, tmp_path: Path
) -> None:
    root = Root(copy(tmp_path / "terraform") / "environments" / name, environment(quick_cli_file, **cloud.environment))
    (root.directory / "local_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    (root.directory / "test.auto.tfvars.json").write_text(json.dumps({**REQUIRED, "github_repository": None}))
    root.init()
    root.run("plan", "-no-color", "-input=false", "-out=test.tfplan").expect()
    shown = root.run("show", "-json", "test.tfplan").expect()
    kept = json.loads((CONFIGURATION / "environments" / name / "usage.json").read_text())
    assert kept == extract(json.loads(shown.output)), f"`terraform show -json` of {name} is another; keep its extract"
