"""What a release refuses, and that it then writes nothing: each with its own exit code and its own words."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import ISSUER, local_sigstore
from shipseal.locked.store import Store
from tests.release.conftest import MakeProject, Released
from tests.release.projects import IDENTITY, REPOSITORY, SOURCE, Project
from tests.release.registries import INDEX, Served, olareg

pytestmark = pytest.mark.timeout(600)


def content(registry: Served) -> set[str]:
    """Return every file that a registry has; what it keeps says all that was ever written to it."""
    return {str(path) for path in (registry.log.parent / "files").rglob("*") if path.is_file()}


def tags(registry: Served) -> dict[str, bytes]:
    """Return what each tag is."""
    return {tag: registry.get(f"{REPOSITORY}/manifests/{tag}", INDEX) for tag in registry.tags(REPOSITORY)}


def test_a_tree_with_changes_that_are_in_no_commit(copy: Project) -> None:
    before = content(copy.registry)
    (copy.root / "app" / "greetings" / "web.py").write_text("# not committed\n")
    ended = copy.release()
    assert (ended.code, content(copy.registry)) == (2, before), ended.output
    assert "app/greetings/web.py" in ended.stderr
    assert "a release is made from a commit" in ended.stderr


def test_nobody_who_could_agree(copy: Project) -> None:
    before = content(copy.registry)
    ended = copy.run("release")
    assert (ended.code, content(copy.registry)) == (2, before), ended.output
    assert f"This pushes to {copy.registry.host}/{REPOSITORY}, and signs" in ended.stderr
    assert "nothing was written outside" in ended.stderr


def test_other_bytes_for_a_version_that_is_released(copy: Project) -> None:
    before = content(copy.registry)
    web = copy.root / "app" / "greetings" / "web.py"
    copy.commit("app/greetings/web.py", web.read_text().replace('"""', '"""More: ', 1))
    ended = copy.release()
    assert (ended.code, content(copy.registry)) == (2, before), ended.output
    assert f"{REPOSITORY}:1.0.0 is another image already" in ended.stderr
    assert "give the service a new version" in ended.stderr
    assert signed(copy) == [], "nothing was signed"
    assert copy.run("plan").code == 2


def signed(project: Project) -> list[Path]:
    """Return the bundles that a release which was refused has made."""
    return [*project.run_dir.glob("attest.part/bundles/*"), *project.run_dir.glob("attest.signed/*")]


def test_a_login_that_may_read_and_not_write(
    make_project: MakeProject, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    """It is found before anything is signed: the signer's identity would be in a public log for good, for nothing."""
    with olareg(store.get(locked["olareg"]), tmp_path, "--store-ro") as registry:
        project = make_project(registry)
        ended = project.release()
        assert (ended.code, content(registry)) == (5, set()), ended.output
    assert f"{registry.host} does not allow this login `oras blob` in {REPOSITORY}" in ended.stderr
    assert f"docker login {registry.host}" in ended.stderr
    assert signed(project) == [], "nothing was signed"


def test_no_vulnerability_database(make_project: MakeProject, open_registry: Served) -> None:
    before = content(open_registry)
    ended = make_project(open_registry, database=False).release()
    assert (ended.code, content(open_registry)) == (2, before), ended.output
    assert "a release needs a whole vulnerability database" in ended.stderr


def test_a_policy_that_still_names_a_place_holder(copy: Project) -> None:
    before = content(copy.registry)
    copy.commit("rules/verification.toml", copy.policy.read_text().replace(SOURCE, "https://github.example/you/yours"))
    ended = copy.release()
    assert (ended.code, content(copy.registry)) == (2, before), ended.output
    assert "names a place holder" in ended.stderr


@pytest.mark.parametrize(
    ("token", "code", "said"),
    [("", 2, "there is no identity to sign with"), ("not.a.token", 2, "the identity token cannot be read")],
)
def test_nobody_who_signs(copy: Project, token: str, code: int, said: str) -> None:
    before = content(copy.registry)
    ended = copy.release(SIGSTORE_ID_TOKEN=token)
    assert (ended.code, content(copy.registry)) == (code, before), ended.output
    assert said in ended.stderr


def test_a_token_that_the_authority_does_not_take(copy: Project) -> None:
    before = content(copy.registry)
    copy.commit("NOTES", "the provenance of a new commit has to be signed\n")
    with local_sigstore() as other:
        token = other.token(IDENTITY, {})
    ended = copy.release(SIGSTORE_ID_TOKEN=token)
    assert (ended.code, content(copy.registry)) == (5, before), ended.output
    assert "the configured signing authority did not sign" in ended.stderr


