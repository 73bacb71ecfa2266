"""Whoever signs for a project at build level 3 is asked for every claim: one that is another, and nothing passes."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.locked.store import Store
from shipseal.statements.builders import PredicateType
from tests.release import resigned
from tests.release.called import BUILDER, CALLER, WORKFLOW, Called
from tests.release.conftest import MakeProject
from tests.release.projects import head
from tests.release.registries import Served, olareg

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def built(
    make_project: MakeProject, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Called]:
    """Give a project that the first job has built."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("registry"), "--api-delete") as registry:
        project = Called.of(make_project(registry))
        project.build()
        yield project


@pytest.fixture(scope="module")
def signer(built: Called, tmp_path_factory: pytest.TempPathFactory) -> Called:
    """Give the machine of the second job."""
    return built.elsewhere(tmp_path_factory.mktemp("signer"))


def content(registry: Served) -> set[str]:
    """Return every file that a registry has."""
    return {str(path) for path in (registry.log.parent / "files").rglob("*") if path.is_file()}


CHANGED = [
    ("job_workflow_ref", "evil/pipeline/.github/workflows/build-and-sign.yml@main", "its workflow is"),
    ("workflow_ref", "acme/greetings/.github/workflows/test.yml@refs/heads/main", "it was called by"),
    ("repository", "evil/greetings", "its repository is"),
    ("ref", "refs/heads/else", "its ref is"),
    ("event_name", "pull_request_target", "a pull request has started it"),
    ("runner_environment", "self-hosted", "its runner is"),
    ("environment", "test", "its environment is"),
    ("sha", "0" * 40, f"and the certificate names {'0' * 40}"),
]


@pytest.mark.parametrize(("claim", "value", "said"), CHANGED, ids=[claim for claim, *_ in CHANGED])
def test_a_token_with_one_other_claim_signs_nothing(
    signer: Called, built: Called, claim: str, value: str, said: str
) -> None:
    before = content(built.registry)
    ended = replace(signer, changed={claim: value}).sign(built.run_dir)
    assert (ended.code, content(built.registry)) == (6, before), ended.output
    assert said in ended.stderr
    assert list(signer.run_dir.glob("attest.*/bundles/*")) == []


@pytest.fixture(scope="module")
def released(signer: Called, built: Called) -> str:
    """Give the image that was released at level 3, by reference."""
    ended = signer.sign(built.run_dir)
    assert ended.code == 0, ended.output
    return str(signer.read("publish/receipt.json")["reference"])


def test_the_builder_is_the_called_workflow_and_the_source_the_callers(released: str, signer: Called) -> None:
    assert released
    provenance = signer.read("attest/statements/provenance.json")["predicate"]
    assert provenance["runDetails"]["builder"]["id"] == BUILDER
    assert provenance["buildDefinition"]["externalParameters"]["source"]["uri"] == CALLER
    assert provenance["buildDefinition"]["resolvedDependencies"][0]["digest"] == {"gitCommit": head(signer.root)}


def test_the_summary_says_level_3(released: str, signer: Called) -> None:
    assert released
    summary = signer.read("verify/summary.json")
    assert (summary["predicateType"], summary["predicate"]["verifiedLevels"]) == (
        PredicateType.SUMMARY,
        ["SLSA_BUILD_LEVEL_3"],
    )


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        (f'repository = "{CALLER}"', 'repository = "https://github.com/acme/else"'),
        (f'workflow = "{WORKFLOW}"', 'workflow = ".github/workflows/else.yml"'),
        ('"refs/heads/main"', '"refs/heads/else"'),
        (BUILDER, BUILDER.replace("4b8", "5b8")),
        ('runner = "github-hosted"', 'runner = "gitlab-hosted"'),
        ('environment = "release"', 'environment = "production"'),
        (f'source = "{CALLER}"', 'source = "https://github.com/acme/else"'),
    ],
)
def test_a_consumer_who_asks_for_one_other_claim_refuses_it(
    released: str, built: Called, tmp_path: Path, ours: str, other: str
) -> None:
    rules = Path(shutil.copytree(built.policy.parent, tmp_path / "rules")) / built.policy.name
    assert ours in rules.read_text()
    rules.write_text(rules.read_text().replace(ours, other))
    ended = built.run("verify", released, "--policy", rules)
    assert ended.code == 6, ended.output


@pytest.fixture
def cosign(store: Store, locked: dict[str, Digest]) -> Path:
    return store.get(locked["cosign"])


@pytest.mark.parametrize(("claim", "value", "said"), CHANGED, ids=[claim for claim, *_ in CHANGED])
@pytest.mark.usefixtures("released")
def test_a_published_image_whose_provenance_a_job_with_one_other_claim_has_signed_is_refused(
    signer: Called, cosign: Path, tmp_path: Path, claim: str, value: str, said: str
) -> None:
    """As it would be with a signer that asks for nothing: all else is as it was released, and still attached."""
    bundle = resigned.sign(replace(signer, changed={claim: value}), cosign, "provenance", tmp_path)
    ended = resigned.verified(signer, "provenance", bundle)
    assert ended.code == 6, ended.output
    assert said.removeprefix("and ") in ended.stderr


@pytest.mark.usefixtures("released")
def test_a_published_image_whose_provenance_the_same_job_has_signed_again_verifies(
    signer: Called, cosign: Path, tmp_path: Path
) -> None:
    """Which is what the refusals rest on: nothing but the claim is another."""
    ended = resigned.verified(signer, "provenance", resigned.sign(signer, cosign, "provenance", tmp_path))
    assert ended.code == 0, ended.output


def test_a_consumer_is_told_what_the_level_rests_on(released: str, built: Called) -> None:
    ended = built.run("verify", released, "--policy", built.policy, "--json")
    assert ended.code == 0, ended.output
    found = json.loads(ended.stdout.splitlines()[-1])
    assert any(BUILDER in line and "build level 3" in line for line in found["not_proved"])


def test_level_3_for_whoever_signs_beside_the_build_begins_nothing(built: Called, tmp_path: Path) -> None:
    project = replace(built, root=Path(shutil.copytree(built.root, tmp_path / "greetings", symlinks=True)))
    project.commit("rules/verification.toml", project.policy.read_text().replace(f'builder = "{BUILDER}"\n', ""))
    ended = project.release()
    assert ended.code == 2, ended.output
    assert "slsa-build-level 3 is not for" in ended.stderr
    assert "it names no builder" in ended.stderr
