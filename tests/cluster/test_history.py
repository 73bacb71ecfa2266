"""Receipts in a namespace: the newest are kept, nothing else is deleted, and what is none is not taken for one."""

from collections.abc import AsyncIterator

import pytest

from shipseal.cluster.api import Api, connect
from shipseal.rollout import history
from tests.cluster.apis import administrator
from tests.cluster.running import Kubectl


@pytest.fixture
async def api(kubectl: Kubectl) -> AsyncIterator[Api]:
    """Give the API server, as its administrator."""
    async with connect(administrator(kubectl), say=print) as it:
        yield it


def kept(kubectl: Kubectl) -> set[str]:
    return {each["metadata"]["name"] for each in kubectl.read("configmaps")["items"]} - {"kube-root-ca.crt"}


async def test_the_ten_newest_receipts_stay_and_so_does_all_that_is_none(kubectl: Kubectl, api: Api) -> None:
    others = {"deploy-inventory", "deploy-receipt-one", "deploy-receipt-0000001", "settings"}
    receipts = {f"deploy-receipt-{number:06}" for number in (1, 2, *range(5, 16))}
    for name in others | receipts:
        kubectl("create", "configmap", name, "--from-literal=receipt.sigstore.json={}")
    assert [each.sequence for each in await history.kept(api, kubectl.namespace)][:3] == [15, 14, 13]
    await history.trim(api, kubectl.namespace)
    assert others | {f"deploy-receipt-{number:06}" for number in range(6, 16)} == kept(kubectl)
