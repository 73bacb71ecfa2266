"""Say what there is to sign about an image: each statement, from what the stages before have left."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from shipseal.digest import Digest, Reference
from shipseal.documents.facts import FactsDocument
from shipseal.documents.image import ImageDocument
from shipseal.documents.sbom import CycloneDxDocument, SpdxDocument
from shipseal.documents.scan import DatabaseDocument, ScanDocument
from shipseal.documents.smoke import SmokeDocument
from shipseal.documents.tools import ToolsDocument
from shipseal.documents.verdict import VerdictDocument
from shipseal.documents.vex import OpenVexDocument
from shipseal.engine.record import FILENAME, Record
from shipseal.engine.stage import Context
from shipseal.errors import VerificationFailed
from shipseal.locked.store import BUILT, UNKNOWN
from shipseal.platforms import Platform
from shipseal.signing.identity import Certified
from shipseal.statements import builders
from shipseal.statements.builders import PredicateType, Subject
from shipseal.statements.provenance import VERIFIER, Source, provenance, verification_summary
from shipseal.statements.spelling import repository_uri
from shipseal.statements.unsigned_statement import Planned
from shipseal.verification.decision import ImageIndex
from shipseal.verification.trust import FILENAME as FILE
from shipseal.verification.trust import Policy

SUMMARY = "summary"
"""The name of the statement that `promote` signs: that an image was verified, and by what."""

_NO_REMOTE = "urn:supply-chain-pipeline:no-remote"


def claims_of(context: Context) -> dict[str, str]:
    """Return what this build says of itself, by the names of certificates."""
    source = _source(context)
    return {
        "source_repository_uri": source.uri,
        "source_repository_digest": source.revision,
        "source_repository_ref": source.ref,
    }


def plan(context: Context, image: ImageDocument, promise: Certified) -> Iterator[Planned]:
    """Yield every statement about an image.

    Args:
        context: of the stage that signs, which needs every stage before it.
        image: `image/image.json`.
        promise: who will sign, whom provenance names as the builder.

    Raises:
        VerificationFailed: what an earlier stage has left is not of this image.
    """
    name = image.reference.name
    index = Subject(name, image.digest)
    platforms = {platform: Subject(name, digest) for platform, digest in image.manifests.items()}
    everything = (index, *platforms.values())
    yield Planned("signature", PredicateType.SIGNATURE, everything, builders.signature())
    yield Planned("provenance", PredicateType.PROVENANCE, everything, _provenance(context, promise))
    yield from _tests(context, index, platforms)
    yield Planned("vex", PredicateType.OPENVEX, everything, OpenVexDocument.read(context).as_json())
    yield Planned("verdict", PredicateType.VERDICT, everything, _verdict(context))
    for platform, subject in platforms.items():
        yield from _for_platform(context, platform, (index, subject))


def summary(
    reference: Reference, image: ImageIndex, evidence: Iterable[Digest], policy: Policy, now: datetime
) -> Planned:
    """Plan what is said of a verification: it names the evidence of this release, and nothing that came later.

    Args:
        reference: the image.
        image: its manifests.
        evidence: the bundles that this release stands for.
        policy: what was applied.
        now: when it was verified.
    """
    name = reference.name
    predicate = verification_summary(
        resource=str(reference),
        policy=(f"{FILE}#{policy.name}", policy.digest),
        inputs=[(f"{name}@{bundle}", bundle) for bundle in evidence],
        level=policy.rules.slsa_build_level,
        now=now,
    )
    subjects = tuple(Subject(name, digest) for digest in (image.digest, *image.platforms.values()))
    return Planned(SUMMARY, PredicateType.SUMMARY, subjects, predicate)


def _for_platform(context: Context, platform: str, subjects: tuple[Subject, ...]) -> Iterator[Planned]:
    place = Platform.parse(platform).directory
    cyclonedx, spdx = CycloneDxDocument.read(context, place), SpdxDocument.read(context, place)
    yield Planned(f"sbom-cyclonedx-{place}", PredicateType.CYCLONEDX, subjects, cyclonedx.as_json())
    yield Planned(f"sbom-spdx-{place}", PredicateType.SPDX, subjects, spdx.as_json())
    record, report = _record(context, "scan"), ScanDocument.read(context).root.get(platform)
    if report is None:
        raise VerificationFailed(f"scan/grype.json has no report for {platform}", remedy="run the stage scan again")
    database = DatabaseDocument.read(context)
    found = builders.vulnerabilities(report, database, started=record.started, finished=record.finished)
    yield Planned(f"scan-{place}", PredicateType.VULNS, subjects, found)


def _tests(context: Context, index: Subject, platforms: Mapping[str, Subject]) -> Iterator[Planned]:
    """Plan what the tests of the wheel gave, which every platform holds, and the suite in the started image.

    Each names what it was that was tested: the one says nothing of the image, and the other nothing of other platforms.
    """
    wheels = {name: at for name, at in _record(context, "build").products.items() if name.endswith(".whl")}
    tested = [_resource(f"tested: {name.rpartition('/')[2]}", digest) for name, digest in sorted(wheels.items())]
    yield _test_result(context, "test", (index, *platforms.values()), tested)
    if (context.of("smoke") / "junit.xml").exists():  # on one platform: nothing is said of the others
        started = SmokeDocument.read(context).platform
        if started not in platforms:
            raise VerificationFailed(
                f"smoke/smoke.json names the platform {started}, which the image has not",
                remedy="run the stage smoke again",
            )
        tested = [_resource(f"tested: the started image, {started}", platforms[started].digest)]
        yield _test_result(context, "smoke", (index, platforms[started]), tested)


def _test_result(
    context: Context, stage: str, subjects: tuple[Subject, ...], tested: Sequence[Mapping[str, object]]
) -> Planned:
    configuration = [_resource("pipeline.toml, as it was understood", context.config.digest), *tested]
    result = builders.test_result(context.read(stage, "junit.xml"), configuration)
    return Planned(stage, PredicateType.TEST_RESULT, subjects, result)


def _provenance(context: Context, promise: Certified) -> dict[str, object]:
    return provenance(
        builder=promise.builder,
        source=_source(context),
        parameters=_parameters(context),
        records=[_record(context, stage) for stage in context.stage.needs],
        world=context.world.name,
        certified=promise.claims,
        origins=_origins(context),
    )


def _origins(context: Context) -> dict[Digest, str]:
    """Return where each locked tool came from; of a directory of somebody's machine, no more than that it was one."""
    return {
        tool.digest: tool.source if "://" in tool.source or tool.source in {BUILT, UNKNOWN} else "a directory"
        for tool in ToolsDocument.read(context).root.values()
    }


