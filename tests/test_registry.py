"""The registry is a real olareg, and the client the real ORAS; where a registry misbehaves, a real server does it."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry
from shipseal.engine.run import Run
from shipseal.errors import RemoteFailed, VerificationFailed
from shipseal.oci.layout import Layout
from shipseal.stages.publish import bundles_of, compare, referrers_of
from shipseal.tools.toolbox import Toolbox
from tests.conftest import MakeRun
from tests.layouts import write_layout


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return make_run()


@pytest.fixture
def tools(run: Run, tmp_path: Path) -> Toolbox:
    return Toolbox(run.store, run.locked, frozenset({"oras", "olareg"}), tmp_path / "log.txt")


@pytest.fixture
async def registry(run: Run, tools: Toolbox, tmp_path: Path) -> AsyncIterator[Registry]:
    (tmp_path / "registry").mkdir()
    async with run.world.registry(tools, tmp_path / "registry", writable=True) as registry:
        yield registry


async def pull_evidence(registry: Registry, place: Path) -> None:
    """Fetch whatever refers to what was pushed from `layout` into `back`."""
    for digest in {each for found in referrers_of(Layout(place / "layout")).values() for each in found}:
        await registry.pull(digest, place / "back")


async def test_what_is_pushed_by_digest_is_read_back_whole(registry: Registry, tmp_path: Path) -> None:
    index, platforms = write_layout(tmp_path / "layout")
    await registry.push(tmp_path / "layout", index)
    await registry.pull(index, tmp_path / "back")
    assert len(list((tmp_path / "back" / "blobs" / "sha256").iterdir())) == 6, "and nothing that refers to it"
    await pull_evidence(registry, tmp_path)
    assert compare(tmp_path / "layout", tmp_path / "back", "here")[0] == 14
    assert Digest.of(await registry.manifest(platforms[0])) == platforms[0]


def test_an_image_without_evidence_is_not_published(tmp_path: Path) -> None:
    write_layout(tmp_path / "layout", evidence=0)
    layout = Layout(tmp_path / "layout")
    with pytest.raises(VerificationFailed, match="attest/layout holds no evidence"):
        bundles_of(layout, referrers_of(layout))


async def test_every_referrer_is_found_at_every_subject(registry: Registry, tmp_path: Path) -> None:
    index, platforms = write_layout(tmp_path / "layout", evidence=3)
    await registry.push(tmp_path / "layout", index)
    expected = referrers_of(Layout(tmp_path / "layout"))
    for subject in [index, *platforms]:
        found = {Digest.parse(str(item["digest"])) for item in await registry.referrers(subject)}
        assert found == expected[subject]
        assert len(found) == 3


async def test_pushing_again_leaves_each_piece_once(registry: Registry, tmp_path: Path) -> None:
    index, _ = write_layout(tmp_path / "layout")
    await registry.push(tmp_path / "layout", index)
    await registry.push(tmp_path / "layout", index)
    assert len(await registry.referrers(index)) == 2


async def test_nothing_is_reachable_by_a_tag_until_one_is_moved(registry: Registry, tmp_path: Path) -> None:
    index, _ = write_layout(tmp_path / "layout")
    await registry.push(tmp_path / "layout", index)
    assert await registry.resolve("1.0.0") is None
    await registry.tag(index, "1.0.0", "1.0")
    assert await registry.resolve("1.0") == index


async def test_a_registry_opened_for_reading_takes_nothing(run: Run, tools: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    index, _ = write_layout(tmp_path / "layout")
    async with run.world.registry(tools, tmp_path / "registry") as registry:
        with pytest.raises(RemoteFailed, match="does not allow"):
            await replace(registry, writable=True).push(tmp_path / "layout", index)


async def test_a_blob_that_comes_back_other_than_it_went_is_named(registry: Registry, tmp_path: Path) -> None:
    index, _ = write_layout(tmp_path / "layout")
    await registry.push(tmp_path / "layout", index)
    await registry.pull(index, tmp_path / "back")
    await pull_evidence(registry, tmp_path)
    victim = tmp_path / "back" / "blobs" / "sha256" / index.hex
    victim.chmod(0o644)
    victim.write_bytes(b"x" + victim.read_bytes()[1:])
    with pytest.raises(RemoteFailed, match=f"does not give back {index}"):
        compare(tmp_path / "layout", tmp_path / "back", "here")
    victim.unlink()
    with pytest.raises(RemoteFailed) as caught:
        compare(tmp_path / "layout", tmp_path / "back", "here")
    assert caught.value.why == ("it is missing",)


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[int]:
    """Serve every request with one answer, on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            answer(self)

        do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815 - the names are the base class's

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield httpd.server_port
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def refuse(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(401)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def challenge(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(401)
    handler.send_header("WWW-Authenticate", 'Basic realm="tests"')
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def break_down(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(500)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def drop(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.close()


@pytest.mark.parametrize("answer", [refuse, challenge])
async def test_a_registry_that_lets_nobody_in_is_not_taken_for_an_empty_one(
    tools: Toolbox, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    with server(answer) as port:
        registry = Registry(tools, f"127.0.0.1:{port}", "acme/app", plain_http=True, writable=True)
        with pytest.raises(RemoteFailed, match=rf":{port} does not allow this login `oras resolve` in") as caught:
            await registry.resolve("1.0.0")
    assert caught.value.remedy.startswith("run `docker login 127.0.0.1:")


@pytest.mark.parametrize("answer", [drop, pytest.param(break_down, marks=pytest.mark.timeout(120))])
async def test_a_registry_that_misbehaves_is_said_by_name(
    tools: Toolbox, tmp_path: Path, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    index, _ = write_layout(tmp_path / "layout")
    with server(answer) as port:
        registry = Registry(tools, f"127.0.0.1:{port}", "acme/app", plain_http=True, writable=True)
        with pytest.raises(RemoteFailed, match=rf"127\.0\.0\.1:{port} did not do `oras cp` for acme/app") as caught:
            await registry.push(tmp_path / "layout", index)
    assert caught.value.why
    assert caught.value.exit_code == 5
