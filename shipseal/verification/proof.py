"""Say what a verification has proved, from what, and what it has not: a signature shows who said something. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from shipseal.documents.verify import VerificationProof
from shipseal.signing.keys import is_kept
from shipseal.statements import predicates
from shipseal.statements.builders import PredicateType
from shipseal.statements.predicates import read
from shipseal.times import timestamp
from shipseal.verification.decision import Evidence, ImageIndex
from shipseal.verification.freshness import AGEING
from shipseal.verification.trust import Policy, TrustRoot, kind_name

_CLAIMS = {
    "source": "source_repository_uri",
    "commit": "source_repository_digest",
    "ref": "source_repository_ref",
    "run": "run_invocation_uri",
    "runner": "runner_environment",
}


def proved(image: ImageIndex, blobs: int, evidence: Iterable[Evidence]) -> Iterator[VerificationProof]:
    """Yield what an image that satisfies a policy has been proved to be.

    Args:
        image: the image.
        blobs: how many blobs of it were read.
        evidence: what satisfies the policy.
    """
    platforms = ", ".join(image.platforms)
    yield VerificationProof(
        what=f"{image.digest} is whole, for {platforms}", by=f"{blobs} blobs, each held against its digest"
    )
    for each in evidence:
        signed = each.statement.signed
        by = f"{each.statement.bundle}, signed on {timestamp(signed.signed_at)} by {signed.who.identity}"
        yield VerificationProof(what=f"{kind_name(each.kind)} for {each.scope}: {_said(each)}", by=by)


def _said(evidence: Evidence) -> str:
    words = _WORDS.get(evidence.kind)
    return words(evidence.statement.predicate, evidence.statement.signed.claims) if words else "it was signed"


def _built(predicate: object, claims: Mapping[str, str]) -> str:
    built = read(predicates.Provenance, predicate)
    source = built.build_definition.external_parameters.source
    known = [name for name, claim in _CLAIMS.items() if claim in claims]
    also = f"; the certificate says so too of its {', '.join(known)}" if known else ""
    return f"built from {source.uri} at {_commit(built)}, {source.ref or 'on no ref'}{also}"


def _scanned(predicate: object, _: Mapping[str, str]) -> str:
    scanner = read(predicates.Vulns, predicate).scanner
    return f"{len(scanner.result)} findings, by a database of {scanner.db.last_update}"


_WORDS: Mapping[PredicateType, Callable[[object, Mapping[str, str]], str]] = {
    PredicateType.PROVENANCE: _built,
    PredicateType.VULNS: _scanned,
    PredicateType.OPENVEX: lambda it, _: (
        f"{len(read(predicates.OpenVex, it).statements)} vulnerabilities are spoken of"
    ),
    PredicateType.TEST_RESULT: lambda it, _: (
        f"{len(read(predicates.TestResult, it).passed_tests)} tests passed, none failed"
    ),
    PredicateType.CYCLONEDX: lambda it, _: f"{len(read(predicates.CycloneDx, it).components)} components are listed",
    PredicateType.SPDX: lambda it, _: f"{len(read(predicates.Spdx, it).packages)} packages are listed",
    PredicateType.VERDICT: lambda _, __: "the rules of whoever judged allow it",
}


def _commit(built: predicates.Provenance) -> str:
    sources = [each for each in built.build_definition.resolved_dependencies if each.name == "source"]
    return sources[0].digest.get("gitCommit", "no commit") if sources else "no commit"


def not_proved(policy: Policy, evidence: Sequence[Evidence], root_newest: datetime | None) -> Iterator[str]:
    """Yield what was not proved, however much was: what a reader could otherwise take for shown.

    Args:
        policy: what was asked.
        evidence: what satisfies it.
        root_newest: when the newest part of the trust root began to be used.
    """
    if policy.rules.trust_root is TrustRoot.RUN:
        yield "who ran it: the trust root is one that a run has left, and vouches for that run alone"
    else:
        since = f"{root_newest:%Y-%m-%d}" if root_newest else "nobody knows when"
        yield f"that no key was withdrawn since: the newest part of the trust root is of {since}"
    builders = ", ".join(sorted({rule.builder for rule in policy.signers if rule.builder}))
    yield (
        f"that the build could not reach the signer{f' in {builders}' if builders else ''}: "
        f"the policy vouches for build level {policy.rules.slsa_build_level}, and no signature shows it"
    )
    yield (
        "that nothing newer was said and nobody has revoked it, elsewhere or here and removed by somebody who may "
        "write to the registry"
    )
    for each in evidence:
        yield from _open(policy, each)


def _open(policy: Policy, evidence: Evidence) -> Iterator[str]:
    kind, predicate = evidence.kind, evidence.statement.predicate
    if kind in AGEING and policy.maximum_age(kind) is None:
        yield f"that {kind_name(kind)} for {evidence.scope} is of today: the policy sets no greatest age"
    match kind:
        case PredicateType.PROVENANCE:
            if is_kept(evidence.statement.signed.who):
                yield "where it was built: a key says who has it, and nothing else of what it has signed"
            elif lacks := [name for name, claim in _CLAIMS.items() if claim not in evidence.statement.signed.claims]:
                yield f"that provenance is right about {', '.join(lacks)}: the certificate does not name them"
        case PredicateType.VULNS:
            built = read(predicates.Vulns, predicate).scanner.db.last_update
            yield (
                f"that the vulnerability database for {evidence.scope} was whole, and of {built}: "
                "the signer says so, and it was not looked at"
            )
        case PredicateType.TEST_RESULT:
            yield f"that the tests test enough, or anything but what is named in the test-result for {evidence.scope}"
        case PredicateType.OPENVEX:
            yield "that what is stated not to matter does not: whoever stated it answers for it"
