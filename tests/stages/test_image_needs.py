"""No module is kept for nothing: each is taken away in turn, and the service misses it, but for four with a reason."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.image.bytecode import start, this_platform
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.oci.platform_image import Built
from shipseal.runtime import BOOKWORM
from tests.stages.services import PROGRAM, Service

SITE = BOOKWORM.site
STANDARD = BOOKWORM.standard

PLATFORM = this_platform(["linux/amd64", "linux/arm64"])
SERVER = """
import signal, socket

def main():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        print("served")
"""
FOR_A_REASON = {
    f"{STANDARD}/os.pyc": "the interpreter finds its library by it, and warns where it is not there",
    f"{STANDARD}/encodings/ascii.pyc": "it is looked up by name, as what asks the service in the sandbox does",
    f"{STANDARD}/encodings/latin_1.pyc": "it is looked up by name, as HTTP does",
    f"{SITE}/sample/__init__.pyc": "without it the directory is a namespace package, which its maker did not test",
}


@pytest.fixture(scope="module")
def root(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the files of an image that tells "served" and ends."""
    service = Service(files={**PROGRAM, "sample/server.py": SERVER}, platforms=(PLATFORM,))
    run = service.run(store, tmp_path_factory.mktemp("needs") / "project")
    document = anyio.run(service.image, run)
    root = tmp_path_factory.mktemp("root") / "root"
    layout = Layout(run.directory / "image" / "layout")
    Built.read(layout, Digest.parse(document["platforms"][PLATFORM]["digest"])).unpack(root)
    return root


def misses(root: Path) -> bool:
    """Say whether the service fails on these files, in an environment as empty as a container's."""
    command = [*start(root, PLATFORM.removeprefix("linux/")), "-I", "-B", "-m", "sample"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env={})
    return (ended.returncode, ended.stdout) != (0, "served\n")


def without_each(root: Path) -> Iterator[str]:
    """Take one file of Python code away at a time."""
    for path in sorted(root.rglob("*.pyc")):
        hidden = path.rename(path.with_suffix(".hidden"))
        yield path.relative_to(root).as_posix()
        hidden.rename(path)


def test_without_any_kept_module_the_service_fails_and_with_all_of_them_it_does_not(root: Path) -> None:
    assert not misses(root)
    idle = {path for path in without_each(root) if not misses(root)}
    assert idle == FOR_A_REASON.keys()
    assert not misses(root)
