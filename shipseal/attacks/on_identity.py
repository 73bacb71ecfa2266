"""Sign as somebody else, with good signatures: a stranger, another issuer, an authority of nobody, another world."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shipseal.attacks import copies
from shipseal.attacks.attack import Attack
from shipseal.attacks.forging import OTHER_ISSUER, STRANGER, said
from shipseal.attacks.refusal import Refusal, unsatisfied
from shipseal.attacks.target import Copy, Stand
from shipseal.engine.record import FILENAME
from shipseal.errors import VerificationFailed
from shipseal.statements.builders import PredicateType
from shipseal.verification.grounds import Ground
from shipseal.verification.trust import TrustRoot

_PROVENANCE, _VERDICT, _OPENVEX = PredicateType.PROVENANCE, PredicateType.VERDICT, PredicateType.OPENVEX
_STRANGER = "signing.verifiers._require_allowed"


def _signed(kind: PredicateType, who: Callable[[Copy], dict[str, Any]]) -> Callable[[Copy], None]:
    """Return what has a statement, word for word, signed by another."""

    def tamper(copy: Copy) -> None:
        copy.forged(copy.target.names(kind)[0], lambda _: None, **who(copy))

    return tamper


def _production(copy: Copy) -> None:
    """Judge what a dry run has left as a release, with records that say it was one."""
    policy, directory = copy.target.policy
    rules = policy.rules.model_copy(update={"trust_root": TrustRoot.PUBLIC})
    production = replace(policy, name="production", rules=rules)
    copy.world = Stand(copy.config, name="release", applied=(production, directory))
    for stage in ("attest", "publish"):
        copies.edit_json(copy.directory / stage / FILENAME, lambda record: {**record, "world": "release"})


def _another_run(copy: Copy) -> None:
    """Have the policy satisfied by what the same signer has said at another time: this run's own is not there."""
    name = copy.target.names(_OPENVEX)[0]
    copy.exchange(name, copy.target.forge.sign(said(copy.target.bundle(name))), stand_for=False)


def deny_as_a_stranger(copy: Copy) -> None:
    """Attach what must not count and must stop nobody: whoever may write to a registry can add what they like."""
    target = copy.target
    statement = target.said(target.names(_PROVENANCE)[0])
    statement |= {"predicateType": str(_VERDICT), "predicate": {"properties": []}}
    subjects = [target.image, *target.platforms]
    copy.content.attach(target.forge.sign(statement, identity=STRANGER), _VERDICT, subjects, copy.now)
    copy.fit("publish")


ATTACKS = (
    Attack(
        "wrong-identity",
        "provenance signed by somebody else, by the right authority",
        "verify",
        unsatisfied((_PROVENANCE, Ground.ABSENT), bundles=[_STRANGER]),
        _signed(_PROVENANCE, lambda _: {"identity": STRANGER}),
        needs=(_PROVENANCE,),
    ),
    Attack(
        "wrong-issuer",
        "the verdict signed by the right name, for which another issuer vouches",
        "verify",
        unsatisfied((_VERDICT, Ground.ABSENT), bundles=[_STRANGER]),
        _signed(_VERDICT, lambda _: {"issuer": OTHER_ISSUER}),
        needs=(_VERDICT,),
    ),
    Attack(
        "wrong-authority",
        "provenance signed by the right name, which an authority certifies that nobody trusts",
        "verify",
        unsatisfied((_PROVENANCE, Ground.ABSENT), bundles=["signing.verifiers.verify_bundle"]),
        _signed(_PROVENANCE, lambda copy: {"by": copy.target.forge.other}),
        needs=(_PROVENANCE,),
    ),
    Attack(
        "dry-run-in-production",
        "evidence of a dry run, judged by a policy that trusts the public Sigstore",
        "verify",
        Refusal(VerificationFailed, "verification.trust.Policy.root"),
        _production,
    ),
    Attack(
        "evidence-of-another-run",
        "a statement of this run replaced by the same of another run",
        "verify",
        Refusal(VerificationFailed, "stages.verify._require_own"),
        _another_run,
    ),
)
