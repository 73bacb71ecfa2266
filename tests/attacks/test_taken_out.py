"""Each check that an attack expects is what refuses it: taken out, the attack succeeds, and `attack` says so."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from shipseal.attacks.attack import Attack
from shipseal.attacks.catalogue import ATTACKS, chosen
from shipseal.attacks.opening import opened
from shipseal.attacks.performing import ACCEPTED, attempt
from shipseal.attacks.target import AttackTarget
from shipseal.cli import main
from shipseal.digest import Digest
from shipseal.engine.run import Run
from shipseal.engine.world import choose
from shipseal.errors import PolicyDenied
from shipseal.locked.store import Store
from shipseal.project.config import Config
from shipseal.stages import admit
from shipseal.verification.grounds import Ground
from tests.attacks.mutants import MUTANTS
from tests.commands import Ended

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def root(finished: tuple[Path, Ended], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the project with its finished run, which attacks leave as it is."""
    return Path(shutil.copytree(finished[0], tmp_path_factory.mktemp("attacked") / "greetings", symlinks=True))


@pytest.fixture(scope="module")
def target(root: Path, store: Store, locked: dict[str, Digest]) -> Iterator[AttackTarget]:
    """Give the run, opened to be attacked."""
    config = Config.load(root / "pipeline.toml")
    run = Run(root / ".run", config, store, locked, choose("dry-run", config))
    with opened(run, datetime.now(UTC)) as target:
        yield target


def check_of(attack: Attack, target: AttackTarget) -> object:
    """Return what tells the check of an attack from others: for a ground, not of which kind; for content, of which."""
    refusal = attack.refusal(target.policy[0])
    lacks = {(each.ground, each.kind if each.ground is Ground.CONTENT else "") for each in refusal.unmet}
    return refusal.error, refusal.by, frozenset(lacks), refusal.bundles


@pytest.mark.parametrize("name", MUTANTS)
def test_an_attack_succeeds_once_its_check_is_taken_out(
    name: str, target: AttackTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    (attack,) = chosen([name])
    with monkeypatch.context() as patch:
        MUTANTS[name](patch)
        outcome = anyio.run(attempt, target, attack)
    assert (outcome.came, outcome.ok) == (ACCEPTED, False), outcome.why


def test_each_check_that_an_attack_expects_is_taken_out(target: AttackTarget) -> None:
    taken_out = {check_of(attack, target) for attack in chosen(MUTANTS)}
    assert {attack.name for attack in ATTACKS if check_of(attack, target) not in taken_out} == set()


def test_an_attack_that_succeeds_ends_the_command_with_6_and_its_name(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only = ["--only", "verdict-says-both", "--only", "file-edited"]
    with monkeypatch.context() as patch:
        MUTANTS["verdict-says-both"](patch)
        assert admit.admit.__name__ == "_admit"
        assert main(["attack", "--config", str(root / "pipeline.toml"), *only]) == 6
    said = capsys.readouterr()
    assert "verdict-says-both: expected PolicyDenied 3 by stages.admit.admit, came accepted" in said.err
    assert "WRONG  verdict-says-both" in said.out
    assert "ok     file-edited" in said.out


def test_a_control_that_is_refused_ends_the_command_with_6_and_its_name(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def deny(_: object) -> str:
        raise PolicyDenied("nothing may ship")

    with monkeypatch.context() as patch:
        patch.setattr(admit, "admit", deny)
        assert main(["attack", "--config", str(root / "pipeline.toml"), "--only", "file-edited"]) == 6
    said = capsys.readouterr().err
    assert "control-admit: expected accepted, came PolicyDenied 3 by" in said
    assert "make the run again" in said
