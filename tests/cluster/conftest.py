"""One real cluster for all tests, and for each a namespace of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import local_sigstore
from shipseal.locked.store import Store
from tests.cluster.ground import Ground, make
from tests.cluster.releases import Releases, release
from tests.cluster.running import Kubectl, Running, cluster
from tests.cluster.visitors import Visitors
from tests.release.registries import olareg

MakeGround = Callable[[Path], Ground]
Say = Callable[[str], None]

_said = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Have a list of what the run has to say at its end."""
    config.stash[_said] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the list over, where this is one of several workers (pytest-xdist)."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["said"] = session.config.stash[_said]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker had to say."""
    node.config.stash[_said] += getattr(node, "workeroutput", {}).get("said", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it."""
    said = terminalreporter.config.stash[_said]
    for line in ("nodes were played by kwok: no container ran, no probe was asked, no packet went to a pod", *said):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Say:
    """Give a function that keeps a line for the end of the run."""
    return request.config.stash[_said].append


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a cluster that runs until the last test has ended."""
    with cluster(tmp_path_factory.mktemp("cluster") / "stderr.txt") as it:
        yield it


@pytest.fixture(scope="session")
def visitors(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Visitors:
    """Give what lets further users into that cluster."""
    return Visitors.of(running, tmp_path_factory.mktemp("visitors"))


@pytest.fixture(scope="session")
def kustomize(store: Store, locked: dict[str, Digest]) -> Path:
    """Give the kustomize that renders for a deploy."""
    return store.get(locked["kustomize"])


@pytest.fixture
def kubectl(running: Running) -> Iterator[Kubectl]:
    """Give the administrator's kubectl, in a namespace that is this test's alone."""
    name = f"test-{uuid4().hex[:8]}"
    running.kubectl("create", "namespace", name)
    running.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}")
    yield running.kubectl.within(name)
    running.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def releases(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    """Give three released images, in a registry and with a signing authority that stay up until the last test."""
    registry = olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("olareg"))
    with local_sigstore() as authority, registry as served:
        yield release(tmp_path_factory.mktemp("project"), served, authority, store.root)


@pytest.fixture
def ground(make_ground: MakeGround, tmp_path: Path) -> Iterator[Ground]:
    """Give what to deploy from and to, where nothing was deployed yet."""
    made = make_ground(tmp_path / "greetings")
    yield made
    made.leave()


@pytest.fixture(scope="session")
def make_ground(releases: Releases, running: Running, visitors: Visitors, kustomize: Path) -> MakeGround:
    """Give a function that makes such a ground around a checkout; whoever has one leaves it."""

    def make_one(root: Path) -> Ground:
        return make(releases, running, visitors, kustomize, root, f"greetings-{uuid4().hex[:8]}")

    return make_one


@pytest.fixture(scope="session")
def healthy(make_ground: MakeGround, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give a ground where `a` runs: for all tests that leave it so."""
    made = make_ground(tmp_path_factory.mktemp("healthy") / "greetings")
    made.deploy(to=made.releases.a)
    yield made
    made.leave()


@pytest.fixture
def trial(healthy: Ground, tmp_path: Path) -> Iterator[Ground]:
    """Give the same with a checkout that is this test's alone; `a` is to run still when it ends."""
    yield healthy.beside(tmp_path / "greetings")
    assert healthy.images() == {healthy.releases.a}
