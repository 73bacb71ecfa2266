"""`update-locks` as people type it: the real uv, apt and Grype, over an index, a mirror and a database of this test."""

import json
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.cli import db, main
from shipseal.digest import Digest
from shipseal.local import advisories
from shipseal.local.advisories import SampleAdvisory
from shipseal.locked.debian import DebianPackage, Lock
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests.commands import arguments
from tests.origins import apt_settings, lock_text, make_deb, make_index, make_repository, make_wheel, served, suite

CLOSED = {"id": "CVE-2020-0001", "package": "zlib", "fixed_in": "1:1.2-2", "severity": "low"}
OPENED = {"id": "CVE-2020-0002", "package": "zlib", "affected": ">= 1:1.2-2", "fix": "not-fixed", "severity": "medium"}
STAYING = {"id": "CVE-2020-0003", "package": "zlib", "fix": "wont-fix", "severity": "high"}

pytestmark = pytest.mark.skipif(suite() != "bookworm", reason="this machine is no Debian 12")


class Project:
    """A service with locks of its own, and the places where newer versions are."""

    def __init__(self, root: Path, store: Store) -> None:
        self.root, self.store = root, store
        self.run = root / "locks" / "run.lock"
        self.debian = root / "debian.lock.toml"
        self.mirror, self.packages = root.parent / "mirror", list[DebianPackage]()

    def update(self, *words: str) -> int:
        return main(["update-locks", *words, "--store", str(self.store.root)])

    def database(self, built: datetime, *more: dict[str, str]) -> Path:
        """Import a database of the sample's advisories and some more; return its directory."""
        sample = advisories.read(HOME / "policy" / "sample-advisories.toml")
        own = [
            SampleAdvisory.model_validate(
                {"provider": "debian", "description": "one of ours", "source": "https://example.invalid/", **each},
                by_name=True,
            )
            for each in more
        ]
        file = self.root.parent / "vulnerability.db"
        every = sample.model_copy(update={"built": built, "advisory": (*sample.advisory, *own)})
        advisories.build(every, file, processor="tests")
        assert main(["db", "import", str(file), "--store", str(self.store.root)]) == 0
        return self.root.parent / "cache" / "database"

    def locks(self) -> dict[str, str]:
        """Return every file that is there now, so that a part which was left behind is seen too."""
        return {path.name: path.read_text() for path in (self.run, self.debian, *self.root.rglob("*.part"))}


