"""The toolbox starts real processes, checks what it starts, and leaves none behind."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, ToolFailed, UsageError
from shipseal.locked.store import Store
from shipseal.tools.outputs import Held
from shipseal.tools.toolbox import Toolbox

PYTHON = Path(sys.executable)


def toolbox(tmp_path: Path, **changes: object) -> Toolbox:
    values: dict[str, object] = {
        "store": Store(tmp_path / "store"),
        "locked": {},
        "declared": frozenset({"python", "true"}),
        "log": tmp_path / "log.txt",
    }
    return Toolbox(**{**values, **changes})  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Say whether a process runs; one that is dead and not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int, within: float = 5) -> bool:
    end = time.monotonic() + within
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


async def test_both_outputs_are_drained_together_however_long_they_are(tmp_path: Path) -> None:
    chatty = "import sys\nfor _ in range(200): sys.stderr.write('e' * 4096); sys.stdout.write('o' * 4096)"
    done = await toolbox(tmp_path).run(PYTHON, "-c", chatty, timeout=20)
    assert (len(done.stdout), len(done.stderr)) == (200 * 4096, 200 * 4096)


async def test_an_output_that_nobody_parses_is_held_within_bounds(tmp_path: Path) -> None:
    chatty = "import sys\nprint('first')\nfor _ in range(200): sys.stdout.write('o' * (1 << 20))\nprint('\\nlast')"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = await toolbox(tmp_path).run(PYTHON, "-c", chatty, timeout=60)
    assert (done.said[:5], done.said[-5:]) == (b"first", b"last\n")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 << 10  # kB, of 200 MB held once and copied


async def test_an_answer_without_end_is_refused_and_not_taken_for_a_short_one(tmp_path: Path) -> None:
    endless = "import sys\nfor _ in range(210): sys.stdout.write('o' * (1 << 20))"
    done = await toolbox(tmp_path).run(PYTHON, "-c", endless, timeout=60)
    with pytest.raises(ToolFailed, match="said more than 64 MB"):
        assert done.stdout


STAYS = """
import os, sys, time
if os.fork():
    sys.exit()
{leave}
open({file!r}, "w").write(str(os.getpid()))
time.sleep(60)
"""


@pytest.mark.parametrize("leave", ["", "os.setsid()", "os.setsid()\nif os.fork(): sys.exit()"])
async def test_nothing_that_a_program_has_left_behind_outlives_it(tmp_path: Path, leave: str) -> None:
    """Its group is ended although it has ended well; and so is a daemon, which has left the group."""
    pid = tmp_path / "pid"
    script = "import os, subprocess, sys, time\n"
    script += f"subprocess.Popen([sys.executable, '-c', {STAYS.format(leave=leave, file=str(pid))!r}], close_fds=True,"
    script += "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
    script += f"while not os.path.exists({str(pid)!r}) or not open({str(pid)!r}).read(): time.sleep(0.01)"
    await toolbox(tmp_path).run(PYTHON, "-c", script, timeout=20)
    assert gone(int((tmp_path / "pid").read_text()), within=1)


async def test_an_orphan_that_dies_meanwhile_is_collected_as_an_init_would(tmp_path: Path) -> None:
    """A test of a service may wait until the children of what it has killed are gone."""
    orphan = "import os\nif os.fork(): os._exit(0)\nprint(os.getpid(), flush=True)"
    script = textwrap.dedent(f"""
        import os, subprocess, sys, time
        asked = subprocess.run([sys.executable, "-c", {orphan!r}], stdout=subprocess.PIPE, check=True)
        end = time.monotonic() + 10
        while os.path.exists(f"/proc/{{int(asked.stdout)}}"):
            assert time.monotonic() < end, "it is a zombie"
            time.sleep(0.01)
    """)
    await toolbox(tmp_path).run(PYTHON, "-c", script, timeout=30)


async def test_many_programs_at_a_time_each_end_with_their_own_code(tmp_path: Path) -> None:
    """One that is just being started is nobody's leftover, whoever else ends in that moment."""
    tools = toolbox(tmp_path)

    async def one(number: int) -> None:
        for _ in range(60):
            done = await tools.run(PYTHON, "-I", "-S", "-c", f"raise SystemExit({number})", ok=range(256))
            assert number == done.code

    async with anyio.create_task_group() as group:
        for number in (1, 2):
            group.start_soon(one, number)


