"""Somebody's repository calls `build-and-sign.yml` by commit, and both of its jobs run here from end to end."""

import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import local_sigstore
from shipseal.locked.store import Store
from tests.commands import pipeline, read
from tests.release.registries import olareg
from tests.workflows import hosted
from tests.workflows.called import PIPELINE, REPOSITORY, SOURCE, TAG, WORKFLOW, Caller, calling, git

pytestmark = pytest.mark.timeout(600)

REFUSED = 6


@pytest.fixture(scope="module")
def caller(
    programs: Path, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Caller]:
    """Give the repository, a registry and a signing authority."""
    root = tmp_path_factory.mktemp("github")
    with (
        local_sigstore() as authority,
        olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("olareg")) as registry,
        calling(root, programs, registry, authority) as made,
    ):
        yield made


@dataclass(frozen=True)
class Released:
    """How the release of a tag has ended: what was said, and a copy of the run directory of the signing job."""

    output: str
    run: Path
    asked: list[str]
    checkouts: list[str]


@pytest.fixture(scope="module")
def released(caller: Caller) -> Released:
    """Give the release of a tag; all tests look at the same one."""
    done = caller.call("push", TAG)
    hosted.expect(done)
    kept = Path(shutil.copytree(caller.run, caller.root / "kept"))
    shutil.copytree(caller.run.with_name("released"), caller.root / "kept-released")
    return Released(done.stdout, kept, [*caller.tokens.asked], (caller.root / "checkouts").read_text().splitlines())


def digest_of(run: Path) -> str:
    return str(read(run, "image/image.json")["digest"])


def test_a_tag_is_built_signed_published_and_tagged_and_what_comes_after_is_given_its_digest(
    caller: Caller, released: Released
) -> None:
    digest = digest_of(released.run)
    assert f"released {digest}" in released.output
    assert caller.registry.tags(REPOSITORY) == ["1", "1.0", "1.0.0"]


def test_the_run_gives_the_same_bytes_as_the_host_does(caller: Caller, released: Released, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(caller.checkout), "copy")
    ended = pipeline("dry-run", "--to", "image", cwd=tmp_path / "copy")
    assert ended.code == 0, ended.output
    assert digest_of(tmp_path / "copy" / ".run") == digest_of(released.run)


def test_the_workflow_that_was_called_is_the_builder_and_the_caller_is_the_source(
    caller: Caller, released: Released
) -> None:
    builder = f"{hosted.GITHUB}/{PIPELINE}/{WORKFLOW}@{caller.revision}"
    provenance = read(released.run, "attest/statements/provenance.json")["predicate"]
    assert provenance["runDetails"]["builder"]["id"] == builder
    assert provenance["buildDefinition"]["externalParameters"]["source"] == {"uri": SOURCE, "ref": TAG}
    verified = read(released.run, "verify/verification.json")
    assert {builder} == {each["signer"] for each in verified["statements"]}


def test_the_certificates_carry_what_github_claims_of_the_job(released: Released, caller: Caller) -> None:
    for bundle in (released.run / "attest" / "bundles").glob("*.json"):
        certificate = json.loads(bundle.read_bytes())["verificationMaterial"]["certificate"]["rawBytes"]
        told = subprocess.run(
            ["openssl", "x509", "-inform", "DER", "-noout", "-text"],
            input=b64decode(certificate), capture_output=True, check=True,
        ).stdout.decode(errors="replace")  # fmt: skip
        for claim in (caller.revision, caller.head, TAG, "github-hosted", f"{SOURCE}/actions/runs/17/attempts/1"):
            assert claim in told


def test_a_stranger_verifies_it_by_the_policy_of_the_caller(caller: Caller, released: Released) -> None:
    reference = f"{caller.registry.host}/{REPOSITORY}@{digest_of(released.run)}"
    policy = caller.checkout / "rules" / "verification.toml"
    assert pipeline("verify", reference, "--policy", policy, cwd=caller.root).code == 0


def test_the_identity_is_asked_for_once_by_the_job_that_signs(released: Released) -> None:
    assert {"sigstore"} == set(released.asked)
    before, _, _ = released.output.partition("attest ")
    assert "signed by" not in before


def test_the_pipeline_is_the_one_of_the_commit_that_was_called_in_both_jobs(caller: Caller, released: Released) -> None:
    assert [f"{REPOSITORY} at {caller.head}", f"{PIPELINE} at {caller.revision}"] * 2 == released.checkouts


