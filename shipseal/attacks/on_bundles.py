"""Tamper with bundles and with where they are attached: whoever owns the registry can, without anybody's key."""

import json
from collections.abc import Callable

from shipseal.attacks.attack import Attack
from shipseal.attacks.forging import said, with_payload
from shipseal.attacks.pointers import at, put
from shipseal.attacks.refusal import Refusal, unsatisfied
from shipseal.attacks.target import Copy
from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.statements.builders import PredicateType
from shipseal.verification.consumer import Unsigned
from shipseal.verification.grounds import Ground

_SIGNATURE = "signing.verifiers.verify_bundle"
_PROVENANCE, _CYCLONEDX, _OPENVEX = PredicateType.PROVENANCE, PredicateType.CYCLONEDX, PredicateType.OPENVEX


def _changed(kind: PredicateType, change: Callable[[Copy, bytes], bytes]) -> Callable[[Copy], None]:
    """Return what changes the first bundle of a kind, and attaches it in the place of the run's own."""

    def tamper(copy: Copy) -> None:
        name = copy.target.names(kind)[0]
        copy.exchange(name, change(copy, copy.target.bundle(name)))

    return tamper


def _cut(_: Copy, bundle: bytes) -> bytes:
    return bundle[: len(bundle) // 2]


def _double(_: Copy, bundle: bytes) -> bytes:
    document = json.loads(bundle)
    envelope = json.dumps(document.pop("dsseEnvelope"))
    head = json.dumps(document)[:-1]
    return f'{head}, "dsseEnvelope": {envelope}, "dsseEnvelope": {envelope}}}'.encode()


def _change_the_payload(_: Copy, bundle: bytes) -> bytes:
    statement = said(bundle)
    put(statement, "/predicate/components", at(statement, "/predicate/components")[:1])
    return with_payload(bundle, statement)


def _point_elsewhere(_: Copy, bundle: bytes) -> bytes:
    statement = said(bundle)
    put(statement, "/subject/0/digest/sha256", Digest.of(b"another image").hex)
    return with_payload(bundle, statement)


def _with_another(pointer: str) -> Callable[[Copy, bytes], bytes]:
    """Return what puts a part of another bundle into one."""

    def change(copy: Copy, bundle: bytes) -> bytes:
        document, other = json.loads(bundle), json.loads(copy.target.bundle(copy.target.names(_CYCLONEDX)[0]))
        put(document, pointer, at(other, pointer))
        return json.dumps(document).encode()

    return change


def _write_in_another_order(copy: Copy) -> None:
    """Put the same document behind a digest, of as many bytes, and others."""
    digest = Digest.of(copy.target.bundle(copy.target.names(_PROVENANCE)[0]))
    data = copy.content.read(digest)
    other = json.dumps(dict(reversed(json.loads(data).items())), separators=(",", ":"), ensure_ascii=False)
    copy.content.alter(digest, other.encode().ljust(len(data)))
    copy.fit("publish")


def _remove(copy: Copy) -> None:
    copy.exchange(copy.target.names(_OPENVEX)[0], None)


def _remove_from_the_index(copy: Copy) -> None:
    bundle = copy.target.bundle(copy.target.names(_OPENVEX)[0])
    copy.content.detach(Digest.of(bundle), [copy.target.image])
    copy.fit("publish")


def _remove_all(copy: Copy) -> None:
    for subject in (copy.target.image, *copy.target.platforms):
        copy.content.list_referrers(subject, ())
    copy.fit("publish")


def _refused(kind: PredicateType) -> Refusal:
    return unsatisfied((kind, Ground.ABSENT), bundles=[_SIGNATURE])


ATTACKS = (
    Attack(
        "bundle-altered",
        "a bundle written in another order, under its old digest",
        "verify",
        Refusal(VerificationFailed, "distribution.collecting._bundle"),
        _write_in_another_order,
    ),
    Attack(
        "bundle-truncated",
        "half a bundle, under its own digest",
        "verify",
        _refused(_PROVENANCE),
        _changed(_PROVENANCE, _cut),
        needs=(_PROVENANCE,),
    ),
    Attack(
        "bundle-key-doubled",
        "a bundle that has its envelope twice, which two readers could take for two things",
        "verify",
        Refusal(VerificationFailed, "signing.cosign.agree"),
        _changed(_PROVENANCE, _double),
    ),
    Attack(
        "payload-changed",
        "an SBOM shortened inside its envelope",
        "verify",
        _refused(_CYCLONEDX),
        _changed(_CYCLONEDX, _change_the_payload),
        needs=(_CYCLONEDX,),
    ),
    Attack(
        "statement-repointed",
        "a statement that names another digest, inside its envelope",
        "verify",
        _refused(_PROVENANCE),
        _changed(_PROVENANCE, _point_elsewhere),
        needs=(_PROVENANCE,),
    ),
    Attack(
        "log-entry-exchanged",
        "a bundle with the log entry of another one",
        "verify",
        _refused(_PROVENANCE),
        _changed(_PROVENANCE, _with_another("/verificationMaterial/tlogEntries")),
        needs=(_PROVENANCE,),
    ),
    Attack(
        "certificate-exchanged",
        "a bundle with the certificate of another one",
        "verify",
        _refused(_PROVENANCE),
        _changed(_PROVENANCE, _with_another("/verificationMaterial/certificate")),
        needs=(_PROVENANCE,),
    ),
    Attack(
        "statement-removed",
        "the VEX document taken out of the registry",
        "verify",
        unsatisfied((_OPENVEX, Ground.ABSENT)),
        _remove,
        needs=(_OPENVEX,),
    ),
    Attack(
        "referrer-removed",
        "the VEX document taken away from the index, and left at the platforms",
        "verify",
        unsatisfied((_OPENVEX, Ground.PLACE)),
        _remove_from_the_index,
        needs=(_OPENVEX,),
    ),
    Attack(
        "evidence-removed",
        "all evidence taken out of the registry",
        "verify",
        Refusal(Unsigned, "verification.consumer.examine"),
        _remove_all,
    ),
)