def running(words: bytes) -> list[int]:
    """Return the processes that have these words in their command line."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found += [int(each.name)] if words in (each / "cmdline").read_bytes() else []
    return found


async def test_whoever_is_stopped_while_a_program_starts_leaves_none_of_it(tmp_path: Path) -> None:
    """At whatever moment that is: what the program has started by then goes with it."""
    tools, script = toolbox(tmp_path), "/bin/sleep 314.159 & /bin/sleep 314.159"
    for number in range(200):
        with anyio.move_on_after(number / 10_000):
            await tools.run(Path("/bin/sh"), "-c", script, timeout=20)
    assert all(gone(each, within=5) for each in running(b"314.159"))


async def test_what_another_block_has_started_is_left_alone(tmp_path: Path) -> None:
    async def ready() -> bool:
        return (tmp_path / "up").exists()

    serve = f"import pathlib, time; pathlib.Path({str(tmp_path / 'up')!r}).touch(); time.sleep(60)"
    tools = toolbox(tmp_path)
    async with tools.serve(PYTHON, "-c", serve, ready=ready) as server:
        await tools.run(PYTHON, "-c", "import os; os.fork()")
        assert alive(server.pid)


async def test_what_somebody_else_in_this_process_starts_meanwhile_is_left_to_them(tmp_path: Path) -> None:
    """Whoever has started a child waits for it: its exit code is theirs, and it may outlive what is ours."""
    tools = toolbox(tmp_path)

    async def ready() -> bool:
        return True

    async with tools.serve(PYTHON, "-c", "import time; time.sleep(60)", ready=ready):
        done = [await anyio.run_process(["/bin/sh", "-c", "exit 3"], check=False) for _ in range(40)]
        lives = await anyio.open_process(["/bin/sleep", "60"])
    try:
        assert [each.returncode for each in done] == [3] * 40
        assert lives.returncode is None
        assert alive(lives.pid)
    finally:
        lives.kill()
        await lives.wait()


async def test_a_log_keeps_the_beginning_and_the_end_of_a_long_output_and_no_part_of_a_secret(tmp_path: Path) -> None:
    secret, half = "s3cret-" * 8, 32 * 1024
    tell = f"print('first' + 'x' * {half - 25} + 's3cret-' * 8 + 'y' * {3 * half} + 'last')"
    await toolbox(tmp_path, secrets=(secret,)).run(PYTHON, "-c", tell)
    log = (tmp_path / "log.txt").read_text().splitlines()
    assert log[1].startswith("firstx")
    assert "characters left out]" in log[2]
    assert log[3].endswith("ylast")
    assert not any("s3cret" in line for line in log[1:])


async def test_a_child_has_no_input_and_sees_only_what_is_written_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for you")
    tell = "import os, sys; print(sorted(os.environ), repr(sys.stdin.read()))"
    done = await toolbox(tmp_path).run(PYTHON, "-I", "-c", tell, env={"ADDED": "1"})
    assert done.stdout.decode() == "['ADDED', 'HOME', 'LC_ALL', 'PATH', 'TZ'] ''\n"


async def test_another_exit_code_is_a_failure_with_the_last_words(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="ended with exit code 3") as caught:
        await toolbox(tmp_path).run(PYTHON, "-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)")
    assert caught.value.why == ("the reason",)


async def test_a_tool_that_hangs_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    tools = toolbox(tmp_path)
    # A shell: Python may need more than this second to say anything.
    with pytest.raises(ToolFailed, match="more than 1 seconds"):
        await tools.run(Path("/bin/sh"), "-c", "sleep 60 & echo $!; wait", timeout=1)
    grandchild = int((tmp_path / "log.txt").read_text().splitlines()[1])
    assert gone(grandchild)


async def test_a_cancelled_tool_is_stopped(tmp_path: Path) -> None:
    pids: list[int] = []
    async with anyio.create_task_group() as group:

        def stop(pid: int) -> None:
            pids.append(pid)
            group.cancel_scope.cancel()

        await toolbox(tmp_path).run(PYTHON, "-c", "import time; time.sleep(60)", on_start=stop)
    (pid,) = pids
    assert gone(pid)


def test_a_child_dies_with_its_parent_even_when_that_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import anyio, sys
        from pathlib import Path
        from shipseal.locked.store import Store
        from shipseal.tools.toolbox import Toolbox
        tools = Toolbox(Store(Path({str(tmp_path)!r})), {{}}, frozenset(), Path({str(tmp_path / "log")!r}))
        child = "import os, time; open({str(tmp_path / "pid")!r}, 'w').write(str(os.getpid())); time.sleep(60)"
        anyio.run(lambda: tools.run(Path(sys.executable), "-c", child))
        """)
    parent = subprocess.Popen([PYTHON, "-c", script])
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.02)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert gone(int((tmp_path / "pid").read_text()))


