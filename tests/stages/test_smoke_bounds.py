"""What is started may write where it is told to, and becomes no more than a machine can bear."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from shipseal.errors import ConfigError, SubjectFailed
from shipseal.locked.store import Store
from shipseal.smoke.namespaces import command
from shipseal.tools.toolbox import Toolbox
from tests.stages.services import PROGRAM, SERVER, Service
from tests.stages.test_smoke import NEITHER, PORT, needs_bubblewrap, smoked
from tests.stages.test_smoke_emulated import BOTH, EMULATED, needs_emulator
from tests.stages.test_suite import ran, with_tests

WRITES = """import os

def where():
    found = []
    for place in ("/tmp", "/var/cache/sample", "/etc", "/srv"):
        try:
            with open(place + "/written", "w") as file:
                file.write("here")
            found.append(place)
        except OSError:
            pass
    return " ".join(found).encode()

import signal"""
NAMED = 'writable = ["/tmp", "/var/cache/sample"]'


def writing(more: str = "", port: str = "8080", platforms: tuple[str, ...] = BOTH[:1]) -> Service:
    """Return a service that says where it can write."""
    source = SERVER.replace("import signal", WRITES, 1).replace('hello")', 'hello " + where())').replace("8080", port)
    return Service(files={**PROGRAM, "sample/server.py": source}, settings={"smoke": more}, platforms=platforms)


def asking(places: str, named: str = NAMED) -> str:
    return f'{named}\nrequests = [{{ path = "/", contains = "hello {places}" }}]'


@needs_bubblewrap
async def test_a_service_writes_where_it_is_allowed_to_and_nowhere_else(store: Store, tmp_path: Path) -> None:
    found = await smoked(writing(asking("/tmp /var/cache/sample")), store, tmp_path / "writes")
    assert found["requests"][1]["body"] == "hello /tmp /var/cache/sample"
    found = await smoked(writing(), store, tmp_path / "nowhere")
    assert found["requests"][0]["body"] == "hello "


@needs_bubblewrap
@needs_emulator
async def test_the_other_platform_writes_in_the_same_places(store: Store, tmp_path: Path) -> None:
    found = await smoked(
        writing(asking("/tmp /var/cache/sample"), platforms=BOTH), store, tmp_path / "writes", EMULATED
    )
    assert len(found["started"]) == 2


async def test_the_loader_says_that_it_gives_no_directories(store: Store, tmp_path: Path) -> None:
    named = 'writable = ["/tmp", "/nonexistent/cache"]'
    found = await smoked(writing(named, PORT), store, tmp_path / "loader", NEITHER)
    assert found["limits"].endswith("is this machine's own, and cannot be written: /nonexistent/cache")
    await anyio.Path("/tmp/written").unlink()


@needs_bubblewrap
async def test_a_writable_file_or_link_of_the_image_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"smoke\.writable cannot name /etc/passwd/cache") as caught:
        await smoked(writing('writable = ["/etc/passwd/cache"]'), store, tmp_path / "file")
    assert caught.value.why == ("/etc/passwd is a file in the image",)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "run").symlink_to(tmp_path)
    with pytest.raises(ConfigError) as caught:
        command("bwrap", tmp_path / "root", "/usr/bin/python3", ("/run/cache",))
    assert caught.value.why == ("/run is a link in the image",)
    assert not (tmp_path / "cache").exists()


def before_it_listens(*lines: str) -> str:
    """Return the service's source with lines before it takes the first connection."""
    return SERVER.replace("    while True:\n", "".join(f"    {line}\n" for line in (*lines, "while True:")))


BOMB = before_it_listens("import os, time", "while True: os.fork() or time.sleep(60)")
HOARDER = before_it_listens("kept = [bytes(range(256)) * 4096 for _ in range(2000)]")
FILLS = before_it_listens("with open('/tmp/x', 'wb') as file:", "    for _ in range(2000): file.write(bytes(1 << 20))")


@needs_bubblewrap
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (BOMB, "more than 512 processes and threads at a time"),
        (HOARDER, "more than 1024 MiB of memory, files in memory included"),
        (FILLS, "more than 1024 MiB of memory, files in memory included"),
    ],
    ids=["processes", "memory", "files"],
)
async def test_a_service_that_becomes_too_much_is_ended_and_told(
    store: Store, tmp_path: Path, source: str, message: str
) -> None:
    service = Service(files={**PROGRAM, "sample/server.py": source}, settings={"smoke": 'writable = ["/tmp"]'})
    with pytest.raises(SubjectFailed, match=f"becomes too much: {message}"):
        await smoked(service, store, tmp_path / "much")
    with anyio.fail_after(5):
        while left(tmp_path):
            await anyio.sleep(0.05)


def left(root: Path) -> list[str]:
    """Return the command lines of processes that were started below a directory."""
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in found if str(root) in line]


FORKS = "import os, time\n\n\ndef test_x():\n    while True:\n        if not os.fork():\n            time.sleep(60)\n"


@needs_bubblewrap
async def test_a_test_that_forks_without_end_is_ended_and_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SubjectFailed, match="more than 1024 processes and threads at a time"):
        await ran(with_tests(FORKS), store, tmp_path / "forks")


async def test_what_a_program_says_on_stderr_is_held_by_its_ends(tmp_path: Path) -> None:
    tools = Toolbox(Store(tmp_path / "store"), {}, frozenset(), tmp_path / "log.txt")
    code = "import os; [os.write(2, b'%09d\\n' % n * 10000) for n in range(300)]"
    done = await tools.run(Path(sys.executable), "-c", code)
    assert (done.stderr[:9], done.stderr[-10:]) == (b"000000000", b"000000299\n")
    assert len(done.stderr) < 4 << 20


ENDLESS = SERVER.replace('hello")', 'hello")\n            [connection.sendall(b"y" * 65536) for _ in range(10**9)]')


@needs_bubblewrap
async def test_an_answer_without_end_is_read_as_far_as_a_mebibyte(store: Store, tmp_path: Path) -> None:
    source = ENDLESS.replace("    while True:", "    signal.signal(signal.SIGPIPE, signal.SIG_IGN)\n    while True:")
    source = source.replace("with connection:", "with connection, __import__('contextlib').suppress(OSError):")
    service = Service(files={**PROGRAM, "sample/server.py": source}, settings={"smoke": "timeout-seconds = 5"})
    found = await smoked(service, store, tmp_path / "endless")
    assert found["requests"][0]["passed"]
