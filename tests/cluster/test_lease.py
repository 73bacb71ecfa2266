"""A lease keeps two deploys apart, on a real API server: who waits, who takes over, and who has to stop."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from shipseal.cluster.api import Api, Refused, connect
from shipseal.cluster.lease import held
from shipseal.errors import RemoteFailed
from shipseal.project.config import HOME
from tests.cluster.apis import administrator, line_to, user
from tests.cluster.running import Kubectl

NAME = "deploy"
HOLD = """
import sys
import anyio
from pathlib import Path
from shipseal.cluster import kubeconfig
from shipseal.cluster.api import connect
from shipseal.cluster.lease import held

async def main() -> None:
    path, namespace = sys.argv[1:]
    async with connect(kubeconfig.read([Path(path)], "", None), say=print) as api:
        async with held(api, namespace, "deploy", "the one that dies", say=print, seconds=3):
            print("held", flush=True)
            await anyio.sleep(60)

anyio.run(main)
"""


@pytest.fixture
def said() -> list[str]:
    """Give the list of what has been said aloud."""
    return []


@pytest.fixture
async def api(kubectl: Kubectl, said: list[str]) -> AsyncIterator[Api]:
    """Give the API server, as its administrator."""
    async with connect(administrator(kubectl), say=said.append) as it:
        yield it


def spec(kubectl: Kubectl) -> Any:
    return kubectl.read("lease", NAME)["spec"]


async def seized(kubectl: Kubectl, holder: str) -> None:
    """Have another holder in its place, and see whether that stops the block."""
    kubectl("patch", "lease", NAME, "--type=merge", f'--patch={{"spec": {{"holderIdentity": "{holder}"}}}}')
    await anyio.sleep(10)
    pytest.fail("it goes on without its lease")


async def test_a_lease_is_held_for_as_long_as_the_block_runs_and_renewed(
    api: Api, kubectl: Kubectl, said: list[str]
) -> None:
    async with held(api, kubectl.namespace, NAME, "one", say=said.append, seconds=3):
        first = later = spec(kubectl)
        while later["renewTime"] == first["renewTime"]:
            await anyio.sleep(0.5)
            later = spec(kubectl)
    assert (first["holderIdentity"], first["leaseDurationSeconds"], first["leaseTransitions"]) == ("one", 3, 1)
    assert later["renewTime"] > first["renewTime"]
    assert {**later, "renewTime": ""} == {**first, "renewTime": ""}
    assert not spec(kubectl).get("holderIdentity")
    assert not said


async def test_the_second_waits_and_says_who_has_it(api: Api, kubectl: Kubectl, said: list[str]) -> None:
    order = []

    async def second() -> None:
        async with held(api, kubectl.namespace, NAME, "two", say=said.append):
            order.append("two")

    async with anyio.create_task_group() as group, held(api, kubectl.namespace, NAME, "one\x1b", say=said.append):
        group.start_soon(second)
        while not said:
            await anyio.sleep(0.05)
        order.append("one")
    assert order == ["one", "two"]
    assert len(said) == 2
    assert said[0] == f"one\\x1b has the lease {NAME} in {kubectl.namespace}: waiting for up to 300 s"
    assert said[1].startswith(f"the lease {NAME} in {kubectl.namespace} is free, after ")
    assert spec(kubectl)["leaseTransitions"] == 2


async def test_who_has_waited_for_too_long_is_told_who_has_it(api: Api, kubectl: Kubectl, said: list[str]) -> None:
    async with held(api, kubectl.namespace, NAME, "one", say=said.append):
        with pytest.raises(RemoteFailed, match=f"{NAME} in {kubectl.namespace} is not free: one has it") as raised:
            async with held(api, kubectl.namespace, NAME, "two", say=said.append, patience=1):
                pytest.fail("it is held twice")
    assert f"kubectl delete lease {NAME} --namespace {kubectl.namespace}" in raised.value.remedy


async def test_a_holder_that_renews_is_waited_for_beyond_the_end_of_its_lease(
    api: Api, kubectl: Kubectl, said: list[str]
) -> None:
    async with held(api, kubectl.namespace, NAME, "one", say=said.append, seconds=1):
        with pytest.raises(RemoteFailed, match="is not free"):
            async with held(api, kubectl.namespace, NAME, "two", say=said.append, patience=4):
                pytest.fail("it is held twice")


async def test_the_lease_of_a_holder_that_was_killed_is_taken_when_it_has_ended(
    api: Api, kubectl: Kubectl, said: list[str]
) -> None:
    """And not before, whatever the clocks say: its time begins when the next one sees it."""
    holder = subprocess.Popen(  # noqa: ASYNC220 - it has to be killed
        [sys.executable, "-P", "-c", HOLD, kubectl.kubeconfig, kubectl.namespace],
        cwd=HOME,
        env={"PYTHONPATH": str(HOME)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    holder.stdout.close()
    assert spec(kubectl)["holderIdentity"] == "the one that dies"
    began = anyio.current_time()
    async with held(api, kubectl.namespace, NAME, "two", say=said.append, patience=30):
        assert spec(kubectl)["holderIdentity"] == "two"
        assert 3 <= anyio.current_time() - began < 8
    assert said[0].startswith("the one that dies has the lease")


async def test_a_lease_that_says_it_ended_long_ago_is_not_believed(api: Api, kubectl: Kubectl, said: list[str]) -> None:
    """The clock of whoever has written it may be wrong by years."""
    old = {"holderIdentity": "one", "leaseDurationSeconds": 600, "renewTime": "2001-01-01T00:00:00.000000Z"}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": old}
    kubectl("create", "-f", "-", given=lease)
    with pytest.raises(RemoteFailed, match="is not free: one has it"):
        async with held(api, kubectl.namespace, NAME, "two", say=said.append, patience=0):
            pytest.fail("it is held twice")


async def test_its_own_lease_is_taken_at_once(api: Api, kubectl: Kubectl, said: list[str]) -> None:
    own = {"holderIdentity": "one", "leaseDurationSeconds": 600, "renewTime": "2001-01-01T00:00:00.000000Z"}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": own}
    kubectl("create", "-f", "-", given=lease)
    async with held(api, kubectl.namespace, NAME, "one", say=said.append, patience=0):
        assert spec(kubectl)["leaseDurationSeconds"] == 15


async def test_a_block_whose_lease_was_lost_is_stopped(api: Api, kubectl: Kubectl, said: list[str]) -> None:
    with pytest.raises(RemoteFailed, match="was lost: another has it now"):
        async with held(api, kubectl.namespace, NAME, "one", say=said.append, seconds=1):
            await seized(kubectl, "another")
    assert spec(kubectl)["holderIdentity"] == "another"


async def test_a_lease_that_somebody_deletes_is_made_again(api: Api, kubectl: Kubectl, said: list[str]) -> None:
    async with held(api, kubectl.namespace, NAME, "one", say=said.append, seconds=1):
        kubectl("delete", "lease", NAME)
        await anyio.sleep(1)
        assert spec(kubectl)["holderIdentity"] == "one"


async def test_a_lease_that_somebody_else_has_written_into_is_given_back(
    api: Api, kubectl: Kubectl, said: list[str]
) -> None:
    async with held(api, kubectl.namespace, NAME, "one", say=said.append):
        kubectl("annotate", "lease", NAME, "note=hands-off")
    assert not spec(kubectl).get("holderIdentity")


async def test_a_failure_of_the_block_arrives_as_it_is_and_gives_the_lease_back(
    api: Api, kubectl: Kubectl, said: list[str]
) -> None:
    with pytest.raises(LookupError, match="of the block"):
        async with held(api, kubectl.namespace, NAME, "one", say=said.append):
            raise LookupError("of the block")
    assert not spec(kubectl).get("holderIdentity")


async def test_a_block_that_is_stopped_from_outside_gives_the_lease_back(
    api: Api, kubectl: Kubectl, said: list[str]
) -> None:
    with anyio.CancelScope() as scope:
        async with held(api, kubectl.namespace, NAME, "one", say=said.append):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert not spec(kubectl).get("holderIdentity")


async def test_a_line_that_is_cut_for_longer_than_the_lease_lasts_stops_nothing_while_nobody_takes_it(
    kubectl: Kubectl, said: list[str]
) -> None:
    with line_to(administrator(kubectl)) as line:
        async with (
            connect(line.access, say=said.append) as api,
            held(api, kubectl.namespace, NAME, "one", say=said.append, seconds=1),
        ):
            line.cut()
            await anyio.sleep(3)
            line.mend()
            before = spec(kubectl)["renewTime"]
            await anyio.sleep(4)
            assert spec(kubectl)["renewTime"] > before
    assert len(said) == 2


async def test_whoever_may_not_have_leases_is_told_which_right_it_lacks(kubectl: Kubectl, said: list[str]) -> None:
    async with connect(user(kubectl, "deployer"), say=said.append) as api:
        with pytest.raises(Refused, match=r"may not get leases\.coordination\.k8s\.io"):
            async with held(api, kubectl.namespace, NAME, "one", say=said.append):
                pytest.fail("it has no right to")


async def test_a_namespace_that_is_not_there_is_named(api: Api, said: list[str]) -> None:
    with pytest.raises(Refused, match="NotFound"):
        async with held(api, "nowhere", NAME, "one", say=said.append):
            pytest.fail("there is no such namespace")
