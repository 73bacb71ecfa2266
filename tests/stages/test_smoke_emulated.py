"""The other platform of an image is started by an emulator, asked the same, and told by its name."""

import platform
import shutil
from pathlib import Path

import pytest

from shipseal.engine.record import Record
from shipseal.engine.stage import Stage
from shipseal.errors import SubjectFailed
from shipseal.locked.store import Store
from shipseal.smoke.sandbox import EMULATORS
from shipseal.stages.smoke import smoke
from tests.stages.services import PROGRAM, SERVER, Service
from tests.stages.test_smoke import ASKS, NEITHER, PORT, needs_bubblewrap, smoked

BOTH = ("linux/amd64", "linux/arm64")
EMULATED = Stage("smoke", smoke, needs=("image",), tools=("bwrap", *EMULATORS.values()))


needs_emulator = pytest.mark.skipif(
    not any(shutil.which(name) for name in EMULATORS.values()), reason="no emulator: apt-get install qemu-user-static"
)


@needs_bubblewrap
@needs_emulator
async def test_the_other_platform_is_started_by_an_emulator_and_asked_the_same(store: Store, tmp_path: Path) -> None:
    service = Service(platforms=BOTH, settings=ASKS)
    found = await smoked(service, store, tmp_path / "both", EMULATED)
    (other,) = set(BOTH) - {found["platform"]}
    assert found["emulated"][other]["started"] is True
    assert found["emulated"][other]["requests"] == 2
    assert found["emulated"][other]["digest"] != found["digest"]
    assert found["started"] == {found["platform"]: found["digest"], other: found["emulated"][other]["digest"]}


@needs_bubblewrap
async def test_without_an_emulator_the_other_platform_is_told_as_not_started(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bwrap").symlink_to(shutil.which("bwrap") or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = await smoked(Service(platforms=BOTH, settings=ASKS), store, tmp_path / "one", EMULATED)
    (how,) = found["emulated"].values()
    assert how == {"started": False, "why": f"{EMULATORS['arm64']} is not installed on this machine"}
    assert found["started"] == {found["platform"]: found["digest"]}
    assert "linux/arm64 was not started" in Record.read(tmp_path / "one/.run/smoke").headline


RAISES_AGAIN = """def stop(*_):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)
    sys.exit(0)


def main"""
AS_UVICORN = SERVER.replace("def main", RAISES_AGAIN).replace("lambda *_: sys.exit(0)", "stop")


def log_of(root: Path) -> str:
    """Return what the smoke stage of a project has logged."""
    (log,) = root.glob(".run/smoke*/log.txt")
    return log.read_text()


def stopping(source: str, asks: str = ASKS["smoke"], platforms: tuple[str, ...] = BOTH) -> Service:
    return Service(files={**PROGRAM, "sample/server.py": source}, settings={"smoke": asks}, platforms=platforms)


@needs_bubblewrap
@needs_emulator
async def test_a_server_that_raises_the_caught_signal_again_ends_on_both_platforms(
    store: Store, tmp_path: Path
) -> None:
    found = await smoked(stopping(AS_UVICORN), store, tmp_path / "again", EMULATED)
    (other,) = found["emulated"].values()
    assert (found["exit_code"], other["exit_code"]) == (0, 143)


async def test_without_a_first_process_such_a_server_ends_as_it_should(store: Store, tmp_path: Path) -> None:
    source = AS_UVICORN.replace("8080", PORT)
    found = await smoked(stopping(source, platforms=BOTH[:1]), store, tmp_path / "loader", NEITHER)
    assert (found["isolation"], found["exit_code"]) == ("loader", -15)


async def test_without_a_first_process_a_server_that_has_no_handler_is_refused_all_the_same(
    store: Store, tmp_path: Path
) -> None:
    source = SERVER.replace("signal.signal(", "(").replace("8080", PORT)
    with pytest.raises(SubjectFailed, match="ended with exit code -15 after SIGTERM"):
        await smoked(stopping(source, platforms=BOTH[:1]), store, tmp_path / "loader", NEITHER)


HERE = platform.machine()
ELSEWHERE = {
    f"sys.exit(3 * (os.uname().machine != {HERE!r}))": "the service ended with exit code 3 after SIGTERM",
    f"sys.exit(0) if os.uname().machine == {HERE!r} else None": "the service does not stop within 1 s of SIGTERM",
}


@needs_bubblewrap
@needs_emulator
@pytest.mark.parametrize(("end", "message"), ELSEWHERE.items(), ids=["badly", "never"])
async def test_what_the_other_platform_does_badly_is_told_with_its_name_and_in_the_log(
    store: Store, tmp_path: Path, end: str, message: str
) -> None:
    source = SERVER.replace("import signal", "import os, signal").replace("sys.exit(0)", end)
    with pytest.raises(SubjectFailed) as caught:
        await smoked(stopping(source, "stop-seconds = 0.2"), store, tmp_path / "bad", EMULATED)
    (other,) = set(BOTH) - {f"linux/{'amd64' if HERE == 'x86_64' else 'arm64'}"}
    emulator = EMULATORS[other.rpartition("/")[2]]
    assert caught.value.what == f"on {other}, started by {emulator}: {message}"
    assert f"/{emulator} /emulator " in log_of(tmp_path / "bad").rpartition("\n$ bwrap ")[2]