def test_a_signer_whom_the_policy_does_not_name_signs_nothing(copy: Project) -> None:
    """What was released before is in the registry too and satisfies the policy: that must not carry this release."""
    before, logged = content(copy.registry), tags(copy.registry)
    stranger = "https://code.invalid/acme/greetings/.github/workflows/another.yml@refs/heads/main"
    ended = copy.release(SIGSTORE_ID_TOKEN=copy.token(stranger))
    assert (ended.code, content(copy.registry), tags(copy.registry)) == (6, before, logged), ended.output
    assert "the policy production does not name who would sign" in ended.stderr
    assert signed(copy) == [], "nothing was signed"


def test_a_source_that_the_policy_does_not_name_signs_nothing(copy: Project) -> None:
    before = content(copy.registry)
    copy.commit(
        "rules/verification.toml", copy.policy.read_text().replace(f'"{SOURCE}"', '"https://code.invalid/else"')
    )
    ended = copy.release()
    assert (ended.code, content(copy.registry)) == (6, before), ended.output
    assert f"it was built from {SOURCE}" in ended.stderr
    assert signed(copy) == [], "nothing was signed"


def test_an_authority_that_the_policy_does_not_trust_signs_nothing(copy: Project) -> None:
    before = content(copy.registry)
    with local_sigstore() as other:
        copy.commit("rules/authority.json", json.dumps(other.trusted_root()))
        mine = copy.home / "mine.json"
        mine.write_text(json.dumps(copy.authority.trusted_root()))
        configuration = (copy.root / "pipeline.toml").read_text()
        copy.commit("pipeline.toml", configuration.replace('"rules/authority.json"', f'"{mine}"'))
        ended = copy.release()
    assert (ended.code, content(copy.registry)) == (6, before), ended.output
    assert "does not trust the authority that would sign" in ended.stderr


def test_a_signature_that_cannot_be_verified_is_the_only_one_and_is_not_published(copy: Project) -> None:
    """The policy trusts the authority that certifies, and another log than the one that is written to."""
    before = content(copy.registry)
    mine = copy.home / "whole.json"
    mine.write_text(json.dumps(copy.authority.trusted_root()))
    with local_sigstore() as other:
        root = {**copy.authority.trusted_root(), "tlogs": other.trusted_root()["tlogs"]}
    copy.commit("rules/authority.json", json.dumps(root))
    configuration = (copy.root / "pipeline.toml").read_text()
    copy.commit("pipeline.toml", configuration.replace('"rules/authority.json"', f'"{mine}"'))
    ended = copy.release()
    assert (ended.code, content(copy.registry)) == (6, before), ended.output
    assert "what was signed just now as signature.sigstore.json cannot be verified" in ended.stderr
    assert len(signed(copy)) == 1


def test_somebody_else_than_is_configured_is_certified(copy: Project) -> None:
    """With an authority of its own rules that is known when the first statement is signed, and no second one is."""
    before = content(copy.registry)
    configuration = (copy.root / "pipeline.toml").read_text()
    copy.commit("pipeline.toml", configuration.replace("[sign]\n", '[sign]\nissuer = "https://else.invalid"\n'))
    copy.commit("rules/verification.toml", copy.policy.read_text().replace(ISSUER, "https://else.invalid"))
    ended = copy.release()
    assert (ended.code, content(copy.registry)) == (6, before), ended.output
    assert "the authority certified somebody else than was expected" in ended.stderr
    assert len(signed(copy)) == 1


def test_what_a_dry_run_signed_is_nothing_to_the_policy_of_a_release(copy: Project, released_openly: Released) -> None:
    """And the other way about: neither trust root knows the other's signatures."""
    ended = copy.run("dry-run", "--to", "attest", "--as-of", datetime.now(UTC).isoformat())
    assert ended.code == 0, ended.output
    rehearsed = copy.run("verify", copy.run_dir / "attest" / "layout", "--policy", copy.policy)
    assert rehearsed.code == 6, rehearsed.output
    released = released_openly.project.read("publish/receipt.json")["reference"]
    root = copy.run_dir / "attest" / "trusted_root.json"
    as_rehearsal = copy.run("verify", released, "--policy", copy.policy, "--as", "dry-run", "--trusted-root", root)
    assert as_rehearsal.code == 6, as_rehearsal.output
    with_its_root = copy.run("verify", released, "--policy", copy.policy, "--trusted-root", root)
    assert with_its_root.code == 6, with_its_root.output
    assert "does not trust" in with_its_root.stderr
