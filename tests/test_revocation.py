"""A revocation counts against everything else, by whom the policy lets revoke, wherever it hangs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError, UsageError
from shipseal.statements.builders import PredicateType, SignerIdentity
from shipseal.verification.decision import Statement, decide
from shipseal.verification.revocation import Revoked, passed_over, revocation
from tests.test_verification import (
    AMD64,
    ARM64,
    BUILDER,
    IMAGE,
    INDEX,
    NOON,
    PROVENANCE,
    SCANNER,
    TEXT,
    only,
    policy,
    signed,
)

SAID = revocation("it holds a password", NOON).predicate()
STRANGER = SignerIdentity("https://stranger.invalid", "https://issuer.invalid")


def revoked(
    *subjects: Digest,
    who: SignerIdentity = BUILDER,
    said: Mapping[str, Any] = SAID,
    at: frozenset[Digest] | None = None,
) -> Statement:
    return signed(PredicateType.REVOCATION, said, subjects=frozenset(subjects), who=who, attached_to=at)


def decided(*statements: Statement, name: str = "") -> None:
    """Decide about an image that satisfies its policy, but for these statements."""
    required = only(PredicateType.PROVENANCE)
    there = (signed(PredicateType.PROVENANCE, PROVENANCE), *statements)
    decide(required, replace(IMAGE, name=name), there, {}, now=NOON)


@pytest.mark.parametrize("subjects", [(INDEX,), (INDEX, AMD64, ARM64), (ARM64,)])
def test_whatever_of_an_image_is_revoked_the_image_is_refused_with_the_reason(subjects: tuple[Digest, ...]) -> None:
    with pytest.raises(Revoked, match="was revoked") as refused:
        decided(revoked(*subjects))
    assert "it holds a password: revoked on 2026-11-25T12:00:00Z by https://builder.invalid" in refused.value.why[0]


def test_it_counts_wherever_it_hangs_and_whatever_repository_it_names() -> None:
    with pytest.raises(Revoked):
        decided(revoked(INDEX, at=frozenset({ARM64})), name="a")
    with pytest.raises(Revoked):
        decided(revoked(INDEX))
    with pytest.raises(Revoked):
        decide(policy(), replace(IMAGE, name="another"), [revoked(INDEX)], {}, now=NOON)


@pytest.mark.parametrize("said", [{}, {"reason": 7, "revokedAt": "now"}, {"reason": ""}])
def test_one_that_says_nothing_readable_counts_too(said: Mapping[str, Any]) -> None:
    with pytest.raises(Revoked, match="was revoked") as refused:
        decided(revoked(INDEX, said=said))
    assert "no reason that can be read" in refused.value.why[0]


def test_one_of_another_image_or_by_somebody_who_may_not_is_no_matter_and_only_the_latter_is_told() -> None:
    others = [revoked(Digest.of(b"another")), revoked(INDEX, who=SCANNER), revoked(INDEX, who=STRANGER)]
    decided(*others)
    assert passed_over(policy(), IMAGE.manifests, others) == {
        str(each.bundle): f"a revocation (it holds a password) by {each.signed.who.identity}, who may not revoke"
        for each in others[1:]
    }


def test_a_signer_can_be_named_for_it_alone() -> None:
    named = policy(TEXT.replace('["vulns"]', '["revocation"]'))
    with pytest.raises(Revoked):
        decide(named, IMAGE, [revoked(INDEX, who=SCANNER)], {}, now=NOON)


def test_no_policy_can_require_one() -> None:
    with pytest.raises(ConfigError) as refused:
        policy(TEXT.replace("[require]\n", '[require]\nrevocation = "image"\n'))
    assert "no image can be required to have one" in refused.value.why[0]


@pytest.mark.parametrize("reason", ["", "  ", "one\ntwo", "\x1b[2J", "x" * 501])
def test_a_reason_is_one_line_that_can_be_read(reason: str) -> None:
    with pytest.raises(UsageError, match="cannot be shown"):
        revocation(reason, NOON)
