"""Code goes by a reason and by no text: with every message reworded, the same failures end with the same codes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.disk import disk
from shipseal.distribution.fetch_image import fetch
from shipseal.distribution.registry import Registry
from shipseal.errors import FailureReason, ShipsealError, SubjectFailed, ToolFailed
from shipseal.locked.store import Store
from shipseal.smoke.junit import JunitOutcome
from shipseal.tools.toolbox import Toolbox

NOWHERE = Digest.of(b"nowhere")

Tool = Callable[[str], Toolbox]


@pytest.fixture(params=["as they are", "reworded"], autouse=True)
def messages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every failure with other words than those that the code has for it."""
    if request.param == "as they are":
        return
    made = ShipsealError.__init__

    def reworded(
        self: ShipsealError, what: str, *, why: str | Sequence[str] = (), remedy: str = "", **more: Any
    ) -> None:
        made(self, "words" if what else "", why=why, remedy="other words" if remedy else "", **more)

    monkeypatch.setattr(ShipsealError, "__init__", reworded)


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """Lock a program under the name of ORAS."""
    store = Store(tmp_path / "store")

    def make(script: str) -> Toolbox:
        program = tmp_path / "oras"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        digest = Digest.of_file(program)
        store.add(program, digest)
        return Toolbox(store, {"oras": digest}, frozenset({"oras"}), tmp_path / "log.txt")

    return make


def registry(tools: Toolbox) -> Registry:
    return Registry(tools, "127.0.0.1:1", "sample", plain_http=True)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 1", 5),
        ("echo 'digest mismatch' >&2; exit 1", 6),
        ("echo denied >&2; exit 1", 5),
        ("echo 'mismatch in the repository denied' >&2; exit 1", 6),
    ],
)
async def test_a_registry_is_at_fault_when_its_client_ran(tool: Tool, tmp_path: Path, script: str, code: int) -> None:
    with pytest.raises(ShipsealError) as caught:
        await fetch(registry(tool(script)), NOWHERE, tmp_path / "layout")
    assert code == caught.value.exit_code


async def test_the_tool_is_at_fault_when_it_is_not_there_or_another(tool: Tool, tmp_path: Path) -> None:
    tools = tool("exit 0")
    (entry,) = (tmp_path / "store").glob("sha256/*/oras")
    entry.chmod(0o755)
    entry.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ToolFailed) as altered:
        await registry(tools).pull(NOWHERE, tmp_path / "layout")
    entry.unlink()
    with pytest.raises(ToolFailed) as missing:
        await registry(tools).pull(NOWHERE, tmp_path / "layout")
    assert [altered.value.reason, missing.value.reason] == [FailureReason.ALTERED, FailureReason.MISSING]


async def test_a_program_that_takes_too_long_says_that_it_ran(tool: Tool) -> None:
    with pytest.raises(ToolFailed) as caught:
        await tool("sleep 20").run("oras", timeout=0.2)
    assert caught.value.reason == FailureReason.TIMED_OUT
    assert caught.value.ran


async def test_a_full_disk_is_nobodys_fault_whoever_was_blamed_for_it(tool: Tool, tmp_path: Path) -> None:
    async def blame() -> None:
        try:
            await tool("echo 'cp: x: No space left on device' >&2; exit 1").run("oras")
        except ToolFailed as error:
            raise SubjectFailed("the tests failed", why=error.why) from error

    with pytest.raises(ShipsealError) as caught, disk(tmp_path):
        await blame()
    assert (caught.value.exit_code, caught.value.reason) == (ToolFailed.exit_code, FailureReason.NO_SPACE)
    assert isinstance(caught.value.__cause__, SubjectFailed)


def test_tests_that_leave_no_report_on_a_full_disk_are_not_at_fault(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed) as caught, disk(tmp_path):
        JunitOutcome.read(b"", ["OSError: [Errno 28] No space left on device: 'junit.xml'"])
    assert isinstance(caught.value.__cause__, ToolFailed), "and the disk is told in its place"
