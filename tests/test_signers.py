"""Who may sign is an exact identity, or a workflow of a repository on a ref, as the certificate claims it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError, VerificationFailed
from shipseal.local.sigstore import ISSUER, LocalSigstore, local_sigstore
from shipseal.locked.store import Store
from shipseal.signing.identity import Certified
from shipseal.signing.signer import Signer
from shipseal.signing.signers import Allowed
from shipseal.signing.verifiers import Stranger, trusted_root, verify_bundle
from shipseal.statements.builders import PredicateType, SignerIdentity, Subject, statement
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.rehearsal import rehearse
from shipseal.verification.trust import Policy
from tests.test_verification import IMAGE, NOON

REPOSITORY, WORKFLOW = "https://git.invalid/org/repo", ".github/workflows/release.yml"
TEXT = f"""
[require]
signature = "image"
[policies.p]
trust-root = "run"
slsa-build-level = 1
[[policies.p.signers]]
repository = "{REPOSITORY}"
workflow = "{WORKFLOW}"
ref = ["refs/heads/main", "refs/tags/v*"]
issuer = "{ISSUER}"
"""


def policy(before: str = "", after: str = "") -> Policy:
    assert before in TEXT
    return Policy.read(TEXT.replace(before, after, 1).encode(), "p")


def job(ref: str = "refs/heads/main", *, repository: str = REPOSITORY, workflow: str = WORKFLOW) -> dict[str, str]:
    """Return what the certificate of a job claims."""
    return {
        "source_repository_uri": repository,
        "source_repository_ref": ref,
        "build_signer_uri": f"{repository}/{workflow}@{ref}",
        "runner_environment": "github-hosted",
        "build_trigger": "push",
    }


def certified(claims: Mapping[str, str], identity: str = "", issuer: str = ISSUER) -> Certified:
    return Certified(SignerIdentity(identity or claims["build_signer_uri"], issuer), claims)


ANOTHER: Mapping[str, tuple[Certified, str]] = {
    "a repository that begins alike": (
        certified(job(repository=f"{REPOSITORY}-evil")),
        f"its repository is {REPOSITORY}-evil, and not {REPOSITORY}",
    ),
    "the workflow of another repository that is reused": (
        certified(job() | {"build_signer_uri": f"https://git.invalid/org/evil/{WORKFLOW}@refs/heads/main"}),
        f"its workflow is https://git.invalid/org/evil/{WORKFLOW}@refs/heads/main",
    ),
    "a branch that is called like a tag": (certified(job("refs/heads/v1")), "its ref is refs/heads/v1"),
    "a branch that begins alike": (certified(job("refs/heads/main-2")), "its ref is refs/heads/main-2"),
    "a ref in a directory of tags": (certified(job("refs/tags/v1/x")), "its ref is refs/tags/v1/x"),
    "a tag that is no more than the pattern": (certified(job("refs/tags/v")), "its ref is refs/tags/v"),
    "a pull request": (certified(job("refs/pull/1/merge")), "its ref is refs/pull/1/merge"),
    "a pull request that runs on the branch that it is for": (
        certified(job() | {"build_trigger": "pull_request_target"}),
        "a pull request has started it",
    ),
    "another workflow of the repository": (
        certified(job(workflow=".github/workflows/test.yml")),
        f"its workflow is {REPOSITORY}/.github/workflows/test.yml@refs/heads/main",
    ),
    "the same workflow on another ref": (
        certified(job() | {"build_signer_uri": f"{REPOSITORY}/{WORKFLOW}@refs/heads/else"}),
        f"its workflow is {REPOSITORY}/{WORKFLOW}@refs/heads/else",
    ),
    "somebody whose certificate has another name": (
        certified(job(), identity="someone@git.invalid"),
        "it is certified as someone@git.invalid",
    ),
    "somebody for whom another vouches": (
        certified(job(), issuer="https://else.invalid"),
        "https://else.invalid vouches for it",
    ),
    "somebody of whom the certificate says nothing": (
        certified({}, identity=f"{REPOSITORY}/{WORKFLOW}@refs/heads/main"),
        "its repository is not in the certificate",
    ),
}


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v1", "refs/tags/v1.2.3-rc.1"])
def test_the_workflow_of_the_repository_may_sign_on_its_refs(ref: str) -> None:
    assert policy().allows(certified(job(ref)), PredicateType.SIGNATURE)


@pytest.mark.parametrize("who", ANOTHER)
def test_whoever_is_not_meant_may_not_sign(who: str) -> None:
    found, objection = ANOTHER[who]
    [rule] = policy().signers
    assert objection in (rule.objection(found) or "")
    assert not policy().allows(found, PredicateType.SIGNATURE)


def test_a_runner_is_compared_where_the_policy_names_one() -> None:
    [rule] = policy("ref =", 'runner = "github-hosted"\nref =').signers
    assert rule.objection(certified(job())) is None
    own = rule.objection(certified(job() | {"runner_environment": "self-hosted"}))
    assert own == "its runner is self-hosted, and not github-hosted"


def test_another_spelling_of_the_repository_in_the_policy_is_the_same_repository() -> None:
    found = policy(REPOSITORY, "git@git.invalid:org/repo.git")
    assert found.allows(certified(job()), PredicateType.SIGNATURE)


BUILDER = (
    "https://git.invalid/tools/pipeline/.github/workflows/build-and-sign.yml@4b825dc64b825dc64b825dc64b825dc64b825dc6"
)


def called(**changed: str) -> Certified:
    """Return who signs where the workflow of the repository has called the one that builds and signs."""
    own = f"{REPOSITORY}/{WORKFLOW}@refs/heads/main"
    more = {"build_signer_uri": BUILDER, "build_config_uri": own, "deployment_environment": "release"}
    return certified({**job(), **more, **changed})


def calling() -> Policy:
    """Return a policy of level 3 for a called workflow."""
    text = TEXT.replace("slsa-build-level = 1", "slsa-build-level = 3").replace('"run"', '"public"')
    rule = f'builder = "{BUILDER}"\nrunner = "github-hosted"\nenvironment = "release"\nref ='
    return Policy.read(text.replace("ref =", rule).encode(), "p")


def test_a_called_workflow_may_sign_for_the_one_that_calls_it() -> None:
    [rule] = calling().signers
    assert rule.objection(called()) is None
    assert called().builder == BUILDER, "and is the builder that provenance names"


@pytest.mark.parametrize(
    ("claim", "value", "objection"),
    [
        ("build_signer_uri", BUILDER.replace("4b8", "5b8"), "its workflow is"),
        ("build_config_uri", f"{REPOSITORY}/.github/workflows/test.yml@refs/heads/main", "it was called by"),
        ("build_config_uri", "", "it was called by not in the certificate"),
        ("source_repository_uri", "https://git.invalid/org/else", "its repository is"),
        ("source_repository_ref", "refs/heads/else", "its ref is"),
        ("build_trigger", "pull_request_target", "a pull request has started it"),
        ("runner_environment", "self-hosted", "its runner is"),
        ("deployment_environment", "", "its environment is not in the certificate"),
    ],
)
def test_whoever_else_calls_it_or_is_called_may_not(claim: str, value: str, objection: str) -> None:
    [rule] = calling().signers
    assert (rule.objection(called(**{claim: value})) or "").startswith(objection)


def test_a_called_workflow_of_that_name_is_nobody_to_a_policy_that_names_none() -> None:
    assert not policy().allows(called(), PredicateType.PROVENANCE)


OWN = f'"{REPOSITORY}/.github/workflows/build.yml@refs/heads/main"'


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        (f'builder = "{BUILDER}"\n', "", "it names no builder"),
        (f'"{BUILDER}"', OWN, "its builder is the project's own, and changes with it"),
        ('runner = "github-hosted"\n', "", "its runner may be anybody's"),
        ('"github-hosted"', '"self-hosted"', "its runner may be anybody's"),
        ('"public"', '"run"', "an authority of its own"),
        (f'"{BUILDER}"', '"https://git.invalid/tools/pipeline"', "is not a workflow that others call"),
        (f'"{BUILDER}"', f'"{BUILDER}*"', "is not a workflow that others call"),
    ],
)
def test_level_3_is_refused_to_any_other_signer(before: str, after: str, complaint: str) -> None:
    text = TEXT.replace("slsa-build-level = 1", "slsa-build-level = 3").replace('"run"', '"public"')
    text = text.replace("ref =", f'builder = "{BUILDER}"\nrunner = "github-hosted"\nref =')
    assert before in text
    with pytest.raises(ConfigError) as failure:
        Policy.read(text.replace(before, after).encode(), "p")
    assert complaint in "\n".join(failure.value.why)


def with_another(signer: str) -> Policy:
    """Return a policy of level 3 with one more signer."""
    text = TEXT.replace("slsa-build-level = 1", "slsa-build-level = 3").replace('"run"', '"public"')
    text = text.replace("ref =", f'builder = "{BUILDER}"\nrunner = "github-hosted"\nref =')
    return Policy.read(f"{text}[[policies.p.signers]]\n{signer}".encode(), "p", lambda _: b"")


@pytest.mark.parametrize("other", ['identity = "x"\nissuer = "y"\n', 'key = "cosign.pub"\n'])
@pytest.mark.parametrize("statements", ["", 'statements = ["summary"]'])
def test_level_3_is_refused_to_a_name_or_a_key_that_may_vouch_for_a_build(other: str, statements: str) -> None:
    with pytest.raises(ConfigError) as failure:
        with_another(other + statements)
    assert "slsa-build-level 3 is not for" in "\n".join(failure.value.why)


def test_level_3_asks_nothing_of_who_says_nothing_of_a_build() -> None:
    found = with_another('identity = "x"\nissuer = "y"\nstatements = ["rebuild", "vulns"]\n')
    assert len(found.signers) == 2


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('"refs/tags/v*"', '"refs/*"', "refs/* is not a valid ref"),
        ('"refs/tags/v*"', '"refs/pull/*"', "refs/pull/* is not a valid ref"),
        ('"refs/tags/v*"', '"refs/tags/*/x"', "refs/tags/*/x is not a valid ref"),
        ('"refs/tags/v*"', '"refs/tags/"', "refs/tags/ is not a valid ref"),
        ('"refs/tags/v*"', '".*"', ".* is not a valid ref"),
        (f'"{REPOSITORY}"', '"https://git.invalid/*"', "is not a valid repository"),
        (f'"{REPOSITORY}"', '"org/repo"', "is not a valid repository"),
        (f'"{WORKFLOW}"', '".github/workflows/*"', "is not a valid workflow"),
        (f'workflow = "{WORKFLOW}"', "", "give identity, or else repository, workflow and ref"),
        ("ref = [", 'identity = "x"\nref = [', "give identity, or else repository, workflow and ref"),
    ],
)
def test_a_signer_that_would_be_too_many_is_no_signer(before: str, after: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as failure:
        policy(before, after)
    assert complaint in "\n".join(failure.value.why)


def test_who_is_not_meant_is_told_why_before_anything_is_signed() -> None:
    with pytest.raises(VerificationFailed, match="does not name who would sign") as failure:
        rehearse(policy(), IMAGE, [], certified(job("refs/heads/v1")), NOON)
    assert "its ref is refs/heads/v1" in failure.value.why[1]


def test_a_place_holder_is_one_in_a_repository_too() -> None:
    with pytest.raises(ConfigError, match="place holder"):
        policy(REPOSITORY, "https://github.example/org/repo").require_own_names()


@pytest.fixture(scope="module")
def authority() -> Iterator[LocalSigstore]:
    with local_sigstore() as services:
        yield services


@pytest.mark.parametrize("good", [True, False])
async def test_real_certificates_are_read_claim_by_claim(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path: Path, good: bool
) -> None:
    claims = job("refs/tags/v1" if good else "refs/pull/1/merge")
    (tmp_path / "root.json").write_text(json.dumps(authority.trusted_root()))
    (tmp_path / "config.json").write_text(json.dumps(authority.signing_config()))
    said = json.dumps(statement(PredicateType.SIGNATURE, [Subject("a", Digest.of(b"an image"))], {}))
    (tmp_path / "statement.json").write_text(said)
    tools = Toolbox(store, locked, frozenset({"cosign"}), tmp_path / "log.txt")
    signer = Signer(
        tools,
        "tests",
        lambda _: certified(claims),
        lambda _: authority.token(claims["build_signer_uri"], claims),
        tmp_path / "config.json",
        tmp_path / "root.json",
    )
    await signer.sign(tmp_path / "statement.json", tmp_path / "bundle.json")
    bundle, root = (tmp_path / "bundle.json").read_bytes(), trusted_root(tmp_path / "root.json")
    if good:
        found = verify_bundle(bundle, root, policy().signers)
        assert (found.who.identity, dict(found.claims)) == (claims["build_signer_uri"], claims)
        return
    with pytest.raises(Stranger, match="the policy refuses the signature") as failure:
        verify_bundle(bundle, root, policy().signers)
    assert f"{REPOSITORY}/{WORKFLOW}@refs/pull/1/merge, by {ISSUER}, signed it: its ref is" in failure.value.why[0]
    assert said.encode() == failure.value.signed.statement


def test_one_who_is_named_exactly_is_nobody_whose_name_only_begins_alike() -> None:
    rule = Allowed.exactly(SignerIdentity(f"{REPOSITORY}/{WORKFLOW}@refs/heads/main", ISSUER))
    assert rule.objection(certified(job())) is None
    assert rule.objection(certified(job("refs/heads/main2"))) is not None
