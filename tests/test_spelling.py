"""One repository has one spelling, and no password is in it."""

import pytest

from shipseal.statements.spelling import repository_uri


@pytest.mark.parametrize(
    "address",
    [
        "https://git.example/a/b",
        "https://git.example/a/b.git",
        "https://git.example/a/b/",
        "https://git.example/a/b.git/",
        "https://Git.EXAMPLE/a/b",
        "https://git.example:443/a/b.git",
        "https://git.example:/a/b.git",
        "https://me:secret@git.example/a/b.git",
        "ssh://git@git.example/a/b.git",
        "ssh://git@git.example:22/a/b",
        "git+https://git.example/a/b.git",
        "git+ssh://git@git.example/a/b.git",
        "git@git.example:a/b.git",
        "git@Git.Example:/a/b",
        "git.example:a/b.git",
    ],
)
def test_every_way_to_write_a_repository_is_one_spelling(address: str) -> None:
    assert repository_uri(address) == "https://git.example/a/b"
    assert repository_uri(repository_uri(address)) == repository_uri(address)


@pytest.mark.parametrize(
    ("address", "spelled"),
    [
        ("https://git.example/A/b", "https://git.example/A/b"),
        ("https://me:secret@git.example:8443/a/b.git", "https://git.example:8443/a/b"),
        ("ssh://git@git.example:2222/a/b.git", "ssh://git.example:2222/a/b"),
        ("http://me:secret@git.example/a/b.git", "http://git.example/a/b"),
        ("git@[2001:DB8::1]:a/b.git", "https://[2001:db8::1]/a/b"),
        ("https://me:secret@git.example:port/a", "git.example:port/a"),
        ("https://me:secret@[git.example/a", "[git.example/a"),
        ("/home/me/b", "/home/me/b"),
        ("../b.git", "../b.git"),
        (r"C:\b", r"C:\b"),
        ("file:///srv/b.git", "file:///srv/b.git"),
        ("urn:supply-chain-pipeline:no-remote", "urn:supply-chain-pipeline:no-remote"),
        ("", ""),
    ],
)
def test_what_is_another_repository_stays_one_and_loses_its_password(address: str, spelled: str) -> None:
    assert repository_uri(address) == spelled
    assert "secret" not in repository_uri(address)