def _verdict(context: Context) -> dict[str, object]:
    verdict = VerdictDocument.read(context)
    policies = [_resource(name, at) for name, at in sorted(verdict.inputs.items()) if name.startswith("policy/")]
    return builders.verdict(verdict, verifier=VERIFIER, policies=policies, now=context.now)


def _resource(name: str, digest: Digest) -> dict[str, object]:
    return {"name": name, "digest": {digest.algorithm: digest.hex}}


def _record(context: Context, stage: str) -> Record:
    try:
        return Record.read(context.of(stage))
    except FileNotFoundError as error:
        raise VerificationFailed(
            f"{stage}/{FILENAME} is missing, and provenance is made from it", remedy=f"run the stage {stage} again"
        ) from error


def _parameters(context: Context) -> dict[str, object]:
    """Return what decides the image, from the configuration, with paths as they stand in the file."""
    parts = context.config.model_dump_json(include={"service", "test", "smoke", "image"}, by_alias=True)
    return dict(json.loads(parts.replace(f"{context.config.root}/", "")))


def _source(context: Context) -> Source:
    facts = FactsDocument.read(context)
    uri = repository_uri(context.config.image.source or facts.repository or _NO_REMOTE)
    return Source(uri=uri, ref=facts.ref, revision=facts.revision, tree=facts.tree, dirty=facts.dirty)
