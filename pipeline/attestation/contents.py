"""Look into a signed statement: does it say what its type promises, about this image, and something good?

A signature proves that somebody signed text. These checks are what makes the text worth anything; each returns the
objection in words, or None.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.attestation.provenance import BUILD_TYPE
from pipeline.attestation.statements import RULES_PASSED, PredicateType, Signed
from pipeline.digest import Digest
from pipeline.errors import VerificationFailed

Predicate = Mapping[str, Any]


@dataclass(frozen=True)
class About:
    """What a predicate is held against."""

    signed: Signed
    subjects: frozenset[Digest]
    source: str

    @property
    def builder(self) -> str:
        """The identity that built, as the certificate has it: the build signer, where the authority knows one."""
        return self.signed.claims.get("build_signer_uri", self.signed.who.identity)


def object_to(
    kind: PredicateType, predicate: object, signed: Signed, subjects: frozenset[Digest], source: str
) -> str | None:
    """Return what is wrong with a predicate, or None.

    Args:
        kind: its type.
        predicate: its content, of whatever shape it came in.
        signed: by whom and when it was signed.
        subjects: what it must speak of.
        source: the repository that it must come from; empty means any.
    """
    if not isinstance(predicate, dict):
        return "it has no predicate"
    try:
        return _CHECKS[kind](predicate, About(signed, subjects, source))
    except (KeyError, TypeError, AttributeError, ValueError, VerificationFailed) as error:
        return f"its content is malformed: {type(error).__name__}: {error}"


def _provenance(predicate: Predicate, about: About) -> str | None:
    """Hold provenance against the certificate (SLSA v1.2, "Verifying artifacts"): alone it is text that was signed."""
    definition, builder = predicate["buildDefinition"], predicate["runDetails"]["builder"]["id"]
    if definition["buildType"] != BUILD_TYPE:
        return f"its build type is {definition['buildType']}"
    if builder != about.builder:
        return f"it names the builder {builder}, and {about.builder} signed it"
    dependencies = definition["resolvedDependencies"]
    if not any(item.get("uri", "").startswith("pkg:") for item in dependencies):
        return "it names no material"
    if any(not item.get("digest") for item in dependencies):
        return "it names a material without its digest"
    return _source(definition, about)


def _source(definition: Predicate, about: About) -> str | None:
    (source,) = (item for item in definition["resolvedDependencies"] if item.get("name") == "source")
    claimed = definition["externalParameters"]["source"]["uri"]
    certified = about.signed.claims.get("source_repository_uri", claimed)
    if claimed != certified:
        return f"it names the source {claimed}, and the certificate names {certified}"
    if about.source and claimed != about.source:
        return f"it was built from {claimed}"
    revision = about.signed.claims.get("source_repository_digest", source["digest"]["gitCommit"])
    if source["digest"]["gitCommit"] != revision:
        return f"it names the commit {source['digest']['gitCommit']}, and the certificate names {revision}"
    return None


def _cyclonedx(predicate: Predicate, about: About) -> str | None:
    if predicate["bomFormat"] != "CycloneDX" or not predicate["components"]:
        return "it lists no components"
    described = Digest.parse(predicate["metadata"]["component"]["version"])
    return None if described in about.subjects else f"it lists the content of {described}"


def _spdx(predicate: Predicate, about: About) -> str | None:
    if not predicate["spdxVersion"].startswith("SPDX-") or not predicate["packages"]:
        return "it lists no packages"
    (root,) = {
        each["relatedSpdxElement"]
        for each in predicate["relationships"]
        if each["relationshipType"] == "DESCRIBES" and each["spdxElementId"] == "SPDXRef-DOCUMENT"
    }
    version = next(package["versionInfo"] for package in predicate["packages"] if package["SPDXID"] == root)
    described = Digest.parse(version)
    return None if described in about.subjects else f"it lists the content of {described}"


def _openvex(predicate: Predicate, about: About) -> str | None:
    if not predicate["@context"].startswith("https://openvex.dev/ns"):
        return "it is not OpenVEX"
    names = {str(digest) for digest in about.subjects}
    for statement in predicate["statements"]:
        for product in statement["products"]:
            if product["@id"].partition("@")[2] not in names:
                return f"it speaks of {product['@id']}"
    return None


def _vulns(predicate: Predicate, _: About) -> str | None:
    scanner = predicate["scanner"]
    if not isinstance(scanner["result"], list):
        return "it has no list of results"
    return None if scanner["db"]["lastUpdate"] else "it does not say how old its database was"


def _test_result(predicate: Predicate, _: About) -> str | None:
    if predicate["result"] not in {"PASSED", "WARNED"} or predicate["failedTests"]:
        return f"the tests did not pass: {', '.join(predicate['failedTests'][:5]) or predicate['result']}"
    return None if predicate["passedTests"] else "no test passed"


def _verdict(predicate: Predicate, _: About) -> str | None:
    return None if RULES_PASSED in predicate["properties"] else "the verdict is not to allow this image"


def _says_nothing(_: Predicate, __: About) -> str | None:
    return None


def _summary(predicate: Predicate, _: About) -> str | None:
    result = predicate["verificationResult"]
    return None if result == "PASSED" else f"the verification ended with {result}"


_CHECKS: Mapping[PredicateType, Callable[[Predicate, About], str | None]] = {
    PredicateType.PROVENANCE: _provenance,
    PredicateType.CYCLONEDX: _cyclonedx,
    PredicateType.SPDX: _spdx,
    PredicateType.OPENVEX: _openvex,
    PredicateType.VULNS: _vulns,
    PredicateType.TEST_RESULT: _test_result,
    PredicateType.VERDICT: _verdict,
    PredicateType.SIGNATURE: _says_nothing,
    PredicateType.SUMMARY: _summary,
}
