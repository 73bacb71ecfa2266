"""One real cluster for all tests, and for each a namespace of its own."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.cluster.running import Kubectl, Running, cluster


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a cluster that runs until the last test has ended."""
    with cluster(tmp_path_factory.mktemp("cluster") / "stderr.txt") as it:
        yield it


@pytest.fixture
def kubectl(running: Running) -> Iterator[Kubectl]:
    """Give the administrator's kubectl, in a namespace that is this test's alone."""
    name = f"test-{uuid4().hex[:8]}"
    running.kubectl("create", "namespace", name)
    running.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}")
    yield running.kubectl.within(name)
    running.kubectl("delete", "namespace", name, "--wait=false")
