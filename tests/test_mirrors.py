"""Inputs come from any mirror, and are believed for their digest alone; what is wrong there is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.errors import UsageError, VerificationFailed
from shipseal.locked import listing, mirrors, wheels
from shipseal.locked.debian import DebianPackage
from shipseal.locked.fetch import fill
from shipseal.locked.inputs import Group, Inputs
from shipseal.locked.listing import Item
from shipseal.locked.locks import LockedTool, Requirement
from shipseal.locked.store import Store
from shipseal.tools.toolbox import Toolbox
from tests.origins import make_wheel, toolbox

PLATFORM = "linux/amd64"
TOOL = b"#!/bin/sh\n" + b"echo a program\n" * 20_000
PACKAGE = b"a Debian package"

Answer = Callable[[str, dict[str, str]], tuple[int, dict[str, str], bytes]]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "made", "sample", "1.0")


@pytest.fixture
def inputs(wheel: Path) -> Inputs:
    """Give locks of one tool, one Debian package and one wheel."""
    here = wheels.running()
    locked = Requirement("sample", "1.0", None, frozenset({Digest.of_file(wheel), Digest.of(b"for another")}), "lock:1")
    package = DebianPackage("p", "1", "amd64", Digest.of(PACKAGE), len(PACKAGE), "pool/p_1_amd64.deb")
    tool = LockedTool("scanner", "v1", "example.invalid/scanner", "", {PLATFORM: Digest.of(TOOL)})
    return Inputs((Group("runtime", here, (locked,)),), {PLATFORM: (package,)}, (tool,), PLATFORM)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def content(wheel: Path) -> dict[str, bytes]:
    """Give what is on a mirror that is as it should be, by path."""
    blobs = {"scanner": TOOL, "p_1_amd64.deb": PACKAGE, wheel.name: wheel.read_bytes()}
    items = [Item(Digest.of(data), name, len(data), name == "scanner") for name, data in blobs.items()]
    files = {f"/sha256/{Digest.of(data).hex}": data for data in blobs.values()}
    return {**files, "/linux-amd64.json": listing.listing(items, PLATFORM)}


def tools(store: Store, tmp_path: Path) -> Toolbox:
    """Give programs that reach nothing: what no mirror has is nowhere."""
    return toolbox(store, tmp_path / "log.txt", {"PIP_NO_INDEX": "1"})


def take(inputs: Inputs, store: Store, *places: str) -> tuple[list[str], list[str]]:
    """Take what is missing; return the lies, and what was said."""
    said: list[str] = []
    asked = mirrors.named(places, {})
    return anyio.run(mirrors.take, inputs, inputs.missing(store, store.has), store, asked, said.append), said


@contextmanager
def mirror(answer: Answer) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Serve what a function says; give the address and what was asked, path and headers."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append((self.path, headers))
            status, said, body = answer(self.path, headers)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **said}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def files(content: dict[str, bytes]) -> Answer:
    """Answer like a server of files that knows ranges."""

    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path not in content:
            return 404, {}, b"nothing here"
        start = int(headers.get("range", "bytes=0-")[len("bytes=") : -1])
        return (206 if start else 200), {}, content[path][start:]

    return answer


def test_who_draws_a_bar_is_told_of_the_first_bytes_and_of_the_last_however_soon_all_are_there(
    inputs: Inputs, store: Store, content: dict[str, bytes]
) -> None:
    counted: list[tuple[int, int]] = []
    watch = mirrors.DownloadWatch(count=lambda _, done, total: counted.append((done, total)))
    with mirror(files(content)) as (address, _):
        asked = mirrors.named([address], {})
        step = partial(mirrors.take, inputs, inputs.missing(store, store.has), store, asked, print, watch=watch)
        assert anyio.run(step) == []
    whole = sum(len(data) for path, data in content.items() if path.startswith("/sha256/"))
    assert counted[0][0] < whole
    assert counted[-1] == (whole, whole)


def test_a_server_of_files_is_a_mirror(inputs: Inputs, store: Store, content: dict[str, bytes]) -> None:
    with mirror(files(content)) as (address, _):
        lies, said = take(inputs, store, address)
    assert (lies, list(inputs.missing(store, store.intact).names())) == ([], [])
    assert said == [f"fetching 3 inputs, 0.3 MB, from {address}"]
    assert store.get(Digest.of(TOOL)).stat().st_mode & 0o777 == 0o555
    assert store.get(Digest.of(PACKAGE)).stat().st_mode & 0o777 == 0o444


def test_so_is_a_directory(inputs: Inputs, store: Store, content: dict[str, bytes], tmp_path: Path) -> None:
    for path, data in content.items():
        file = tmp_path / "mirror" / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    take(inputs, store, str(tmp_path / "mirror"))
    assert not inputs.missing(store, store.intact)


def registry(content: dict[str, bytes], address: Callable[[], str]) -> Answer:
    """Answer like a registry that gives anybody a token, and blobs at another place."""

    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/token?"):
            return 200, {}, b'{"token": "for-anybody"}'
        if path.startswith("/elsewhere/"):
            return files(content)(path.removeprefix("/elsewhere"), headers)
        if headers.get("authorization") != "Bearer for-anybody":
            realm = f'Bearer realm="{address()}/token",service="here",scope="repository:a/b:pull"'
            return 401, {"WWW-Authenticate": realm}, b""
        name = path.removeprefix("/v2/a/b/")
        if name.startswith("blobs/"):
            place = f"{address().replace('127.0.0.1', 'localhost')}/elsewhere/{name[6:].replace(':', '/')}"
            return 307, {"Location": place}, b""
        return files(content)(f"/{name.removeprefix('manifests/')}.json", headers)

    return answer


def test_so_is_a_registry_that_gives_anybody_a_token(inputs: Inputs, store: Store, content: dict[str, bytes]) -> None:
    """The token goes to the registry, and not along the redirect to where it keeps its blobs."""
    here: list[str] = []
    with mirror(registry(content, lambda: here[0])) as (address, asked):
        here.append(address)
        take(inputs, store, f"oci://{address.removeprefix('http://')}/a/b")
    assert not inputs.missing(store, store.intact)
    assert {path: headers for path, headers in asked if path.startswith("/token")}.keys() == {
        "/token?service=here&scope=repository%3Aa%2Fb%3Apull"
    }
    elsewhere = [headers for path, headers in asked if path.startswith("/elsewhere/")]
    assert len(elsewhere) == 3
    assert not any("authorization" in headers for headers in elsewhere)


@pytest.mark.parametrize(
    ("challenge", "said"),
    [
        ('Basic realm="here"', "it asks for a login"),
        ('Bearer realm="file:///etc/passwd"', "not an address of http or https"),
        ('Bearer realm="http://elsewhere.invalid/token"', "not an address of https"),
    ],
)
def test_a_registry_that_wants_a_login_or_sends_for_one_elsewhere_is_passed_over(
    inputs: Inputs, store: Store, challenge: str, said: str
) -> None:
    with mirror(lambda *_: (401, {"WWW-Authenticate": challenge}, b"")) as (address, _):
        lies, told = take(inputs, store, f"oci://{address.removeprefix('http://')}/a/b")
    assert (lies, len(told)) == ([], 1)
    assert said in told[0]


def test_an_input_that_is_cut_off_is_gone_on_with(inputs: Inputs, store: Store, content: dict[str, bytes]) -> None:
    path, whole = f"/sha256/{Digest.of(TOOL).hex}", files(content)

    def answer(asked: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if asked == path and "range" not in headers:
            return 200, {"Content-Length": str(len(TOOL))}, TOOL[:1000]
        return whole(asked, headers)

    with mirror(answer) as (address, asked):
        take(inputs, store, address)
    assert [headers.get("range", "") for at, headers in asked if at == path] == ["", "bytes=1000-"]
    assert store.intact(Digest.of(TOOL))


def test_what_a_run_left_is_gone_on_with_by_the_next(inputs: Inputs, store: Store, content: dict[str, bytes]) -> None:
    path = f"/sha256/{Digest.of(TOOL).hex}"
    cut = {**content, path: b""}
    left = store.root / "arriving" / Digest.of(TOOL).hex
    with mirror(
        lambda at, headers: (200, {"Content-Length": "9"}, TOOL[:7]) if at == path else files(cut)(at, headers)
    ) as (
        address,
        _,
    ):
        take(inputs, store, address)
    assert left.read_bytes() == TOOL[:7]
    with mirror(files(content)) as (address, asked):
        take(inputs, store, address)
    assert [headers["range"] for at, headers in asked if at == path] == ["bytes=7-"]
    assert store.intact(Digest.of(TOOL))
    assert not left.exists()


def test_a_mirror_that_lies_is_named_and_the_next_one_asked(
    inputs: Inputs, store: Store, content: dict[str, bytes]
) -> None:
    path = f"/sha256/{Digest.of(TOOL).hex}"
    with mirror(files({**content, path: TOOL[::-1]})) as (liar, _), mirror(files(content)) as (honest, _):
        lies, said = take(inputs, store, liar, honest)
    assert lies == [f"{liar}: scanner is not what the lock names"]
    assert lies[0] in said
    assert not inputs.missing(store, store.intact)
    assert not list((store.root / "arriving").iterdir())


def test_with_nobody_left_a_lie_is_what_is_wrong(
    inputs: Inputs, store: Store, content: dict[str, bytes], wheel: Path, tmp_path: Path
) -> None:
    other = {**content, f"/sha256/{Digest.of_file(wheel).hex}": wheel.read_bytes()[::-1]}
    with mirror(files(other)) as (liar, _):
        places = mirrors.named([liar], {})
        with pytest.raises(VerificationFailed) as raised:
            anyio.run(fill, inputs, tools(store, tmp_path), store, lambda _: None, store.has, places)
    assert f"a mirror has other bytes than the lock names: {liar}: {wheel.name}" in raised.value.explain()


@pytest.mark.parametrize(
    "page",
    [
        b"<html>Welcome</html>",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"artifactType": "application/vnd.supply-chain-pipeline.inputs.v1", "layers": [{}]}',
        json.dumps({"artifactType": listing.ARTIFACT_TYPE, "layers": [{}] * 10_001}).encode(),
    ],
    ids=["html", "list", "empty", "deep", "no-annotations", "endless"],
)
def test_a_page_that_is_no_listing_is_passed_over(inputs: Inputs, store: Store, page: bytes) -> None:
    with mirror(lambda *_: (200, {}, page)) as (address, _):
        lies, said = take(inputs, store, address)
    assert lies == []
    assert [line.partition(": its listing")[0] for line in said] == [f"passing over {address}"]


@pytest.mark.parametrize(("name", "size"), [("../../scanner", len(TOOL)), ("scanner", 3 << 30), ("scanner", 17)])
def test_a_hostile_listing_chooses_no_path_and_no_size(inputs: Inputs, store: Store, name: str, size: int) -> None:
    items = [Item(Digest.of(TOOL), name, size)]
    content = {"/linux-amd64.json": listing.listing(items, PLATFORM), f"/sha256/{Digest.of(TOOL).hex}": TOOL}
    with mirror(files(content)) as (address, _):
        take(inputs, store, address)
    assert not store.has(Digest.of(TOOL))
    assert not list(store.root.parent.glob("scanner"))


def test_a_mirror_that_is_too_slow_is_passed_over(
    inputs: Inputs, store: Store, content: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "_PATIENCE", 0.05)
    monkeypatch.setattr(mirrors, "_SLOWEST", 1 << 40)

    def slowly(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        time.sleep(0.1)
        return files(content)(path, headers)

    with mirror(slowly) as (address, _):
        _, said = take(inputs, store, address)
    assert f"passing over {address}: " in said[-1]
    assert "kB a second" in said[-1]


def test_a_redirect_to_a_place_that_anybody_between_can_answer_for_is_not_followed(
    inputs: Inputs, store: Store
) -> None:
    with mirror(lambda *_: (302, {"Location": "http://elsewhere.invalid/"}, b"")) as (address, _):
        _, said = take(inputs, store, address)
    assert said == [f"passing over {address}: not an address of https: http://elsewhere.invalid/"]


def test_another_projects_listing_does_not_hide_this_ones(
    inputs: Inputs, store: Store, content: dict[str, bytes]
) -> None:
    own = f"/{listing.names(PLATFORM, inputs.named())[0]}.json"
    other = listing.listing([], PLATFORM)
    with mirror(files({**content, own: content["/linux-amd64.json"], "/linux-amd64.json": other})) as (address, _):
        take(inputs, store, address)
    assert not inputs.missing(store, store.intact)


@pytest.mark.parametrize(
    "text", ["oci://Upper/case", "oci://nothost", "ftp://x/y", "http://elsewhere.invalid/m", "https://"]
)
def test_what_is_no_mirror_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a valid mirror"):
        mirrors.named([text], {})


def test_this_users_own_mirrors_come_first() -> None:
    places = mirrors.named(["/b", "/a"], {"PIPELINE_MIRROR": "oci://docker.io/a/b /a"})
    assert [each.name for each in places] == ["oci://docker.io/a/b", "/a", "/b"]


def test_a_login_in_an_address_is_told_to_nobody() -> None:
    with pytest.raises(UsageError) as raised:
        mirrors.named(["http://ann:secret@elsewhere.invalid/m"], {})
    assert "secret" not in raised.value.explain()
    assert mirrors.named(["https://ann:secret@elsewhere.invalid/m"], {})[0].name == "https://elsewhere.invalid/m"
