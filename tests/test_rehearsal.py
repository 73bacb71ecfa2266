"""What `verify` would refuse once it is signed is not signed."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from shipseal.errors import VerificationFailed
from shipseal.local.sigstore import LocalSigstore
from shipseal.signing.certificate import require_promised
from shipseal.signing.identity import Certified, promised
from shipseal.signing.roots import certifying, newest, public_root
from shipseal.statements.builders import PredicateType, SignerIdentity, Subject, statement
from shipseal.verification.rehearsal import rehearse, require_trusted
from tests.test_signing import token
from tests.test_verification import ALL, BUILDER, IMAGE, NOON, PROVENANCE, SCANNER, only, policy

CLAIMS = {"source_repository_uri": "https://git.example/a", "source_repository_ref": "refs/heads/main"}


def made(kind: PredicateType, predicate: Mapping[str, Any]) -> bytes:
    return json.dumps(statement(kind, [Subject("a", digest) for digest in sorted(ALL)], predicate)).encode()


def refused(promise: Certified, source: str = "") -> str:
    with pytest.raises(VerificationFailed) as failure:
        rehearse(
            only(PredicateType.PROVENANCE, source=source),
            IMAGE,
            [made(PredicateType.PROVENANCE, PROVENANCE)],
            promise,
            NOON,
        )
    assert failure.value.remedy.startswith("nothing was signed")
    return "\n".join((failure.value.what, *failure.value.why))


def test_what_will_be_accepted_is_no_matter() -> None:
    statements = [made(PredicateType.PROVENANCE, PROVENANCE)]
    for source in ("https://git.example/a", "git@git.example:a.git"):
        rehearse(only(PredicateType.PROVENANCE, source=source), IMAGE, statements, Certified(BUILDER, CLAIMS), NOON)


@pytest.mark.parametrize(
    ("promise", "source", "said"),
    [
        (Certified(SignerIdentity(BUILDER.identity, "https://else.invalid")), "", "does not name who would sign"),
        (Certified(SCANNER), "", "https://scanner.invalid may not sign this"),
        (Certified(BUILDER), "https://git.example/b", "it was built from https://git.example/a"),
        (Certified(BUILDER, {**CLAIMS, "source_repository_ref": "refs/tags/v1"}), "", "refs/tags/v1"),
        (Certified(BUILDER, {**CLAIMS, "build_signer_uri": "https://w.invalid"}), "", "https://w.invalid signed it"),
    ],
)
def test_what_will_be_refused_is_not_signed(promise: Certified, source: str, said: str) -> None:
    assert said in refused(promise, source)


def test_what_lacks_a_required_statement_is_not_signed() -> None:
    with pytest.raises(VerificationFailed, match="does not satisfy the policy p") as failure:
        rehearse(policy(), IMAGE, [made(PredicateType.PROVENANCE, PROVENANCE)], Certified(BUILDER), NOON)
    assert any(line.startswith("cyclonedx for linux/amd64") for line in failure.value.why)


def test_a_policy_that_trusts_another_authority_is_found_before_anything_is_signed() -> None:
    ours, theirs = (json.dumps(LocalSigstore().trusted_root()).encode() for _ in range(2))
    require_trusted(policy(), ours, ours)
    with pytest.raises(VerificationFailed, match="does not trust the authority that would sign"):
        require_trusted(policy(), ours, theirs)
    with pytest.raises(VerificationFailed, match="does not trust the authority that would sign"):
        require_trusted(policy(), public_root().read_bytes(), theirs)


def test_the_public_root_names_its_authorities_and_says_how_new_it_is() -> None:
    root = public_root().read_bytes()
    assert len(certifying(root)) >= 2
    newly = newest(root)
    assert newly is not None
    assert newly.year >= 2025


@pytest.mark.parametrize("root", [b"", b"[1]", b"{}", b'{"certificateAuthorities": [{}]}', b"[" * 100_000])
def test_what_is_no_trust_root_is_refused_and_no_traceback(root: bytes) -> None:
    with pytest.raises(VerificationFailed, match="trust root"):
        certifying(root)


def test_what_a_github_job_will_be_certified_as_is_known_from_its_token() -> None:
    workflow = "acme/app/.github/workflows/release.yml@refs/tags/v1"
    job = {"iss": "https://token.actions.githubusercontent.com", "job_workflow_ref": workflow, "sub": "repo:acme/app"}
    found = promised(token({**job, "repository": "acme/app", "sha": "4b825dc6", "ref": "refs/tags/v1"}))
    assert found.who == SignerIdentity(f"https://github.com/{workflow}", "https://token.actions.githubusercontent.com")
    assert dict(found.claims) == {
        "build_signer_uri": f"https://github.com/{workflow}",
        "source_repository_uri": "https://github.com/acme/app",
        "source_repository_digest": "4b825dc6",
        "source_repository_ref": "refs/tags/v1",
    }


def test_where_and_in_which_run_a_github_job_is_are_known_from_its_token() -> None:
    job: dict[str, object] = {"iss": "https://token.example", "job_workflow_ref": "a/b/w@r", "repository": "acme/app"}
    run = {"run_id": "12", "run_attempt": "3", "runner_environment": "github-hosted", "event_name": "push"}
    found = promised(token({**job, **run})).claims
    assert found["run_invocation_uri"] == "https://github.com/acme/app/actions/runs/12/attempts/3"
    assert (found["runner_environment"], found["build_trigger"]) == ("github-hosted", "push")


def test_the_issuer_is_who_vouches_and_not_who_passes_it_on() -> None:
    person: dict[str, object] = {"iss": "https://oauth2.sigstore.dev/auth", "email": "me@example.invalid", "sub": "1"}
    assert promised(token(person)).who == SignerIdentity("me@example.invalid", "https://oauth2.sigstore.dev/auth")
    federated: dict[str, object] = {**person, "federated_claims": {"connector_id": "https://accounts.google.com"}}
    assert promised(token(federated)).who.issuer == "https://accounts.google.com"


@pytest.mark.parametrize("bundle", [b"", b"{}", b'{"verificationMaterial": {"certificate": {"rawBytes": "AAAA"}}}'])
def test_a_bundle_without_a_certificate_is_not_whom_was_promised(bundle: bytes) -> None:
    with pytest.raises(VerificationFailed, match="no certificate that can be read"):
        require_promised(bundle, Certified(BUILDER))
