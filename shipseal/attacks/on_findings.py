"""Have the right signer say what was known once, or nowhere: of scans and verdicts the newest counts, for a while."""

from dataclasses import replace
from datetime import timedelta

from shipseal.attacks.attack import Attack
from shipseal.attacks.on_statements import Json, attack_on, resigned
from shipseal.attacks.pointers import at, put
from shipseal.attacks.refusal import Refusal, unsatisfied
from shipseal.attacks.target import Copy
from shipseal.digest import Digest
from shipseal.statements.builders import VERDICT_FIELD, PredicateType
from shipseal.verification.freshness import AGEING
from shipseal.verification.grounds import Ground
from shipseal.verification.trust import Ages, Policy, TrustRoot

_DAYS = 30
_ROOT = "trusted_root.json"
_KIND = PredicateType


def _deny(predicate: Json) -> None:
    put(predicate, "/properties", [])
    predicate[VERDICT_FIELD] = {**predicate.get(VERDICT_FIELD, {}), "allowed": False}


def _overrule_a_denial(copy: Copy) -> None:
    """Leave the older verdict, which allows it, and a newer one that does not at a single manifest."""
    target = copy.target
    said = target.said(target.names(PredicateType.VERDICT)[0])
    _deny(at(said, "/predicate"))
    copy.content.attach(target.forge.sign(said), PredicateType.VERDICT, target.platforms[:1], copy.now)
    copy.fit("publish")


def _grow_old(copy: Copy) -> None:
    copy.apply(maximum_age_days=Ages(vulns=_DAYS, openvex=_DAYS, verdict=_DAYS))
    copy.now += timedelta(days=_DAYS + 1)


def _aged(policy: Policy) -> Refusal:
    return unsatisfied(*((kind, Ground.AGE) for kind in policy.require if kind in AGEING))


def _scan_by_an_old_database(copy: Copy) -> None:
    resigned(PredicateType.VULNS, lambda it: put(it, "/scanner/db/lastUpdate", "2000-01-01T00:00:00Z"))(copy)
    copy.apply(maximum_age_days=Ages(vulns=_DAYS))


def _scan_by_another_database(predicate: Json) -> None:
    put(predicate, "/scanner/db/annotations/checksum", str(Digest.of(b"another database")))


def _release_by_a_sample(copy: Copy) -> None:
    """Judge a scan by the SAMPLE as others will who rely on it: by a trust root of their own."""
    resigned(PredicateType.VULNS, lambda it: put(it, "/scanner/db/annotations/sample", True))(copy)
    root = copy.directory / "attest" / _ROOT
    policy, _ = copy.target.policy
    rules = policy.rules.model_copy(update={"trust_root": TrustRoot.FILE, "trust_root_file": _ROOT})
    asked = {PredicateType.VULNS: policy.require[PredicateType.VULNS]}
    root.rename(copy.directory / _ROOT)
    copy.world = replace(copy.world, applied=(replace(policy, rules=rules, require=asked), copy.directory))
    copy.fit("attest")


ATTACKS = (
    attack_on(
        "older-verdict",
        "an older verdict that allows the image, and a newer one that denies it left at one manifest",
        _KIND.VERDICT,
        _overrule_a_denial,
        Ground.DENIED,
    ),
    Attack(
        "evidence-aged",
        f"evidence judged {_DAYS + 1} days later, of which {_DAYS} are allowed",
        "verify",
        _aged,
        _grow_old,
        needs=(_KIND.VULNS,),
    ),
    attack_on(
        "database-aged",
        "a scan of today by a vulnerability database of the year 2000",
        _KIND.VULNS,
        _scan_by_an_old_database,
        Ground.AGE,
    ),
    Attack(
        "database-swapped",
        "a scan by another vulnerability database than the verdict rests on",
        "verify",
        unsatisfied((_KIND.VERDICT, Ground.UNJUDGED)),
        resigned(_KIND.VULNS, _scan_by_another_database),
        needs=(_KIND.VULNS, _KIND.VERDICT),
    ),
    attack_on(
        "sample-in-release",
        "a scan by the SAMPLE database, judged by a trust root that others rely on",
        _KIND.VULNS,
        _release_by_a_sample,
    ),
)
