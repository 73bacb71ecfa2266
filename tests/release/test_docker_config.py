"""A whole release finds its login where `docker login` leaves it: in the file of DOCKER_CONFIG, or behind a helper."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Ended
from tests.release.conftest import MakeProject
from tests.release.projects import REPOSITORY, Project
from tests.release.registries import Login, docker_registry
from tests.release.watching import files_with

pytestmark = pytest.mark.timeout(600)

HELPER = "docker-credential-keeper"
UNKNOWN = '#!/bin/sh\necho "$1" >> "$0.asked"\necho "credentials not found in native keychain"\nexit 1\n'


@pytest.fixture(scope="module")
def project(make_project: MakeProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Give a project whose registry wants a password."""
    with docker_registry(tmp_path_factory.mktemp("docker-registry")) as registry:
        yield make_project(registry)


def login(project: Project) -> Login:
    assert project.registry.login is not None
    return project.registry.login


def keeper(directory: Path, script: str) -> Path:
    """Write a credential helper (docker-credential-helpers, "Development"): it is asked for a host on its input."""
    directory.mkdir()
    helper = directory / HELPER
    helper.write_text(script)
    helper.chmod(0o755)
    return helper


def release(project: Project, configuration: object, where: Path) -> Ended:
    """Release with a configuration of Docker's in a directory of its own, and no login in the environment."""
    (where / "docker").mkdir()
    (where / "docker" / "config.json").write_text(json.dumps(configuration))
    return project.release(DOCKER_AUTH_CONFIG="", DOCKER_CONFIG=str(where / "docker"))


def require_released(project: Project, ended: Ended) -> None:
    """Fail unless all is there, and the password is nowhere but where it was."""
    assert ended.code == 0, ended.output
    assert project.registry.tags(REPOSITORY) == ["1", "1.0", "1.0.0"]
    for secret in (login(project).password, login(project).auth):
        assert secret not in ended.output
        assert files_with(secret, project.root, project.home) == []


def test_a_helper_that_knows_no_password_ends_the_release_before_anything_is_signed(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = keeper(tmp_path / "bin", UNKNOWN)
    monkeypatch.setenv("PATH", str(helper.parent), prepend=":")
    ended = release(project, {"credHelpers": {project.registry.host: "keeper"}}, tmp_path)
    assert ended.code == 5, ended.output
    assert "does not allow this login" in ended.stderr
    assert "get" in Path(f"{helper}.asked").read_text()
    assert list(project.run_dir.rglob("*.sigstore.json")) == []


def test_a_login_in_the_file(project: Project, tmp_path: Path) -> None:
    require_released(
        project, release(project, {"auths": {project.registry.host: {"auth": login(project).auth}}}, tmp_path)
    )


def test_a_login_that_a_helper_keeps(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = json.dumps(
        {"ServerURL": project.registry.host, "Username": login(project).user, "Secret": login(project).password}
    )
    helper = keeper(tmp_path / "bin", f'#!/bin/sh\necho "$1 $(cat)" >> "$0.asked"\necho \'{answer}\'\n')
    monkeypatch.setenv("PATH", str(helper.parent), prepend=":")
    require_released(project, release(project, {"credHelpers": {project.registry.host: "keeper"}}, tmp_path))
    assert set(Path(f"{helper}.asked").read_text().splitlines()) == {f"get {project.registry.host}"}
