"""A whole release by a person at a terminal: asked first, one window, one token, and Sigstore's own services."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shipseal.local.sigstore import ISSUER
from shipseal.locked.store import Store
from tests.commands import Ended, arguments
from tests.conftest import commit
from tests.release.projects import IDENTITY, REPOSITORY, Project, import_database, make
from tests.release.registries import Served
from tests.release.services import Services, services

FOLLOWS = "import urllib.request\nurllib.request.urlopen(sys.argv[1]).read()\n"

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class OnLaptop(Project):
    """The project on somebody's laptop, where there is no token."""

    @property
    def windows(self) -> Path:
        """Where each window of the browser is counted."""
        return self.home / "windows"

    def variables(self, **more: str) -> dict[str, str]:
        """Return what a release sees: no token, and a browser."""
        (self.home / "tmp").mkdir(exist_ok=True)
        own = {"HOME": str(self.home), "TMPDIR": str(self.home / "tmp"), "BROWSER": str(self.home / "browser")}
        return {**own, "CI": "", "SIGSTORE_ID_TOKEN": "", **self.registry.environment(), **more}

    def install_browser(self) -> None:
        """Install a browser that logs in by itself."""
        counting = f"#!{sys.executable}\nimport sys\nopen({str(self.windows)!r}, 'a').write('1\\n')\n"
        (self.home / "browser").write_text(f"{counting}{FOLLOWS}")
        (self.home / "browser").chmod(0o755)
        self.windows.write_text("")

    def at_terminal(self, *words: str, answers: str = "yy") -> Ended:
        """Run a verb as somebody who answers what is asked, a letter each."""
        ours, theirs = pty.openpty()
        os.write(ours, "".join(f"{each}\n" for each in answers).encode())
        try:
            done = subprocess.run(
                arguments(*words, "--store", self.store),
                cwd=self.root,
                env={**os.environ, **self.variables()},
                stdin=theirs,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
        finally:
            os.close(theirs)
            os.close(ours)
        return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def real(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Give the services, which certify people by their e-mail addresses."""
    with services(store, tmp_path_factory.mktemp("services"), "email") as running:
        yield running


@pytest.fixture(scope="module")
def project(real: Services, own_registry: Served, store: Store, tmp_path_factory: pytest.TempPathFactory) -> OnLaptop:
    """Give the project, set up for a person; nothing is released."""
    made = OnLaptop(**vars(make(tmp_path_factory.mktemp("project"), own_registry, real, store.root)))
    text = made.policy.read_text().replace(IDENTITY, real.issuer.person).replace(ISSUER, real.issuer.url)
    made.policy.write_text(text)
    commit(made.root)
    made.install_browser()
    imported = import_database(made)
    assert imported.code == 0, imported.output
    return made


@pytest.fixture(scope="module")
def released(project: OnLaptop) -> tuple[OnLaptop, Ended]:
    """Give the project once somebody has released it, and how that ended."""
    ended = project.at_terminal("release")
    assert ended.code == 0, ended.output
    return project, ended


def test_nobody_is_asked_without_a_terminal_and_no_window_is_opened(project: OnLaptop) -> None:
    before = project.windows.read_text()
    for words in (("release", "--yes"), ("release",)):
        ended = project.run(*words)
        assert ended.code == 2
    assert before == project.windows.read_text()
    assert "agree, or say --yes" in ended.stderr
    assert "there is no identity to sign with" in project.release().stderr


def test_whoever_does_not_want_to_log_in_has_published_nothing(project: OnLaptop) -> None:
    before = project.windows.read_text(), project.registry.tags(REPOSITORY)
    ended = project.at_terminal("release", answers="yn")
    assert ended.code == 2
    assert "nobody is there to sign" in ended.stderr
    assert before == (project.windows.read_text(), project.registry.tags(REPOSITORY))


def test_the_question_says_what_stays_public_for_good(released: tuple[OnLaptop, Ended], real: Services) -> None:
    _, ended = released
    assert f"to log in at {real.issuer.url}" in ended.stderr
    assert "Your e-mail address goes into a public log then, with what is signed, for good." in ended.stderr


def test_one_window_and_one_token_serve_all_statements(released: tuple[OnLaptop, Ended], real: Services) -> None:
    project, _ = released
    assert len(list((project.run_dir / "attest" / "bundles").iterdir())) > 5
    assert project.windows.read_text() == "1\n"
    assert real.issuer.asked.count("/token") == 1


def test_both_verifiers_accept_it_as_that_person(released: tuple[OnLaptop, Ended], real: Services) -> None:
    project, _ = released
    ended = project.run("verify", f"{project.registry.host}/{REPOSITORY}:1.0", "--policy", project.policy)
    assert ended.code == 0, ended.output
    assert real.issuer.person in ended.stdout


def test_the_token_is_in_no_file(released: tuple[OnLaptop, Ended]) -> None:
    project, ended = released
    said = [path for path in project.run_dir.rglob("*.txt") if "eyJ" in path.read_text(errors="replace")]
    assert said == []
    assert "eyJ" not in ended.output


def test_whoever_revokes_it_later_logs_in_again_and_is_honoured(released: tuple[OnLaptop, Ended]) -> None:
    project, _ = released
    digest = project.read("publish/receipt.json")["reference"].partition("@")[2]
    before = project.windows.read_text()
    refused = project.at_terminal("revoke", digest, "--reason", "it was a test", answers="yn")
    assert refused.code == 2
    assert before == project.windows.read_text()
    ended = project.at_terminal("revoke", digest, "--reason", "it was a test")
    assert ended.code == 0, ended.output
    assert f"{before}1\n" == project.windows.read_text()
    verified = project.run("verify", f"{project.registry.host}/{REPOSITORY}:1.0", "--policy", project.policy)
    assert verified.code != 0
    assert "it was a test" in verified.stderr
