"""A login reaches the tools by a file that nobody else can read, and is gone afterwards."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shipseal.distribution.credentials import has_default_helper, login, login_for
from shipseal.errors import UsageError

AUTH = base64.b64encode(b"publisher:correct horse").decode()
CONTENT = json.dumps({"auths": {"registry.example": {"auth": AUTH}}})


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary files in a directory of their own."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def test_a_login_in_the_environment_becomes_a_file_that_its_owner_alone_can_read(temporary: Path) -> None:
    with login({"DOCKER_AUTH_CONFIG": CONTENT, "DOCKER_CONFIG": "/elsewhere"}) as found:
        directory = Path(found.environment["DOCKER_CONFIG"])
        assert directory.parent == temporary
        assert directory.stat().st_mode & 0o777 == 0o700
        assert (directory / "config.json").stat().st_mode & 0o777 == 0o600
        assert (directory / "config.json").read_text() == CONTENT
    assert list(temporary.iterdir()) == []


def test_another_program_can_read_the_file_as_often_as_it_likes() -> None:
    with login({"DOCKER_AUTH_CONFIG": CONTENT}) as found:
        path = f"{found.environment['DOCKER_CONFIG']}/config.json"
        command = [sys.executable, "-c", f"print(open('{path}').read() == open('{path}').read() == {CONTENT!r})"]
        assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "True\n"


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has files without a place on a disk")
def test_a_killed_run_leaves_no_password_behind(temporary: Path) -> None:
    body = "import os, tempfile, sys\nfrom shipseal.distribution.credentials import login\n"
    body += "tempfile.tempdir = sys.argv[1]\n"
    body += "with login(os.environ): os.kill(os.getpid(), 9)"
    done = subprocess.run(
        [sys.executable, "-c", body, temporary], env={**os.environ, "DOCKER_AUTH_CONFIG": CONTENT}, check=False
    )
    assert done.returncode == -9
    (left,) = temporary.glob("*/*")
    assert not left.exists()


def test_every_form_of_the_password_is_known_as_a_secret() -> None:
    with login({"DOCKER_AUTH_CONFIG": CONTENT}) as found:
        assert set(found.secrets) == {CONTENT, AUTH, "correct horse"}


def test_a_login_at_home_stays_where_it_is_and_is_known_as_a_secret_too(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(CONTENT)
    with login({"HOME": str(tmp_path)}) as found:
        assert found.environment == {}
        assert "correct horse" in found.secrets
    with login({"DOCKER_CONFIG": str(tmp_path / ".docker")}) as found:
        assert found.environment == {"DOCKER_CONFIG": str(tmp_path / ".docker")}


def test_no_login_is_no_failure(tmp_path: Path) -> None:
    with login({"HOME": str(tmp_path)}) as found:
        assert (found.environment, found.secrets) == ({}, ())


@pytest.mark.parametrize(
    ("content", "hosts", "helper"),
    [
        ('{"credHelpers": {"docker.io": "ecr-login"}}', {"docker.io"}, False),
        ('{"credsStore": "desktop"}', set(), True),
        ('{"auths": null, "credHelpers": null, "credsStore": "desktop"}', set(), True),
        ('{"auths": null}', set(), False),
        ('{"auths": {}, "HttpHeaders": {}}', set(), False),
        ("{}", set(), False),
        ('{"auths": {"https://index.docker.io/v1/": {}}, "credsStore": null}', {"docker.io"}, False),
        ('{"auths": {"https://Registry.example:5000/v2/": {}, "b": null}}', {"registry.example:5000", "b"}, False),
    ],
)
def test_each_part_of_dockers_file_is_enough_by_itself(content: str, hosts: set[str], helper: bool) -> None:
    with login({"DOCKER_AUTH_CONFIG": content}) as found:
        assert hosts == found.hosts
        assert content == Path(found.environment["DOCKER_CONFIG"], "config.json").read_text()
    assert helper is has_default_helper(json.loads(content))


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost:5000", "[::1]:5000", "registry.example"])
def test_a_login_is_used_where_nobody_between_can_read_it(host: str) -> None:
    with login_for(host, {"DOCKER_AUTH_CONFIG": CONTENT}, plain_http=host != "registry.example") as found:
        assert Path(found.environment["DOCKER_CONFIG"], "config.json").read_text() == CONTENT


def test_a_login_is_never_sent_in_clear_text() -> None:
    """Not the one for the registry, nor one that some program may know."""
    with (
        pytest.raises(UsageError, match=r"the login for registry\.example would be sent in clear text"),
        login_for("registry.example", {"DOCKER_AUTH_CONFIG": CONTENT}, plain_http=True),
    ):
        pass
    store = json.dumps({"credsStore": "desktop"})
    with login_for("registry.example", {"DOCKER_AUTH_CONFIG": store}, plain_http=True) as found:
        assert Path(found.environment["DOCKER_CONFIG"], "config.json").read_text() == "{}"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"auths": "secret word"}',
        '"secret word"',
        "secret word",
        '{"registry.example": {"auth": "secret word"}}',
        '{"credsStore": {"secret word": 1}}',
        '{"credHelpers": ["secret word"]}',
        "[" * 100_000,
    ],
)
def test_a_login_in_another_form_is_refused_without_being_quoted(content: str) -> None:
    with pytest.raises(UsageError, match="not what Docker keeps") as caught, login({"DOCKER_AUTH_CONFIG": content}):
        pass
    assert "secret word" not in caught.value.explain()
    assert caught.value.__cause__ is None
