"""Have the right signer say the wrong thing: what a signature proves is that somebody signed text."""

from collections.abc import Callable
from typing import Any

from shipseal.attacks.attack import Attack
from shipseal.attacks.pointers import at, put
from shipseal.attacks.refusal import Refusal, unsatisfied
from shipseal.attacks.target import Copy
from shipseal.digest import Digest
from shipseal.statements.builders import PredicateType, Subject, statement
from shipseal.verification.grounds import Ground
from shipseal.verification.revocation import Revoked, revocation

Json = dict[str, Any]
_OTHER = Digest.of(b"another image")


def resigned(kind: PredicateType, change: Callable[[Json], object]) -> Callable[[Copy], None]:
    """Return what changes the predicate of every statement of a kind, and has them signed."""

    def tamper(copy: Copy) -> None:
        for name in copy.target.names(kind):
            copy.forged(name, lambda said: change(at(said, "/predicate")))

    return tamper


def _list_another_image(predicate: Json) -> None:
    put(predicate, "/metadata/component/version", str(_OTHER))


def _say_another_type(copy: Copy) -> None:
    other = at(copy.target.said(copy.target.names(PredicateType.CYCLONEDX)[0]), "/predicate")
    copy.forged(copy.target.names(PredicateType.SPDX)[0], lambda said: said.update(predicate=other))


def _speak_of_another_image(said: Json) -> None:
    for each in at(said, "/subject"):
        put(each, "/digest", {"sha256": _OTHER.hex})


def _excuse_in_another_image(predicate: Json) -> None:
    more = {
        "vulnerability": {"name": "CVE-2000-0001"},
        "products": [{"@id": f"pkg:oci/another@{_OTHER}"}],
        "status": "not_affected",
        "justification": "component_not_present",
    }
    at(predicate, "/statements").append(more)


def _fail(predicate: Json) -> None:
    predicate.update(result="FAILED", failedTests=at(predicate, "/passedTests")[:1])


def _name_another_builder(predicate: Json) -> None:
    put(predicate, "/runDetails/builder/id", "https://dry-run.invalid/another/builder")


def _name_another_commit(predicate: Json) -> None:
    for item in at(predicate, "/buildDefinition/resolvedDependencies"):
        if item.get("name") == "source":
            put(item, "/digest/gitCommit", "0" * 40)


def _of_another_repository(copy: Copy) -> None:
    def change(said: Json) -> None:
        for each in at(said, "/subject"):
            each.update(name="registry.invalid/another")

    copy.forged(copy.target.names(PredicateType.PROVENANCE)[0], change)


def _revoke(copy: Copy) -> None:
    target = copy.target
    name = at(target.said(target.names(PredicateType.PROVENANCE)[0]), "/subject/0/name")
    subjects = [Subject(name, digest) for digest in (target.image, *target.platforms)]
    predicate = revocation("it was attacked", copy.now).predicate()
    bundle = target.forge.sign(statement(PredicateType.REVOCATION, subjects, predicate))
    copy.content.attach(bundle, PredicateType.REVOCATION, [each.digest for each in subjects], copy.now)
    copy.fit("publish")


def attack_on(
    name: str, did: str, kind: PredicateType, tamper: Callable[[Copy], None], ground: Ground = Ground.CONTENT
) -> Attack:
    return Attack(name, did, "verify", unsatisfied((kind, ground)), tamper, needs=(kind,))


def _first(kind: PredicateType, change: Callable[[Json], object]) -> Callable[[Copy], None]:
    """Return what changes the first statement of a kind, and has it signed."""

    def tamper(copy: Copy) -> None:
        copy.forged(copy.target.names(kind)[0], change)

    return tamper


_KIND = PredicateType
ATTACKS = (
    attack_on(
        "sbom-of-another-image",
        "an SBOM that lists another image",
        _KIND.CYCLONEDX,
        resigned(_KIND.CYCLONEDX, _list_another_image),
    ),
    attack_on(
        "predicate-type-changed",
        "a CycloneDX document in the place of the SPDX one, under its type",
        _KIND.SPDX,
        _say_another_type,
    ),
    attack_on(
        "statement-of-another-image",
        "a scan of another image attached to this one",
        _KIND.VULNS,
        _first(_KIND.VULNS, _speak_of_another_image),
        Ground.SUBJECT,
    ),
    attack_on(
        "statement-of-another-repository",
        "provenance of another repository attached to this one",
        _KIND.PROVENANCE,
        _of_another_repository,
        Ground.NAME,
    ),
    attack_on(
        "vex-of-another-image",
        "a VEX statement added that excuses a finding in another image",
        _KIND.OPENVEX,
        resigned(_KIND.OPENVEX, _excuse_in_another_image),
    ),
    attack_on("tests-failed", "test results of a failure", _KIND.TEST_RESULT, resigned(_KIND.TEST_RESULT, _fail)),
    attack_on(
        "another-builder",
        "provenance that names another builder than its signer",
        _KIND.PROVENANCE,
        resigned(_KIND.PROVENANCE, _name_another_builder),
    ),
    attack_on(
        "another-commit",
        "provenance that names another commit than the certificate",
        _KIND.PROVENANCE,
        resigned(_KIND.PROVENANCE, _name_another_commit),
    ),
    Attack(
        "revoked",
        "an image that its signer has revoked",
        "verify",
        Refusal(Revoked, "verification.revocation.require_not_revoked"),
        _revoke,
    ),
)
