"""What goes wrong around a state, and the runbooks that put it right, on the small environment."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cloud.aws import Cloud
from tests.cloud.terraform import Root
from tests.runbook import commands, follow

from .conftest import MakeRoot

KEY = "small/terraform.tfstate"


@pytest.fixture
def small(make_root: MakeRoot, backend: Callable[[], Path]) -> Root:
    """Give the small environment, its state in the emulated bucket."""
    root = make_root("environments/small")
    root.init(f"-backend-config={backend()}")
    return root


@pytest.fixture
def bucket(backend: Callable[[], Path]) -> str:
    """Give the name of the state bucket."""
    found = re.search(r'^bucket *= *"(.*)"', backend().read_text(), re.MULTILINE)
    assert found
    return found[1]


def wait_for(what: str, true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.3)


def vpcs(cloud: Cloud) -> list[str]:
    found = cloud.aws("ec2", "describe-vpcs", "--filters", "Name=tag:Environment,Values=small")
    return [vpc["VpcId"] for vpc in found["Vpcs"]]


def begin_apply(small: Root, cloud: Cloud) -> "subprocess.Popen[str]":
    """Start an apply and return it once AWS has the VPC while Terraform still waits for it to be ready."""
    process = small.start("apply", "-no-color", "-input=false", "-auto-approve")
    wait_for("the VPC", lambda: bool(vpcs(cloud)))
    assert process.poll() is None, process.communicate()[0]
    return process


def end_group(process: "subprocess.Popen[str]", how: signal.Signals) -> str:
    """Send Terraform, or with KILL also its provider, a signal, and return what it had printed."""
    if how == signal.SIGKILL:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    return process.communicate(timeout=120)[0]


def test_the_state_survives_what_happens_to_it(small: Root, cloud: Cloud, bucket: str) -> None:
    """One story, because each chapter needs the one before: interrupted, locked, resumed, lost, restored, destroyed."""
    process = begin_apply(small, cloud)
    refused_while_another_run_holds_the_locks(small, cloud, bucket)
    assert "Gracefully shutting down" in end_group(process, signal.SIGINT)
    assert process.returncode == 1
    assert locks(cloud, bucket) == (False, False), "an interrupted run gives its locks back"

    small.apply().expect()
    assert len(vpcs(cloud)) == 1, "the apply after an interruption goes on and makes nothing twice"
    small.run("plan", "-no-color", "-detailed-exitcode").expect(0)

    cloud.aws("s3api", "delete-object", "--bucket", bucket, "--key", KEY)
    assert small.run("plan", "-no-color", "-detailed-exitcode").code != 0, (
        "without its state Terraform cannot plan nothing"
    )
    restored = follow(commands("state-loss.md"), small.directory, small.environment).expect()
    assert "No changes" in restored.output

    rolled_back_by_the_runbook(small)
    small.destroy().expect()
    assert vpcs(cloud) == []


def refused_while_another_run_holds_the_locks(small: Root, cloud: Cloud, bucket: str) -> None:
    assert locks(cloud, bucket) == (True, True), "the lock is a file in the bucket and an entry of the table"
    second = small.run("plan", "-no-color", "-input=false")
    assert second.code == 1
    assert "Error acquiring the state lock" in second.output


def rolled_back_by_the_runbook(small: Root) -> None:
    small.apply("-var=log_days=30").expect()
    done = follow(commands("rollback.md"), small.directory, small.environment).expect()
    assert "aws_cloudwatch_log_group.flow will be updated in-place" in done.output
    assert "No changes" in done.output


def locks(cloud: Cloud, bucket: str) -> tuple[bool, bool]:
    """Tell whether the lock file of the bucket is there, and whether the lock of the table is."""
    listed = cloud.aws("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", KEY) or {}
    names = [each["Key"] for each in listed.get("Contents", ())]
    items = cloud.aws("dynamodb", "scan", "--table-name", "simpletimeservice-locks")["Items"]
    return f"{KEY}.tflock" in names, any(item["LockID"]["S"] == f"{bucket}/{KEY}" for item in items)


def test_after_a_kill_the_runbook_ends_in_an_empty_plan(small: Root, cloud: Cloud, bucket: str) -> None:
    process = begin_apply(small, cloud)
    end_group(process, signal.SIGKILL)
    assert locks(cloud, bucket) == (True, True), "a killed run leaves its locks behind"

    found = follow(
        commands("interrupted-apply.md", section="1.") + commands("interrupted-apply.md", section="2."),
        small.directory,
        small.environment,
    ).expect()
    assert "successfully unlocked" in found.output
    assert locks(cloud, bucket) == (False, False), "force-unlock gives both back"

    [vpc] = vpcs(cloud)
    unknown = follow(commands("interrupted-apply.md", section="3."), small.directory, small.environment).expect()
    assert vpc in unknown.output, "the runbook names what the state does not know"
    for address, identifier in made_before_the_end(cloud, vpc):
        small.run("import", "-no-color", "-input=false", address, identifier).expect()

    done = follow(commands("interrupted-apply.md", section="5."), small.directory, small.environment).expect()
    assert "No changes" in done.output
    assert vpcs(cloud) == [vpc], "nothing was made twice"
    small.destroy().expect()


def made_before_the_end(cloud: Cloud, vpc: str) -> list[tuple[str, str]]:
    """Return address and import id of what the killed apply can have made before its first VPC was ready."""
    groups = cloud.aws("logs", "describe-log-groups", "--log-group-name-prefix", "/aws/vpc/simpletimeservice-small")
    roles = [role["RoleName"] for role in cloud.aws("iam", "list-roles")["Roles"]]
    made = [("module.network.aws_vpc.this", vpc)]
    made += [("module.network.aws_cloudwatch_log_group.flow", each["logGroupName"]) for each in groups["logGroups"]]
    made += [
        ("module.network.aws_iam_role.flow", name) for name in roles if name == "simpletimeservice-small-flow-logs"
    ]
    return made
