"""Attacks on a finished dry run are refused, each by the check that is there for it, and the run stays as it is."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from shipseal.attacks.catalogue import ATTACKS, CONTROLS, table
from shipseal.digest import Digest
from shipseal.project.config import HOME
from shipseal.project.reads import DEFAULT_POLICY
from shipseal.verification.policy_file import read_policy
from tests.commands import Ended, commit, flip, pipeline

pytestmark = pytest.mark.timeout(600)

NAMES = [*(each.name for each in ATTACKS), *(each.name for each in CONTROLS)]
BESIDE = frozenset({"attack", "run.json", "lock", "__pycache__"})


def project(finished: tuple[Path, Ended], target: Path) -> Path:
    """Return a copy of the project with its finished run."""
    return Path(shutil.copytree(finished[0], target, symlinks=True))


@pytest.fixture
def copy(finished: tuple[Path, Ended], tmp_path: Path) -> Path:
    """Give a copy of the project with its finished run."""
    return project(finished, tmp_path / "greetings")


def attacked(root: Path) -> tuple[Ended, Any]:
    """Make all attacks; return how that ended, and what is written of it."""
    ended = pipeline("attack", "--json", cwd=root, timeout=550)
    return ended, json.loads((root / ".run" / "attack" / "attack.json").read_bytes())


def require_all_refused(ended: Ended, document: Any) -> None:
    wrong = [each for each in (*document["control"], *document["attacks"]) if not each["ok"]]
    assert (ended.code, wrong) == (0, []), ended.output
    assert [each["name"] for each in document["attacks"]] == [each.name for each in ATTACKS]
    assert [each["name"] for each in document["control"]] == [each.name for each in CONTROLS]
    assert {each["refused_by"] for each in document["control"]} == {""}
    assert all(each["refused_by"] == each["expected"] for each in document["attacks"])


def test_on_a_sample_each_is_refused_as_it_must_be_the_control_passes_and_the_run_stays_as_it_is(
    finished: tuple[Path, Ended], tmp_path: Path
) -> None:
    root = project(finished, tmp_path / "greetings")
    before = Digest.of_tree(root / ".run", leave_out=BESIDE)
    ended, document = attacked(root)
    require_all_refused(ended, document)
    assert len(ATTACKS) > 50
    assert document["image"] == json.loads((root / ".run/image/image.json").read_bytes())["digest"]
    assert Digest.of_tree(root / ".run", leave_out=BESIDE) == before
    *events, last = [json.loads(line) for line in ended.stdout.splitlines()]
    assert sorted(each["name"] for each in events) == sorted(NAMES)
    assert (last["event"], last["ok"], last["left_out"]) == ("attacks", True, {})


def test_on_what_this_repository_releases_each_is_refused_as_it_must_be(tmp_path: Path) -> None:
    """Its image, for all of its platforms; of its tests those that take no time, for these are others' to run."""
    for name in ("service", "image", "k8s", "policy"):
        shutil.copytree(HOME / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests" / "service").mkdir(parents=True)
    for name in ("client.py", "conftest.py", "pytest.ini", "test_settings.py"):
        shutil.copy(HOME / "tests" / "service" / name, tmp_path / "tests" / "service")
    before, _, after = (HOME / "pipeline.toml").read_text().partition('suite = ["tests/service"]')
    (tmp_path / "pipeline.toml").write_text(before + after[after.index("[image]") :])
    commit(tmp_path)
    assert (ran := pipeline("dry-run", cwd=tmp_path)).code == 0, ran.output
    require_all_refused(*attacked(tmp_path))


def test_one_attack_alone_is_told_as_a_table_and_written_nowhere(copy: Path) -> None:
    ended = pipeline("attack", "--only", "file-edited", cwd=copy)
    assert ended.code == 0, ended.output
    assert "ok     file-edited                    one byte of a product changed" in ended.stdout
    assert "ok     control-admit                  nothing" in ended.stdout
    assert "1 of 1 attacks on sha256:" in ended.stdout
    assert not (copy / ".run" / "attack").exists()
    assert not (copy / ".run" / "attack.part").exists()


def test_an_attack_for_which_the_policy_does_not_ask_is_left_out_and_said(copy: Path) -> None:
    policy = copy / "rules" / "verification.toml"
    policy.write_text(policy.read_text().replace('openvex = "image"\n', ""))
    ended = pipeline("attack", "--only", "statement-removed", "--only", "vex-of-another-image", cwd=copy)
    assert ended.code == 0, ended.output
    assert ended.stdout.count("left out: the policy dry-run asks for no openvex") == 2


def test_what_there_is_can_be_listed_without_a_run(tmp_path: Path) -> None:
    ended = pipeline("attack", "--list", "--json", cwd=tmp_path)
    listed = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (ended.code, [each["name"] for each in listed]) == (0, [each.name for each in ATTACKS])


def _without_promote(root: Path) -> None:
    shutil.rmtree(root / ".run" / "promote")


def _without_a_run(root: Path) -> None:
    shutil.rmtree(root / ".run")


def _of_a_release(root: Path) -> None:
    record = root / ".run" / "facts" / "record.json"
    record.write_text(record.read_text().replace('"world": "dry-run"', '"world": "release"'))


def _with_another_lock(root: Path) -> None:
    with (root / "locks" / "run.lock").open("a") as lock:
        lock.write("# another\n")


def _with_a_flipped_byte(root: Path) -> None:
    flip(root / ".run" / "sbom" / "linux-amd64" / "sbom.cdx.json")


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (_without_a_run, 2, "make one: `shipseal dry-run`"),
        (_without_promote, 2, "promote has not finished"),
        (_of_a_release, 2, "is a release, and only a dry run is attacked"),
        (_with_another_lock, 2, "is not of this project as it is now"),
        (_with_a_flipped_byte, 6, "sbom/linux-amd64/sbom.cdx.json was altered"),
    ],
)
def test_what_is_no_whole_dry_run_of_the_project_is_not_attacked_and_it_is_said_what_to_do(
    change: Any, code: int, said: str, copy: Path
) -> None:
    change(copy)
    ended = pipeline("attack", "--only", "file-edited", cwd=copy)
    assert (ended.code, said in ended.stderr) == (code, True), ended.output


def test_an_attack_that_does_not_exist_is_named(copy: Path) -> None:
    ended = pipeline("attack", "--only", "nothing", cwd=copy)
    assert (ended.code, "there is no attack nothing" in ended.stderr) == (2, True)


def test_the_document_has_the_table_of_the_code() -> None:
    text = (HOME / "docs" / "attack.md").read_text(encoding="utf-8")
    policy = read_policy(HOME / DEFAULT_POLICY / "verification.toml", "dry-run")
    assert text.partition("\n| name |")[1:] != ("", "")
    assert "| name |" + text.partition("\n| name |")[2].rstrip("\n") == table(policy)


def test_no_two_attacks_have_one_name() -> None:
    assert len(set(NAMES)) == len(NAMES)
