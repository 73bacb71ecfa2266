"""The real Terraform with the real AWS provider, found on this machine, working on a copy of the configuration."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .aws import HOME

CONFIGURATION = HOME / "terraform"
OPTIONAL_SOFTWARE = Path("/opt")
PROVIDER = "registry.terraform.io/hashicorp/aws/5.100.0"


class Missing(AssertionError):
    """Something that these tests cannot do without is not on this machine."""


def binary() -> Path:
    """Return the Terraform of this machine; raise `Missing` when there is none."""
    found = os.environ.get("TERRAFORM") or shutil.which("terraform")
    if not found:
        raise Missing("terraform is not on PATH: install version 1.11 or later, or name it in TERRAFORM")
    return Path(found)


def mirror() -> Path:
    """Return the directory of provider packages, from TF_PLUGIN_MIRROR or else where optional software is kept."""
    given = os.environ.get("TF_PLUGIN_MIRROR")
    directory = Path(given) if given else OPTIONAL_SOFTWARE / "tf-plugins"
    if not (directory / PROVIDER).is_dir():
        raise Missing(
            f"{directory / PROVIDER} is missing: set TF_PLUGIN_MIRROR to what `terraform providers mirror` has made"
        )
    return directory


def cli_configuration(file: Path, *more: str) -> Path:
    """Write a CLI configuration that takes providers from the mirror, by their lock, and from nowhere else."""
    ours = f'filesystem_mirror {{\n    path    = "{mirror()}"\n    include = ["registry.terraform.io/*/*"]\n  }}'
    methods = "\n  ".join((*more, ours))
    file.write_text(f"provider_installation {{\n  {methods}\n}}\n")
    return file


def quick_cli_configuration(file: Path) -> Path:
    """Write one that starts the mirror's provider without checking its 690 MB at every command: two seconds each."""
    package = mirror() / PROVIDER / "linux_amd64"
    return cli_configuration(file, f'dev_overrides {{\n    "hashicorp/aws" = "{package}"\n  }}')


@dataclass(frozen=True)
class Done:
    """One finished command: its exit code, what it printed (both streams), and the seconds it took."""

    code: int
    output: str
    seconds: float

    def expect(self, *codes: int) -> "Done":
        """Return self; raise `AssertionError` with the end of the output when the exit code is none of these."""
        assert self.code in (codes or (0,)), f"exit {self.code}\n{self.output[-4000:]}"
        return self


@dataclass(frozen=True)
class Root:
    """A root module in a copy of the configuration, and the environment that its commands run in."""

    directory: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, timeout: float = 500) -> Done:
        """Run Terraform here and return how it ended; it is stopped with its provider after the timeout, in seconds."""
        started = time.monotonic()
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            output, _ = process.communicate()
            output += f"\nstopped after {timeout} s"
        return Done(process.returncode, output, time.monotonic() - started)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start Terraform here, in a process group of its own."""
        return subprocess.Popen(
            [binary(), *arguments],
            cwd=self.directory,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def init(self, *arguments: str) -> Done:
        """Prepare the directory, with the provider that the lock file names and no other."""
        return self.run("init", "-no-color", "-input=false", *arguments).expect()

    def plan(self, *arguments: str) -> dict[str, str]:
        """Plan, and return what it would do to each resource that it does not leave as it is."""
        done = self.run("plan", "-json", "-input=false", *arguments).expect()
        events = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
        planned = [event["change"] for event in events if event["type"] == "planned_change"]
        return {change["resource"]["addr"]: change["action"] for change in planned}

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the attributes of every managed resource of the state, by address."""
        done = self.run("state", "pull").expect()
        found = [each for each in json.loads(done.output)["resources"] if each["mode"] == "managed"]
        return {_address(each, one): one["attributes"] for each in found for one in each["instances"]}

    def outputs(self) -> dict[str, Any]:
        """Return the outputs, by name."""
        found = json.loads(self.run("output", "-json").expect().output)
        return {name: each["value"] for name, each in found.items()}

    def apply(self, *arguments: str) -> Done:
        """Apply without asking."""
        return self.run("apply", "-no-color", "-input=false", "-auto-approve", *arguments)

    def destroy(self, *arguments: str) -> Done:
        """Destroy without asking."""
        return self.run("destroy", "-no-color", "-input=false", "-auto-approve", *arguments)


def _address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    name = ".".join(filter(None, (resource.get("module"), resource["type"], resource["name"])))
    return name + (f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else "")


def copy(to: Path) -> Path:
    """Copy the configuration, without anybody's local state, and return where it is."""
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfvars", "backend.hcl", "backend.tf")
    shutil.copytree(CONFIGURATION, to, ignore=ignored)
    return to


def environment(cli_file: Path, **more: str) -> dict[str, str]:
    """Return what Terraform runs with: this CLI configuration, no questions, no look for a newer version."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "TF_CLI_CONFIG_FILE": str(cli_file),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "GOGC": "400",  # a third less work for processes that end before their memory matters
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **more,
    }
