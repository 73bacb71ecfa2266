"""`db update` and `db import` are the only ways in for a vulnerability database, and none comes in unseen."""

import functools
import hashlib
import http.server
import json
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from shipseal.cli import db, growing, main
from shipseal.digest import Digest
from shipseal.local import advisories
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests.origins import answering

SAMPLE = HOME / "tests" / "samples" / "greetings"


@pytest.fixture
def project(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose store has the tools."""
    shutil.copytree(SAMPLE, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(db, "default_root", lambda _: tmp_path / "cache" / "store")
    return tmp_path / "project"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A whole database, as far as tests go."""
    path = tmp_path / "vulnerability.db"
    advisories.build(advisories.read(HOME / "policy" / "sample-advisories.toml"), path, processor="tests")
    return path


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that does not talk."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path: Path, file: Path) -> Iterator[str]:
    """A mirror of one database on loopback; gives the address of its listing."""
    root = tmp_path / "mirror"
    root.mkdir()
    with tarfile.open(root / "whole.tar.gz", "w:gz") as archive:
        archive.add(file, "vulnerability.db")
    checksum = hashlib.sha256((root / "whole.tar.gz").read_bytes()).hexdigest()
    listing = {
        "status": "active",
        "schemaVersion": "v6.1.7",
        "built": "2026-11-25T00:00:00Z",
        "path": "whole.tar.gz",
        "checksum": f"sha256:{checksum}",
    }
    (root / "latest.json").write_text(json.dumps(listing))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/latest.json"
    server.shutdown()
    thread.join()
    server.server_close()


def run(store: Store, *arguments: str) -> int:
    return main(["db", *arguments, "--store", str(store.root)])


def identity(directory: Path) -> Any:
    return json.loads((directory / "database.json").read_bytes())


def test_an_imported_file_is_on_record_by_its_own_digest(project: Path, store: Store, file: Path) -> None:
    assert run(store, "import", str(file), "--into", "database") == 0
    assert identity(project / "database") == {
        "built": "2026-11-25T00:00:00Z",
        "checksum": str(Digest.of_file(file)),
        "content": str(Digest.of_file(project / "database" / "6" / "vulnerability.db")),
        "sample": False,
        "schema": "v6.1.7",
        "source": "vulnerability.db",
    }


def test_machines_are_told_which_database_is_where(
    project: Path, store: Store, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(store, "import", str(file), "--into", "database", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    where = {"event": "database", "directory": str(project / "database")}
    assert told == {**where, **identity(project / "database")}


@pytest.mark.usefixtures("project")
def test_without_a_name_it_goes_to_the_cache_and_the_way_to_use_it_is_said(
    store: Store, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(store, "import", str(file)) == 0
    assert identity(tmp_path / "cache" / "database")["sample"] is False
    assert f'[scan] database = "{tmp_path}/cache/database"' in capsys.readouterr().err


def test_an_update_takes_what_the_listing_names(project: Path, store: Store, mirror: str) -> None:
    assert run(store, "update", "--from", mirror, "--into", "database") == 0
    found = identity(project / "database")
    archive = project.parent / "mirror" / "whole.tar.gz"
    assert found["checksum"] == str(Digest.of_file(archive))
    assert found["source"] == mirror.replace("latest.json", "whole.tar.gz")


def test_an_archive_that_is_not_what_the_listing_says_is_refused(
    project: Path, store: Store, mirror: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project.parent / "mirror" / "whole.tar.gz").open("ab") as archive:
        archive.write(b"!")
    assert run(store, "update", "--from", mirror, "--into", "database") == 5
    assert "cannot be fetched" in capsys.readouterr().err
    assert not (project / "database").exists()


def test_a_mirror_that_does_not_answer_is_a_remote_failure(project: Path, store: Store) -> None:
    assert run(store, "update", "--from", "http://127.0.0.1:9/latest.json", "--into", "database") == 5
    assert not (project / "database").exists()


SECRET = "a-word/that@nobody-reads"


def test_the_password_of_a_mirror_is_in_no_message_and_no_record(
    project: Path, store: Store, mirror: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address may have a login in it: it is not written down with what came from there."""
    with_login = mirror.replace("http://", f"http://reader:{quote(SECRET, safe='')}@")
    assert run(store, "update", "--from", with_login, "--into", "database") == 0
    assert identity(project / "database")["source"] == mirror.replace("latest.json", "whole.tar.gz")
    assert run(store, "update", "--from", f"{with_login}/not-there", "--into", "database") == 5
    told = "".join(capsys.readouterr())
    assert "nobody-reads" not in told
    assert "404" in told


@pytest.mark.parametrize(
    "address",
    [
        "http://mirror.invalid/latest.json",
        "http://localhost.evil.invalid/latest.json",
        "ftp://127.0.0.1/latest.json",
        "file:///latest.json",
        "latest.json",
    ],
)
def test_a_database_comes_by_tls_or_from_loopback(
    project: Path, store: Store, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    assert run(store, "update", "--from", address, "--into", "database") == 2
    assert "a vulnerability database is taken by https only" in capsys.readouterr().err
    assert not (project / "database").exists()


def test_a_redirect_out_of_tls_is_not_followed(project: Path, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Grype would, and whoever answers there would choose the database."""
    with answering(b"HTTP/1.1 302 Found\r\nLocation: http://mirror.invalid/latest.json\r\n\r\n") as address:
        assert run(store, "update", "--from", f"{address}/latest.json", "--into", "database") == 5
    assert "not an address of https: http://mirror.invalid/latest.json" in capsys.readouterr().err
    assert not (project / "database").exists()


def test_a_blind_database_does_not_replace_one_that_sees(project: Path, store: Store, file: Path) -> None:
    assert run(store, "import", str(file), "--into", "database") == 0
    before = identity(project / "database")
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM affected_package_handles")
    connection.close()
    assert run(store, "import", str(file), "--into", "database") == 4
    assert identity(project / "database") == before


def test_a_newer_database_replaces_an_older_one(project: Path, store: Store, file: Path) -> None:
    for _ in range(2):
        assert run(store, "import", str(file), "--into", "database") == 0
    assert sorted(path.name for path in project.iterdir() if path.name.startswith((".database", "database"))) == [
        "database"
    ]


def test_a_directory_of_something_else_is_left_alone(project: Path, store: Store, file: Path) -> None:
    assert run(store, "import", str(file), "--into", "app") == 2
    assert (project / "app" / "pyproject.toml").is_file()


@pytest.mark.usefixtures("project")
def test_a_file_that_is_not_there_is_named(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(store, "import", "nowhere.db") == 2
    assert "there is no file nowhere.db" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("import",), ("update", "--from")])
def test_the_database_that_a_verdict_names_is_taken_and_no_other(
    words: tuple[str, ...], project: Path, store: Store, mirror: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = project.parent / "mirror" / "whole.tar.gz"
    source, named = (str(file), Digest.of_file(file)) if words == ("import",) else (mirror, Digest.of_file(archive))
    assert run(store, *words, source, "--into", "database", "--checksum", f"sha256:{'0' * 64}") == 6
    assert f"found    {named}" in capsys.readouterr().err
    assert not (project / "database").exists()
    assert run(store, *words, source, "--into", "database", "--checksum", str(named)) == 0


def test_while_a_database_comes_in_people_are_told_how_much_is_there_and_then_how_old_it_is(
    project: Path, store: Store, mirror: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(growing, "EVERY", 0.01)
    assert run(store, "update", "--from", mirror, "--into", "database") == 0
    told = capsys.readouterr()
    assert "MiB so far" in told.err
    assert f"{project / 'database'}: database of 2026-11-25, " in told.out
    assert " days old, sha256:" in told.out