@pytest.fixture(scope="module")
def shelf(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of this test's own, which has Grype: what is relocked goes into it."""
    shelf = Store(tmp_path_factory.mktemp("shelf"))
    shelf.add(store.get(locked["grype"]), locked["grype"])
    return shelf


@pytest.fixture
def project(tmp_path: Path, shelf: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project whose locks are behind: Waitress has a newer version than 3.0.0, and zlib1g than 1:1.2-1."""
    (tmp_path / "project" / "locks").mkdir(parents=True)
    project = Project(tmp_path / "project", shelf)
    wheels = [make_wheel(tmp_path / "made", *each) for each in (("waitress", "3.0.0"), ("waitress", "3.0.2"))]
    make_index(tmp_path / "index", *wheels, make_wheel(tmp_path / "made", "jinja2", "3.1.0"))
    old, new = (
        [make_deb(project.mirror, "zlib1g", version, each, "zlib") for each in ("amd64", "arm64")]
        for version in ("1:1.2-1", "1:1.2-2")
    )
    project.packages = new
    make_repository(project.mirror, new)
    project.debian.write_text(lock_text(old))
    project.run.with_suffix(".in").write_text("waitress\n")
    digests = {path.name.partition("-py3")[0]: Digest.of_file(path) for path in (tmp_path / "made").iterdir()}
    project.run.write_text(
        f"jinja2==3.1.0 --hash={digests['jinja2-3.1.0']}\nwaitress==3.0.0 --hash={digests['waitress-3.0.0']}\n"
    )
    for name in ("build", "test"):
        (project.root / "locks" / f"{name}.lock").write_text("")
    configuration = (HOME / "tests" / "samples" / "greetings" / "pipeline.toml").read_text()
    (project.root / "pipeline.toml").write_text(
        configuration.replace("[image]", '[image]\npackages = "debian.lock.toml"').replace(
            '"linux/amd64"', '"linux/amd64", "linux/arm64"'
        )
    )
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(db, "default_root", lambda _: tmp_path / "cache" / "store")
    with served(tmp_path / "index") as index, served(project.mirror) as mirror:
        monkeypatch.setenv("APT_CONFIG", apt_settings(mirror, tmp_path)["APT_CONFIG"])
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index}/simple")
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        yield project


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def events(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in said(capsys).splitlines()]


def test_an_update_tells_what_it_closes_and_opens_and_what_stays(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wheel and a package move, another wheel is gone, and the day of the database stands beside the counts."""
    project.database(datetime.now(UTC), CLOSED, OPENED, STAYING)
    capsys.readouterr()
    assert project.update("--upgrade", "python", "debian") == 0
    both = "[linux/amd64, linux/arm64]"
    assert said(capsys).splitlines() == [
        "changed: locks/run.lock",
        "  jinja2 3.1.0 -> gone",
        "  waitress 3.0.0 -> 3.0.2",
        "changed: debian.lock.toml",
        "  zlib1g 1:1.2-1 -> 1:1.2-2",
        f"advisories: 4 closed, 1 opened, 2 stay; database of {datetime.now(UTC).date()}, 0 days old",
        f"  closed  GHSA-9298-4cf8-g4wj (critical)  waitress 3.0.0 -> 3.0.2  {both}",
        f"  closed  GHSA-3f84-rpwh-47g6 (high)  waitress 3.0.0 -> 3.0.2  {both}",
        f"  closed  GHSA-cpwx-vrp4-4pq7 (medium)  jinja2 3.1.0 -> gone  {both}",
        f"  closed  CVE-2020-0001 (low)  zlib1g 1:1.2-1 -> 1:1.2-2  {both}",
        f"  OPENED  CVE-2020-0002 (medium)  zlib1g 1:1.2-1 -> 1:1.2-2  {both}",
    ]
    assert Lock.parse(project.debian.read_text()).packages == tuple(project.packages)


def test_machines_get_the_same_as_events(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.database(datetime.now(UTC), CLOSED, OPENED, STAYING)
    capsys.readouterr()
    assert project.update("debian", "--json") == 0
    lock, found = events(capsys)
    assert lock == {
        "event": "lock",
        "lock": "debian.lock.toml",
        "kind": "debian",
        "changed": True,
        "changes": [{"name": "zlib1g", "old": "1:1.2-1", "new": "1:1.2-2"}],
    }
    assert (found["event"], found["looked_up"], found["stay"], found["notes"]) == ("advisories", True, 5, [])
    assert (found["database"]["sample"], found["database"]["age_days"]) == (False, 0)
    (closed,), (opened,) = found["closed"], found["opened"]
    assert closed == {
        "severity": "low",
        "id": "CVE-2020-0001",
        "old": "1:1.2-1",
        "new": "1:1.2-2",
        "packages": ["zlib1g"],
        "platforms": ["linux/amd64", "linux/arm64"],
    }
    assert opened["id"] == "CVE-2020-0002"


def test_nothing_new_is_said_with_the_day_of_the_database_too(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.database(datetime.now(UTC), STAYING)
    assert project.update("debian") == 0
    capsys.readouterr()
    assert project.update("debian") == 0
    assert said(capsys).splitlines() == [
        "every lock is as it was",
        f"advisories: 0 closed, 0 opened, 5 stay; database of {datetime.now(UTC).date()}, 0 days old",
    ]


def test_without_a_database_the_advisories_are_not_looked_up_and_the_way_to_one_is_said(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.update("debian") == 0
    assert said(capsys).splitlines()[-1] == (
        f"advisories: not looked up: there is no vulnerability database in {project.root.parent}/cache/database; "
        "type: shipseal db update"
    )
    assert Lock.parse(project.debian.read_text()).packages == tuple(project.packages)


def test_machines_are_told_that_nothing_was_looked_up(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.update("debian", "--json") == 0
    _, found = events(capsys)
    assert (found["event"], found["looked_up"], found["remedy"]) == ("advisories", False, "shipseal db update")
    assert "closed" not in found


def test_a_sample_is_called_one(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """However old it is: the age rule is for whole ones."""
    identity = project.database(datetime(2026, 1, 1, tzinfo=UTC), CLOSED) / "database.json"
    identity.write_text(identity.read_text().replace('"sample": false', '"sample": true'))
    capsys.readouterr()
    assert project.update("debian") == 0
    out = said(capsys)
    assert "advisories: 1 closed, 0 opened, 4 stay; SAMPLE database of 2026-01-01\n" in out
    assert "note" not in out


def test_an_old_database_is_used_and_called_too_old(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    built = datetime.now(UTC) - timedelta(days=40)
    project.database(built, CLOSED)
    capsys.readouterr()
    assert project.update("debian") == 0
    out = said(capsys)
    assert f"1 closed, 0 opened, 4 stay; database of {built.date()}, 40 days old\n" in out
    assert "note    the database is older than the 5 days that rules.toml allows" in out


def test_a_broken_database_fails_and_the_locks_are_written_and_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = project.database(datetime.now(UTC), CLOSED)
    with (directory / "6" / "vulnerability.db").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"!")
    capsys.readouterr()
    assert project.update("debian") == 6
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["changed: debian.lock.toml", "  zlib1g 1:1.2-1 -> 1:1.2-2"]
    assert "error: the advisories of the new locks cannot be looked up; the locks are written" in captured.err
    assert "is not the one that was imported" in captured.err
    assert captured.err.endswith(
        "  remedy find out who changed it; get a whole one: `shipseal db update`, or `db import FILE`\n"
    )
    assert Lock.parse(project.debian.read_text()).packages == tuple(project.packages)


def test_another_database_than_the_one_on_record_is_refused(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its day would stand beside the counts of another."""
    identity = project.database(datetime(2026, 1, 1, tzinfo=UTC)) / "database.json"
    identity.write_text(identity.read_text().replace("2026-01-01", "2026-11-24"))
    assert project.update("debian") == 4
    assert "Grype used another database than the one on record" in capsys.readouterr().err


def test_a_machine_without_grype_is_told_to_fetch_it_and_the_locks_are_written(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.database(datetime.now(UTC), CLOSED)
    project.store = Store(tmp_path / "empty")
    assert project.update("debian") == 4
    assert "remedy run `shipseal store fetch`" in capsys.readouterr().err
    assert Lock.parse(project.debian.read_text()).packages == tuple(project.packages)


def test_a_lock_that_had_no_hashes_is_made_whole_and_nothing_is_called_closed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """What nobody can read cannot be compared."""
    project.database(datetime.now(UTC), CLOSED)
    project.run.write_text("waitress==3.0.0\n")
    capsys.readouterr()
    assert project.update("python") == 0
    assert said(capsys).splitlines()[-1] == (
        "advisories: not looked up: what was locked before cannot be read: run.lock:1: waitress 3.0.0 has no "
        "--hash=sha256:…; type: shipseal dry-run --to scan"
    )
    assert "--hash=sha256:" in project.run.read_text()


def test_packages_of_unknown_source_are_named(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.database(datetime.now(UTC), CLOSED)
    lines = project.debian.read_text().splitlines(keepends=True)
    project.debian.write_text("".join(line for line in lines if not line.startswith("source = ")))
    capsys.readouterr()
    assert project.update("python") == 0
    assert "note    the lock does not say the source of zlib1g" in said(capsys)


def test_a_mirror_that_is_down_leaves_every_lock_as_it_was(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Python lock too, which was chosen before."""
    before = project.locks()
    (tmp_path / "sources.list").write_text("deb [trusted=yes] http://127.0.0.1:9 ./\n")
    assert project.update("--upgrade", "python", "debian") == 5
    assert project.locks() == before
    assert "no lock was changed" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_leaves_every_lock_as_it_was(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside a name as long as a name may be there is no place for another."""
    configuration = project.root / "pipeline.toml"
    longest = project.debian.with_name(f"{'long' * 62}.lock")
    configuration.write_text(configuration.read_text().replace(project.debian.name, longest.name))
    project.debian = project.debian.rename(longest)
    before = project.locks()
    assert project.update("--upgrade", "python", "debian") == 2
    assert "error: the locks cannot be written" in capsys.readouterr().err
    assert project.locks() == before


def test_a_lock_is_written_through_no_link_and_keeps_its_mode(project: Project, tmp_path: Path) -> None:
    """A project may bring a link under a name that is known before, and it leads where its author likes."""
    target = tmp_path / "target"
    target.write_text("mine")
    project.debian.with_name("debian.lock.toml.part").symlink_to(target)
    project.debian.chmod(0o640)
    assert project.update("debian") == 0
    assert target.read_text() == "mine"
    assert stat.S_IMODE(project.debian.stat().st_mode) == 0o640
    assert sorted(path.name for path in project.root.glob("debian.lock*")) == [
        "debian.lock.toml",
        "debian.lock.toml.part",
    ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_every_lock_as_it_was_and_no_process(
    project: Project, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """While apt waits for a mirror that takes the connection and never answers."""
    before = project.locks()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        (tmp_path / "sources.list").write_text(f"deb [trusted=yes] http://127.0.0.1:{silent.getsockname()[1]} ./\n")
        command = arguments("update-locks", "--upgrade", "python", "debian", "--store", project.store.root)
        with subprocess.Popen(command, cwd=project.root, stderr=subprocess.PIPE, text=True) as child:
            asking, _ = silent.accept()
            child.send_signal(number)
            _, told = child.communicate(timeout=30)
            with asking:
                asking.settimeout(30)
                while asking.recv(4096):  # until apt's end is closed: it has gone too
                    time.sleep(0.01)
    assert child.returncode == code
    assert told.endswith("stopped: no lock was changed\n")
    assert project.locks() == before


def test_locks_without_their_question_are_named_and_not_called_unchanged(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.update("python") == 0
    assert "locks/build.lock is not made again: there is no build.in beside it" in capsys.readouterr().err


def test_the_pipelines_own_locks_are_left_alone_from_another_project(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    own = HOME / "tools" / "tools.lock.toml"
    before = own.stat().st_mtime_ns
    assert project.update("tools") == 2
    assert "it comes with the pipeline: it is made again in" in capsys.readouterr().err
    assert own.stat().st_mtime_ns == before


def test_a_lock_that_is_not_there_ends_with_two(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.debian.unlink()
    assert project.update("debian") == 2
    assert "debian.lock.toml cannot be read" in capsys.readouterr().err


def test_a_python_lock_that_is_not_there_is_made(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.run.unlink()
    assert project.update("python") == 0
    assert "  waitress 3.0.2, new here\n" in said(capsys)
    assert project.run.read_text().startswith("waitress==3.0.2")
