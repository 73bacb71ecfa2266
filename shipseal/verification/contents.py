"""Look into a signed statement: does it say what its type promises, about this image, and something good?

A signature proves that somebody signed text. These checks are what makes the text worth anything; each returns the
objection in words, or None. Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.statements import predicates
from shipseal.statements.builders import RULES_PASSED, PredicateType, Signed
from shipseal.statements.countersignature import SAME, Rebuild
from shipseal.statements.deployment import Receipt, RenderedSet
from shipseal.statements.predicates import read
from shipseal.statements.provenance import BUILD_TYPE
from shipseal.statements.spelling import repository_uri
from shipseal.verification.trust import Tested

_OPENVEX = "https://openvex.dev/ns"


@dataclass(frozen=True)
class About:
    """What a predicate is held against.

    Args:
        signed: by whom and when it was signed, and what the certificate says.
        subjects: what it must speak of.
        source: the repository that it must come from; empty means any.
        real: whether the trust root is more than a run's own. Then nothing passes that was made to try things out: a
            dry run, a tree that is in no commit, a sample of a vulnerability database.
        tested: what must have been tested; None means that anything will do.
    """

    signed: Signed
    subjects: frozenset[Digest]
    source: str = ""
    real: bool = True
    tested: Tested | None = None

    @property
    def builder(self) -> str:
        """The identity that built, as the certificate has it: the build signer, where the authority knows one."""
        return self.signed.claims.get("build_signer_uri", self.signed.who.identity)


def check_predicate(kind: PredicateType, predicate: object, about: About) -> str | None:
    """Return what is wrong with a predicate, or None.

    Args:
        kind: its type.
        predicate: its content, of whatever shape it came in.
        about: what it is held against.
    """
    if not isinstance(predicate, dict):
        return "it has no predicate"
    try:
        return _CHECKS[kind](predicate, about)
    except (ValueError, VerificationFailed) as error:
        return f"its content is malformed: {error}"


def _provenance(predicate: object, about: About) -> str | None:
    """Hold provenance against the certificate (SLSA v1.2, "Verifying artifacts"): alone it is text that was signed."""
    said = read(predicates.Provenance, predicate)
    definition, builder = said.build_definition, said.run_details.builder.id
    if definition.build_type != BUILD_TYPE:
        return f"its build type is {definition.build_type}"
    if builder != about.builder:
        return f"it names the builder {builder}, and {about.builder} signed it"
    if not any(item.uri.startswith("pkg:") for item in definition.resolved_dependencies):
        return "it names no material"
    if any(not item.digest for item in definition.resolved_dependencies):
        return "it names a material without its digest"
    if about.real and definition.internal_parameters.world != "release":
        return f"it was made by a {definition.internal_parameters.world or 'run of no known kind'}, and by no release"
    return _source(said, about)


def _source(said: predicates.Provenance, about: About) -> str | None:
    definition, claims = said.build_definition, about.signed.claims
    invocation, runner = said.run_details.metadata.invocation_id, definition.internal_parameters.runner
    sources = [item for item in definition.resolved_dependencies if item.name == "source"]
    if len(sources) != 1:
        return f"it names {len(sources)} sources"
    claimed, commit = definition.external_parameters.source, sources[0].digest.get("gitCommit", "")
    if about.source and repository_uri(claimed.uri) != repository_uri(about.source):
        return f"it was built from {claimed.uri}"
    for what, ours, theirs in (
        ("source", repository_uri(claimed.uri), repository_uri(claims.get("source_repository_uri", claimed.uri))),
        ("commit", commit or "(none)", claims.get("source_repository_digest", commit)),
        # A checkout of a commit is on no branch, and says so.
        ("ref", claimed.ref, claims.get("source_repository_ref", claimed.ref) if claimed.ref else ""),
        ("invocation", invocation or "(none)", claims.get("run_invocation_uri", invocation or "(none)")),
        ("runner", runner or "(none)", claims.get("runner_environment", runner or "(none)")),
    ):
        if ours != theirs:
            return f"it names the {what} {ours}, and the certificate names {theirs}"
    if about.real and sources[0].annotations.get("dirty") is not False:
        return "it was built from a tree that is in no commit"
    return None


def _cyclonedx(predicate: object, about: About) -> str | None:
    said = read(predicates.CycloneDx, predicate)
    if said.bom_format != "CycloneDX" or not said.components:
        return "it lists no components"
    return _content(said.metadata.component.version, about)


def _spdx(predicate: object, about: About) -> str | None:
    said = read(predicates.Spdx, predicate)
    if not said.spdx_version.startswith("SPDX-") or not said.packages:
        return "it lists no packages"
    roots = {
        each.related_spdx_element
        for each in said.relationships
        if (each.relationship_type, each.spdx_element_id) == ("DESCRIBES", "SPDXRef-DOCUMENT")
    }
    versions = {package.version_info for package in said.packages if package.spdx_id in roots}
    if len(versions) != 1:
        return f"it describes {len(versions)} things"
    return _content(versions.pop(), about)


def _content(version: str, about: About) -> str | None:
    described = Digest.parse(version)
    return None if described in about.subjects else f"it lists the content of {described}"


def _openvex(predicate: object, about: About) -> str | None:
    said = read(predicates.OpenVex, predicate)
    if said.context != _OPENVEX and not said.context.startswith(f"{_OPENVEX}/"):
        return "it is not OpenVEX"
    names = {str(digest) for digest in about.subjects}
    for statement in said.statements:
        for product in statement.products:
            if product.id.partition("@")[2] not in names:
                return f"it speaks of {product.id}"
    return None


def _vulns(predicate: object, about: About) -> str | None:
    database = read(predicates.Vulns, predicate).scanner.db
    if about.real and database.annotations.sample:
        return "its database was the SAMPLE, which knows next to nothing"
    return None if database.last_update else "it does not say how old its database was"


def _test_result(predicate: object, about: About) -> str | None:
    said = read(predicates.TestResult, predicate)
    if about.tested and about.tested is not (tested := _tested(said, about)):
        was = f"the {tested}" if tested else "nothing known"
        return f"it is of {was}, and the policy asks for that of the {about.tested}"
    if said.result not in {"PASSED", "WARNED"} or said.failed_tests:
        return f"the tests did not pass: {', '.join(said.failed_tests[:5]) or said.result}"
    return None if said.passed_tests else "no test passed"


def _tested(said: predicates.TestResult, about: About) -> Tested | None:
    """Return what was tested, by the digest of a manifest or the name of a wheel; None where it does not say."""
    if {item.digest.get("sha256") for item in said.configuration} & {digest.hex for digest in about.subjects}:
        return Tested.IMAGE
    return Tested.WHEEL if any(item.name.endswith(".whl") for item in said.configuration) else None


def _verdict(predicate: object, _: About) -> str | None:
    said = read(predicates.SimpleVerificationResult, predicate)
    allowed = RULES_PASSED in said.properties and (said.whole is None or said.whole.allowed)
    return None if allowed else "the verdict is not to allow this image"


def _says_nothing(_: object, __: About) -> str | None:
    return None


def _summary(predicate: object, _: About) -> str | None:
    result = read(predicates.VerificationSummary, predicate).verification_result
    return None if result == "PASSED" else f"the verification ended with {result}"


def _rendered_set(predicate: object, about: About) -> str | None:
    image = read(RenderedSet, predicate).image
    return None if Digest.parse(image.partition("@")[2]) in about.subjects else f"it is of {image}"


def _deployment(predicate: object, about: About) -> str | None:
    image = read(Receipt, predicate).image
    return None if Digest.parse(image.partition("@")[2]) in about.subjects else f"it is of {image}"


def _rebuild(predicate: object, about: About) -> str | None:
    said = read(Rebuild, predicate)
    if Digest.parse(said.image.partition("@")[2]) not in about.subjects:
        return f"it is of {said.image}"
    if not {Digest.parse(each) for each in said.compared.platforms.values()} <= about.subjects:
        return "it has compared platforms of another image"
    return None if said.compared.result == SAME else f"the comparison ended with {said.compared.result}"


def _revocation(_: object, __: About) -> str:
    return "it speaks against the image"


_CHECKS: Mapping[PredicateType, Callable[[object, About], str | None]] = {
    PredicateType.PROVENANCE: _provenance,
    PredicateType.CYCLONEDX: _cyclonedx,
    PredicateType.SPDX: _spdx,
    PredicateType.OPENVEX: _openvex,
    PredicateType.VULNS: _vulns,
    PredicateType.TEST_RESULT: _test_result,
    PredicateType.VERDICT: _verdict,
    PredicateType.SIGNATURE: _says_nothing,
    PredicateType.SUMMARY: _summary,
    PredicateType.RENDERED_SET: _rendered_set,
    PredicateType.DEPLOYMENT: _deployment,
    PredicateType.REVOCATION: _revocation,
    PredicateType.REBUILD: _rebuild,
}
