"""One signing authority for the whole run, and a release to each kind of registry."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore, local_sigstore
from shipseal.locked.store import Store
from tests.commands import Ended
from tests.release.projects import REPOSITORY, Project, import_database, make
from tests.release.registries import Served, docker_registry, olareg
from tests.release.watching import Seen, seen, tracing

MakeProject = Callable[..., Project]


@dataclass(frozen=True)
class Released:
    """A project that was released once, and how everything was just after that.

    Args:
        project: the project.
        ended: how the release ended.
        seen: what was started meanwhile.
        tags: the tags that the registry had.
        referrers: what referred to each subject.
        log: what the registry had said.
    """

    project: Project
    ended: Ended
    seen: Seen
    tags: list[str]
    referrers: dict[str, list[str]]
    log: str


@pytest.fixture(scope="session")
def authority() -> Iterator[LocalSigstore]:
    """Give a signing authority that is none of the pipeline's own: it runs before a release and after it."""
    with local_sigstore() as services:
        yield services


@pytest.fixture(scope="session")
def open_registry(
    store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Give olareg: with the referrers API, without a login."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("olareg")) as served:
        yield served


@pytest.fixture(scope="module")
def own_registry(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give olareg for one module alone: the same image is signed there in another way."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("olareg")) as served:
        yield served


@pytest.fixture(scope="session")
def make_project(authority: LocalSigstore, store: Store, tmp_path_factory: pytest.TempPathFactory) -> MakeProject:
    """Give a function that makes a project for a registry, with a database."""

    def make_one(registry: Served, *, database: bool = True) -> Project:
        project = make(tmp_path_factory.mktemp("project"), registry, authority, store.root, database=database)
        if database:
            ended = import_database(project)
            assert ended.code == 0, ended.output
        return project

    return make_one


@pytest.fixture(scope="session")
def released_openly(open_registry: Served, make_project: MakeProject) -> Released:
    """Give a release to olareg."""
    return release(make_project(open_registry))


@pytest.fixture(scope="session", params=["olareg", "docker-registry"])
def released(
    request: pytest.FixtureRequest, make_project: MakeProject, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Released]:
    """Give a release to each kind of registry."""
    with ExitStack() as stack:
        if request.param == "olareg":
            yield request.getfixturevalue("released_openly")
        else:
            served = stack.enter_context(docker_registry(tmp_path_factory.mktemp("docker-registry")))
            yield release(make_project(served))


def release(project: Project) -> Released:
    """Release a project for the first time."""
    log = project.root.with_name("started.log")
    ended = replace(project, prefix=tracing(log)).release()
    assert ended.code == 0, ended.output
    registry = project.registry
    subjects = project.read("publish/receipt.json")["subjects"]
    referrers = {subject: registry.referrers(REPOSITORY, subject) for subject in subjects}
    return Released(project, ended, seen(log), registry.tags(REPOSITORY), referrers, registry.log.read_text())


@pytest.fixture
def copy(released_openly: Released, tmp_path: Path) -> Project:
    """Give a copy of the project that was released openly, to be released again at will."""
    return released_openly.project.copy(tmp_path / "greetings")