async def test_a_secret_is_cut_out_of_the_log_the_record_and_the_failure(tmp_path: Path) -> None:
    tools = toolbox(tmp_path, secrets=("hunter2",))
    with pytest.raises(ToolFailed) as caught:
        await tools.run(PYTHON, "-c", "import sys; print('password hunter2'); sys.exit(1)", "hunter2")
    seen = (tmp_path / "log.txt").read_text() + str(tools.commands) + caught.value.explain()
    assert "hunter2" not in seen
    assert "password [redacted]" in caught.value.explain()
    assert "[redacted]" in tools.commands[0].arguments


async def test_a_tool_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cosign is not among the tools"):
        await toolbox(tmp_path).run("cosign")


async def test_a_program_that_is_not_installed_is_named(tmp_path: Path) -> None:
    tools = toolbox(tmp_path, declared=frozenset({"no-such-program"}))
    with pytest.raises(ToolFailed, match="no-such-program is not installed"):
        await tools.run("no-such-program")


def locked_echo(tmp_path: Path) -> tuple[Toolbox, Path]:
    script = tmp_path / "echo"
    script.write_text("#!/bin/sh\necho the locked tool\n")
    script.chmod(0o755)
    digest = Digest.of_file(script)
    store = Store(tmp_path / "store")
    stored = store.add(script, digest)
    return toolbox(tmp_path, store=store, locked={"echo": digest}, declared=frozenset({"echo"})), stored


async def test_a_locked_tool_runs_and_its_digest_is_recorded(tmp_path: Path) -> None:
    tools, stored = locked_echo(tmp_path)
    assert (await tools.run("echo")).stdout == b"the locked tool\n"
    assert tools.used == {"echo": Digest.of_file(stored)}


async def test_a_locked_tool_with_one_changed_byte_is_refused(tmp_path: Path) -> None:
    tools, stored = locked_echo(tmp_path)
    stored.chmod(0o755)
    stored.write_bytes(stored.read_bytes().replace(b"locked", b"lockeD"))
    with pytest.raises(ToolFailed, match="echo was altered"):
        await tools.run("echo")


async def test_a_server_lives_as_long_as_its_block(tmp_path: Path) -> None:
    async def ready() -> bool:
        return (tmp_path / "up").exists()

    serve = f"import pathlib, time; pathlib.Path({str(tmp_path / 'up')!r}).touch(); time.sleep(60)"
    async with toolbox(tmp_path).serve(PYTHON, "-c", serve, ready=ready) as process:
        assert alive(process.pid)
    assert gone(process.pid)


@pytest.mark.parametrize(("ends", "code"), [("time.sleep(60)", 0), ("sys.exit(3)", 3)])
async def test_how_a_server_ended_is_recorded_unless_it_was_stopped_because_nobody_needs_it(
    tmp_path: Path, ends: str, code: int
) -> None:
    async def ready() -> bool:
        return (tmp_path / "up").exists()

    tools = toolbox(tmp_path)
    serve = f"import pathlib, sys, time; pathlib.Path({str(tmp_path / 'up')!r}).touch(); time.sleep(0.3); {ends}"
    async with tools.serve(PYTHON, "-c", serve, ready=ready) as process:
        with anyio.move_on_after(0.2 if code == 0 else 10):
            await process.wait()
    assert [command.exit_code for command in tools.commands] == [code]


async def test_a_server_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    async def ready() -> bool:
        return False

    with pytest.raises(RemoteFailed, match="did not start") as caught:
        async with toolbox(tmp_path).serve(PYTHON, "-c", "import sys; sys.exit('port in use')", ready=ready, within=5):
            raise AssertionError("it was never ready")
    assert caught.value.why == ("port in use",)


def test_content_that_was_asked_for_within_bounds_is_no_log() -> None:
    held = Held(100, stops=True)
    assert held.for_log() == b""
    held.extend(b"a bundle of somebody's")
    assert held.for_log() == b"[22 bytes]\n"
    held.extend(b"x" * 200)
    assert held.for_log().endswith(b"bytes and more]\n")
    words = Held(100)
    words.extend(b"what a tool says")
    assert words.for_log() == b"what a tool says"
