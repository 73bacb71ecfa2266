"""What a server may answer, and what is told of it: never a secret."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from shipseal.address import Address, without_secrets
from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, VerificationFailed
from shipseal.locked.debian import DebianPackage
from shipseal.locked.fetch_debian import fetch_packages
from shipseal.locked.store import Store
from shipseal.tools import download
from tests.origins import answering, toolbox

Fetch = Callable[[str], Store]

BODY = b"0123456789"
PACKAGE = DebianPackage("sample", "1:2-3", "amd64", Digest.of(BODY), len(BODY), "pool/s/sample_2-3_amd64.deb")


def ok(body: bytes, *headers: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *headers))
    return f"{head}\r\n".encode() + body


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Give a function that fetches one package from a mirror, on a machine that has no apt."""
    monkeypatch.setenv("PATH", str(tmp_path))
    store = Store(tmp_path / "store")
    tools = toolbox(store, tmp_path / "log.txt", {})

    def fetch(mirror: str) -> Store:
        anyio.run(fetch_packages, tools, store, [PACKAGE], {"DEBIAN_MIRROR": mirror}, lambda _: None)
        return store

    return fetch


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"garbage\r\n\r\n", "garbage"),
        (b"", "Remote end closed connection without response"),
        (ok(b"5\r\nabc", "Transfer-Encoding: chunked"), "IncompleteRead"),
        (ok(b"abc", "Content-Length: 100"), "its answer has 3 bytes, not 10"),
        (ok(b"<html>Welcome to this mirror", "Content-Type: text/html"), "more than 10 bytes, of text/html, not 10"),
        (ok(BODY + b"!"), "its answer has more than 10 bytes, not 10"),
        (ok(b"", *["X: y"] * 200), "got more than 100 headers"),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://x/y\r\n\r\n", "unknown url type: ftp"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "not allowed"),
        (b"HTTP/1.1 407 Proxy\r\nContent-Length: 0\r\n\r\n", "HTTP Error 407: Proxy"),
    ],
)
def test_an_answer_that_is_no_package_is_the_mirrors_fault_and_no_alteration(
    fetch: Fetch, reply: bytes, said: str
) -> None:
    with answering(reply) as address, pytest.raises(RemoteFailed) as raised:
        fetch(address)
    assert said in raised.value.explain()


def test_an_answer_of_the_right_length_with_other_bytes_is_one(fetch: Fetch) -> None:
    with answering(ok(BODY[::-1])) as address, pytest.raises(VerificationFailed, match="is not what the lock names"):
        fetch(address)


@pytest.mark.parametrize(
    "mirror", ["http://127.0.0.1:abc", "http://127.0.0.1/my mirror", "http://127.0.0.1/m\u00f6bel"]
)
def test_an_address_that_is_none_is_said(fetch: Fetch, mirror: str) -> None:
    with pytest.raises(RemoteFailed) as raised:
        fetch(mirror)
    assert "not an address of http or https" in raised.value.explain()


@pytest.mark.parametrize("password", ["secret-word", "secret/word", "secret@word", "secret#word", "secret?word"])
@pytest.mark.parametrize("scheme", ["http", "ftp"])
def test_no_message_has_the_password_of_a_mirror(fetch: Fetch, scheme: str, password: str) -> None:
    with pytest.raises(RemoteFailed) as raised:
        fetch(f"{scheme}://user:{password}@127.0.0.1:1/debian?token=secret")
    assert "secret" not in raised.value.explain()
    assert "word" not in raised.value.explain()


def test_a_mirror_is_told_who_asks_and_the_place_that_it_leads_to_is_not(fetch: Fetch) -> None:
    asked: list[bytes] = []
    elsewhere: list[bytes] = []
    with answering(ok(BODY), elsewhere) as other:
        reply = f"HTTP/1.1 302 Found\r\nLocation: {other}/x\r\n\r\n".encode()
        with answering(reply, asked) as address:
            store = fetch(address.replace("://", "://user:p%40ss@"))
    assert store.has(PACKAGE.digest)
    assert b"Authorization: Basic " + base64.b64encode(b"user:p@ss") in asked[0]
    assert b"Authorization" not in elsewhere[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("see https://user:pass@host.invalid/a?token=x#y for more", "see https://host.invalid/a?… for more"),
        ("http://host.invalid/a", "http://host.invalid/a"),
        ("'ssh://git@host.invalid/a'", "'ssh://host.invalid/a'"),
        ("no address: a@b", "no address: a@b"),
    ],
)
def test_addresses_are_told_without_logins_and_queries(text: str, told: str) -> None:
    assert without_secrets(text) == told


@contextmanager
def leading_to(place: str) -> Iterator[str]:
    with answering(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\n\r\n".encode()) as address:
        yield address


@pytest.mark.parametrize("place", ["http://mirror.invalid/", "http://localhost.evil.invalid/", "ftp://127.0.0.1/"])
def test_what_must_be_private_is_led_to_no_place_without_tls(place: str) -> None:
    with leading_to(place) as address, pytest.raises(ValueError, match=r"not an address of https?"):  # noqa: SIM117
        with download.answer(Address.parse(address), private=True):
            pass