def test_digests_notes_and_a_pack_of_the_evidence_are_kept(released: Released) -> None:
    kept = released.run.with_name("kept-released")
    assert (kept / "digests.txt").read_text().startswith(digest_of(released.run).removeprefix("sha256:"))
    assert digest_of(released.run) in (told := (kept / "notes.md").read_text())
    assert "## Findings closed\n\nNot known: no earlier version has a tag in this registry." in told
    assert (kept / "evidence.pack").stat().st_size > 1 << 20


def test_the_summary_tells_both_jobs(released: Released) -> None:
    told = hosted.summary(released.output)
    assert len(re.findall(r"^# release: ", told, re.MULTILINE)) == 2
    assert "may ship" in told
    assert "1\\.0.0, 1.0, 1" in told


def test_root_is_asked_for_namespaces_and_bubblewrap_and_nothing_else(caller: Caller, released: Released) -> None:
    asked = (caller.root / "sudo" / "asked").read_text().splitlines()
    assert {"sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", "make -C pipeline system"} == set(asked)


def test_a_run_that_was_altered_between_the_jobs_is_refused_before_anything_is_signed(
    caller: Caller, released: Released
) -> None:
    asked, tags = [*caller.tokens.asked], caller.registry.tags(REPOSITORY)
    blob = "image/layout/blobs/sha256/$(ls image/layout/blobs/sha256 | head -n 1)"
    done = caller.call("push", TAG, between=f'printf x >> "{blob}"')
    hosted.expect(done, 1)
    assert f"exit status {REFUSED}" in done.stdout
    assert "image" in hosted.summary(done.stdout)
    assert (asked, tags) == (caller.tokens.asked, caller.registry.tags(REPOSITORY))
    assert "released sha256" not in done.stdout


def test_what_a_pull_request_has_started_is_signed_by_nobody(caller: Caller, released: Released) -> None:
    """It has an identity where it comes from a branch of the repository itself; the policy asks for more than one."""
    tokens, pull = caller.tokens, "refs/pull/7/merge"
    before = dict(tokens.claims)
    tokens.claims |= {
        "event_name": "pull_request",
        "ref": pull,
        "workflow_ref": f"{REPOSITORY}/.github/workflows/ours.yml@{pull}",
    }
    try:
        done = caller.call("pull_request", pull)
    finally:
        tokens.claims.update(before)
    hosted.expect(done, 1)
    assert f"exit status {REFUSED}" in done.stdout
    assert "a pull request has started it" in hosted.summary(done.stdout)
    assert "released sha256" not in done.stdout


def test_a_stage_that_fails_is_red_with_its_message_in_the_summary_and_hostile_names_start_nothing(
    caller: Caller, released: Released
) -> None:
    """What a pull request brings: a title, a branch and files that a shell or a runner would act upon."""
    hostile = "$(touch PWNED)`touch PWNED`;touch PWNED;#"
    shell = 'x"; touch PWNED; "'
    command = f"::set-output name=digest::sha256:{'0' * 64}"
    test = f"def test_the_earth_is_flat():\n    print({command!r})\n    assert not {hostile!r}\n"
    caller.commit("tests/test_flat.py", test)
    (caller.checkout / "tests" / f"{shell}.txt").write_text("")
    caller.commit(f"tests/{hostile}.txt", "")
    payload = {"pull_request": {"title": hostile, "head": {"ref": hostile, "repo": {"fork": True}}}}
    done = caller.call("push", TAG, payload=payload)
    hosted.expect(done, 1)
    told = hosted.summary(done.stdout)
    assert "test\\_the\\_earth\\_is\\_flat" in told or "test_the_earth_is_flat" in told
    assert "exit status 7" in done.stdout
    assert "Take the run directory" not in done.stdout
    assert list(caller.root.rglob("PWNED")) == []


def test_a_server_that_does_not_say_which_commit_was_called_runs_no_other(caller: Caller) -> None:
    """What is left empty would be the caller's own repository, to actions/checkout."""
    workflows = caller.root / "elsewhere"
    (workflows / WORKFLOW).parent.mkdir(parents=True)
    shutil.copy(Path(__file__).parents[2] / WORKFLOW, workflows / WORKFLOW)
    done = replace(caller, workflows=workflows).call("push", TAG)
    hosted.expect(done, 1)
    assert "Invalid repository 'unknown'" in done.stdout
    assert "Install the pipeline" not in re.sub(r"\n.*Pre .*", "", done.stdout)
