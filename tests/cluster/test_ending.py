"""However a cluster ends, nothing of it is left running."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from shipseal.cli import main
from shipseal.errors import RemoteFailed
from shipseal.local.cluster import cluster as in_process
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.tools.toolbox import Toolbox
from tests.cluster.running import cluster, gone, processes_of

SERVERS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]


def names(processes: dict[int, str]) -> list[str]:
    return sorted(Path(line.split()[0]).name for line in processes.values())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_cluster_that_is_stopped_leaves_no_process_and_no_file(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with cluster(tmp_path / "log") as running:
        assert names(running.servers()) == SERVERS
        running.process.send_signal(number)
        assert code == running.process.wait(timeout=30)
        assert not running.servers()
        assert not running.directory.exists()
    assert running.log.read_text().splitlines(keepends=True)[-1] == "stopped: nothing of the cluster is left\n"


def test_a_cluster_whose_command_is_killed_ends_with_it(tmp_path: Path) -> None:
    with cluster(tmp_path / "log") as running:
        assert names(running.servers()) == SERVERS
        running.process.kill()
        assert running.process.wait(timeout=30) == -signal.SIGKILL
        assert gone(running.directory)
    shutil.rmtree(running.directory)  # nobody was left to remove it


def test_a_cluster_that_loses_a_server_ends_and_says_which_and_its_last_words(tmp_path: Path) -> None:
    with cluster(tmp_path / "log") as running:
        (scheduler,) = [pid for pid, line in running.servers().items() if "/bin/kube-scheduler " in line]
        os.kill(scheduler, signal.SIGTERM)
        assert running.process.wait(timeout=30) == 5
        assert not running.servers()
        assert running.process.stdout is not None
        said = running.process.stdout.read()
    assert "kube-scheduler of the local cluster has ended, and the cluster with it" in said
    assert "finished without leader elect" in said


async def test_a_start_that_takes_too_long_ends_with_the_last_words_of_the_server(tmp_path: Path, store: Store) -> None:
    locked = Inputs.of_cluster().locked()
    tools = Toolbox(store, locked, frozenset(locked), tmp_path / "log.txt")
    (tmp_path / "cluster").mkdir()
    with pytest.raises(RemoteFailed) as failed:
        async with in_process(tools, tmp_path / "cluster", within=1):
            pass
    assert failed.value.what in {f"{server} did not start within 1 seconds" for server in SERVERS}
    assert failed.value.why
    assert not processes_of(tmp_path)


def test_a_tool_that_was_altered_is_not_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for tool in Inputs.of_cluster().tools:
        digest = tool.digest(Inputs.of_cluster().platform)
        entry = tmp_path / digest.algorithm / digest.hex
        entry.mkdir(parents=True)
        (entry / tool.name).write_text("#!/bin/sh\necho started >&2\n")
        (entry / tool.name).chmod(0o755)
    assert main(["cluster", "--store", str(tmp_path)]) == 4
    said = capsys.readouterr().err
    assert "kubernetes was altered in the store" in said
    assert "started" not in said
