"""`with_engine.sh` finds an engine or says what is missing, and stops the one that it has started, and no other."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("with_engine.sh")
PROGRAMS = ("docker-registry", "runc", "dnsmasq", "iptables", "ip", "debootstrap")
ENGINE = """#!/bin/bash
echo "$1" >> "$VERBS"
case $1 in
  status) [ -n "$UP" ] ;;
  start) exit "${START:-0}" ;;
  env) echo "export _EXPERIMENTAL_DAGGER_RUNNER_HOST=unix:///started" ;;
esac
"""


class Machine:
    """A machine with a program that starts engines, which writes down what it is asked."""

    def __init__(self, root: Path) -> None:
        """Put the engine, its home and the programs that it needs below a directory."""
        self.root = root
        self.verbs = root / "verbs"
        (root / "bin").mkdir()
        (root / "bin" / "realpath").symlink_to("/usr/bin/realpath")
        for name in PROGRAMS:
            (root / "bin" / name).touch(mode=0o755)
        (root / "engine.sh").write_text(ENGINE)
        (root / "py.ref").write_text("registry.invalid/py@sha256:0\n")

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command with an engine; variables are all that is set besides."""
        known = {"PATH": f"{self.root / 'bin'}:/usr/bin:/bin", "HOME": str(self.root), "VERBS": str(self.verbs)}
        return subprocess.run(
            ["/bin/bash", SCRIPT, *command],
            env={**known, "DAGGER_ENGINE_HOME": str(self.root), **environment},
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def asked(self) -> list[str]:
        """Return the verbs that the engine was asked for."""
        return self.verbs.read_text().split() if self.verbs.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_engine_that_is_started_is_stopped_again_whatever_the_command_did(machine: Machine) -> None:
    done = machine.run("sh", "-c", "exit 7", DAGGER_TEST_ENGINE="engine.sh")
    assert (done.returncode, machine.asked()) == (7, ["status", "start", "env", "stop"])


def test_the_command_sees_the_engine_and_its_base_image(machine: Machine) -> None:
    done = machine.run("sh", "-c", "env", DAGGER_TEST_ENGINE="engine.sh")
    assert "_EXPERIMENTAL_DAGGER_RUNNER_HOST=unix:///started" in done.stdout.splitlines()
    assert "DAGGER_TEST_BASE=registry.invalid/py@sha256:0" in done.stdout.splitlines()


def test_an_engine_that_runs_already_is_used_and_left_running(machine: Machine) -> None:
    done = machine.run("true", DAGGER_TEST_ENGINE="engine.sh", UP="yes")
    assert (done.returncode, machine.asked()) == (0, ["status", "env"])


def test_an_engine_that_does_not_start_ends_it_before_the_command(machine: Machine) -> None:
    done = machine.run("touch", "ran", DAGGER_TEST_ENGINE="engine.sh", START="1")
    assert done.returncode == 1
    assert machine.asked() == ["status", "start", "stop"]
    assert not (machine.root / "ran").exists()


def test_an_engine_that_is_configured_comes_first(machine: Machine) -> None:
    (machine.root / "bin" / "dagger").touch(mode=0o755)
    done = machine.run(
        "true", _EXPERIMENTAL_DAGGER_RUNNER_HOST="tcp://engine.invalid:1234", DAGGER_TEST_ENGINE="engine.sh"
    )
    assert (done.returncode, machine.asked()) == (0, [])


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "there is no Dagger engine"),
        ({"DAGGER_TEST_ENGINE": "nowhere"}, "DAGGER_TEST_ENGINE is no program: nowhere"),
        ({"_EXPERIMENTAL_DAGGER_RUNNER_HOST": "tcp://engine.invalid:1234"}, "there is no dagger to ask it"),
    ],
)
def test_what_is_missing_is_said_in_a_line_with_the_remedy(
    machine: Machine, environment: dict[str, str], said: str
) -> None:
    done = machine.run("true", **environment)
    assert done.returncode == 2
    assert said in done.stderr
    assert "  remedy " in done.stderr


def test_programs_that_are_missing_are_named_with_the_command_that_installs_them(machine: Machine) -> None:
    """Root has them installed; anybody else is told, and `id` says here that it is anybody else."""
    (machine.root / "bin" / "debootstrap").unlink()
    (machine.root / "bin" / "id").write_text("#!/bin/sh\necho 1000\n")
    (machine.root / "bin" / "id").chmod(0o755)
    done = machine.run("true", DAGGER_TEST_ENGINE="engine.sh", PATH=str(machine.root / "bin"))
    assert done.returncode == 2
    assert "sudo apt-get install" in done.stderr
    assert "debootstrap" in done.stderr
