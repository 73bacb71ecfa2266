"""Say what is known of the image in signed statements, and put each beside the image that it speaks of.

The digest is known before anything is pushed, so signatures come before publication: no unsigned image is ever there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.attestation import statements
from pipeline.attestation.identity import Certified
from pipeline.attestation.planned import Planned
from pipeline.attestation.provenance import VERIFIER, Source, provenance
from pipeline.attestation.rehearsal import rehearse, require_trusted
from pipeline.attestation.roots import public_root
from pipeline.attestation.signing import Signer
from pipeline.attestation.spelling import repository_uri
from pipeline.attestation.statements import PredicateType, Subject
from pipeline.attestation.verification import Image
from pipeline.digest import Digest
from pipeline.distribution.moving import moves, require_writable
from pipeline.distribution.referrers import EMPTY, attach
from pipeline.distribution.registry import Registry
from pipeline.engine.record import FILENAME, Record
from pipeline.engine.stage import Context
from pipeline.errors import VerificationFailed
from pipeline.judging.policy import require_fresh
from pipeline.oci.layout import Layout
from pipeline.platforms import Platform
from pipeline.times import read_time

_NO_REMOTE = "urn:supply-chain-pipeline:no-remote"


async def attest(context: Context) -> str:
    """Write statements/, bundles/ and layout/: the image with every bundle as a referrer of each of its subjects.

    Raises:
        RemoteFailed: the registry does not let this login in, or not write, so that what is logged for good would not
            be published; or the signing services refused.
        UsageError: the version has been released with other bytes.
        VerificationFailed: the evidence is not of this image, or `verify` would refuse it once it is signed.
        PolicyDenied: the verdict is too old.
    """
    image = context.read_json("image", "image.json")
    digest = Digest.parse(image["digest"])
    layout = Layout.of_image(context.of("image") / "layout", digest).copy_to(context.out / "layout")
    layout.check_image(digest)
    _require_same(image, layout, digest)
    require_fresh(read_time(context.read_json("assess", "verdict.json")["judged"]), context.now)
    for name in ("statements", "bundles"):
        (context.out / name).mkdir()

    async def ask(registry: Registry) -> None:
        context.say("asking the registry which tags it has, and whether this login may write")
        await moves(registry, str(image["service"]["version"]), digest)
        await require_writable(registry, layout, digest)

    await context.world.preflight(context.tools, ask)
    async with context.world.signer(context.tools, context.out) as signer:
        claims = _claims(context)
        planned = tuple(_plan(context, image, signer.promise(claims)))
        _rehearse(context, image, planned, signer)
        for each in planned:
            context.say(f"signing {each.name}")
            await signer.sign(_statement(context.out, each), _bundle(context.out, each), claims)
        _attach(context, layout, digest, planned)
    manifests = 1 + len(image["platforms"])
    return f"{len(planned)} statements signed by {signer.authority}, attached to {manifests} manifests"


def _rehearse(context: Context, image: Mapping[str, Any], planned: tuple[Planned, ...], signer: Signer) -> None:
    """Write the statements, and raise `VerificationFailed` where `verify` would refuse them once they are signed."""
    policy, directory = context.world.policy()
    left = context.out / "trusted_root.json"
    root = policy.root(left if left.exists() else None, public_root(), directory)
    if signer.root:
        require_trusted(policy, root.read_bytes(), signer.root.read_bytes())
    for each in planned:
        _statement(context.out, each).write_bytes(each.canonical())
    platforms = {name: Digest.parse(entry["digest"]) for name, entry in image["platforms"].items()}
    name = policy.rules.repository or str(image["reference"]).partition("@")[0]
    made = [_statement(context.out, each).read_bytes() for each in planned]
    promise = signer.promise(_claims(context))
    rehearse(policy, Image(Digest.parse(image["digest"]), platforms, name), made, promise, context.now)


def _claims(context: Context) -> dict[str, str]:
    """Return what this build says of itself, by the names of certificates."""
    source = _source(context)
    return {
        "source_repository_uri": source.uri,
        "source_repository_digest": source.revision,
        "source_repository_ref": source.ref,
    }


def _statement(out: Path, planned: Planned) -> Path:
    return out / "statements" / f"{planned.name}.json"


def _require_same(image: Mapping[str, Any], layout: Layout, digest: Digest) -> None:
    """Refuse to sign for platforms that the image has not."""
    said = {platform: entry["digest"] for platform, entry in image["platforms"].items()}
    found = {platform.name: str(platform.digest) for platform in layout.image(digest)[1]}
    if said != found:
        raise VerificationFailed(
            "image/image.json has other platforms than the image itself",
            why=[f"{name}: {at}" for name, at in sorted(said.items() ^ found.items())],
            do="run `python -m pipeline stage image` again, and find out who wrote it",
        )


def _bundle(out: Path, planned: Planned) -> Path:
    return out / "bundles" / f"{planned.name}.sigstore.json"


def _attach(context: Context, layout: Layout, image: Digest, planned: tuple[Planned, ...]) -> None:
    index, platforms = layout.image(image)
    descriptors = {str(item["digest"]): item for item in (index, *(each.descriptor for each in platforms))}
    layout.put(EMPTY)
    listed = []
    for each in planned:
        bundle = _bundle(context.out, each).read_bytes()
        layout.put(bundle)
        for subject in each.subjects:
            referrer = attach(bundle, each.kind, descriptors[str(subject.digest)], context.now)
            layout.put(referrer.manifest)
            listed.append(referrer.descriptor)
    layout.list_more(listed)


def _plan(context: Context, image: Mapping[str, Any], promise: Certified) -> Iterator[Planned]:
    name = str(image["reference"]).partition("@")[0]
    index = Subject(name, Digest.parse(image["digest"]))
    platforms = {
        platform: Subject(name, Digest.parse(entry["digest"])) for platform, entry in image["platforms"].items()
    }
    everything = (index, *platforms.values())
    yield Planned("signature", PredicateType.SIGNATURE, everything, statements.signature())
    yield Planned("provenance", PredicateType.PROVENANCE, everything, _provenance(context, promise))
    yield from _tests(context, index, platforms)
    yield Planned("vex", PredicateType.OPENVEX, everything, context.read_json("vex", "openvex.json"))
    yield Planned("verdict", PredicateType.VERDICT, everything, _verdict(context))
    for platform, subject in platforms.items():
        yield from _for_platform(context, platform, (index, subject))


def _for_platform(context: Context, platform: str, subjects: tuple[Subject, ...]) -> Iterator[Planned]:
    place = Platform.parse(platform).directory
    for kind, form, file in (
        (PredicateType.CYCLONEDX, "cyclonedx", "sbom.cdx.json"),
        (PredicateType.SPDX, "spdx", "sbom.spdx.json"),
    ):
        yield Planned(f"sbom-{form}-{place}", kind, subjects, context.read_json("sbom", f"{place}/{file}"))
    record = _record(context, "scan")
    reports, database = context.read_json("scan", "grype.json"), context.read_json("scan", "database.json")
    if platform not in reports:
        raise VerificationFailed(f"scan/grype.json has no report for {platform}", do="run the stage scan again")
    found = statements.vulnerabilities(reports[platform], database, started=record.started, finished=record.finished)
    yield Planned(f"scan-{place}", PredicateType.VULNS, subjects, found)


def _tests(context: Context, index: Subject, platforms: Mapping[str, Subject]) -> Iterator[Planned]:
    """Plan what the tests of the wheel gave, which every platform holds, and the suite in the started image.

    Each names what it was that was tested: the one says nothing of the image, and the other nothing of other platforms.
    """
    wheels = {name: at for name, at in _record(context, "build").products.items() if name.endswith(".whl")}
    tested = [_resource(f"tested: {name.rpartition('/')[2]}", digest) for name, digest in sorted(wheels.items())]
    yield _test_result(context, "test", (index, *platforms.values()), tested)
    if (context.of("smoke") / "junit.xml").exists():  # on one platform: nothing is said of the others
        started = context.read_json("smoke", "smoke.json")["platform"]
        if started not in platforms:
            raise VerificationFailed(
                f"smoke/smoke.json names the platform {started}, which the image has not",
                do="run the stage smoke again",
            )
        tested = [_resource(f"tested: the started image, {started}", platforms[started].digest)]
        yield _test_result(context, "smoke", (index, platforms[started]), tested)


def _test_result(
    context: Context, stage: str, subjects: tuple[Subject, ...], tested: Sequence[Mapping[str, Any]]
) -> Planned:
    configuration = [_resource("pipeline.toml, as it was understood", context.config.digest), *tested]
    result = statements.test_result(context.read(stage, "junit.xml"), configuration)
    return Planned(stage, PredicateType.TEST_RESULT, subjects, result)


def _provenance(context: Context, promise: Certified) -> dict[str, Any]:
    return provenance(
        builder=promise.builder,
        source=_source(context),
        parameters=_parameters(context),
        records=[_record(context, stage) for stage in context.stage.needs],
        world=context.world.name,
    )


def _verdict(context: Context) -> dict[str, Any]:
    verdict = context.read_json("assess", "verdict.json")
    inputs = sorted(verdict["inputs"].items())
    policies = [_resource(name, Digest.parse(text)) for name, text in inputs if name.startswith("policy/")]
    return statements.verdict(verdict, verifier=VERIFIER, policies=policies, now=context.now)


def _resource(name: str, digest: Digest) -> dict[str, Any]:
    return {"name": name, "digest": {digest.algorithm: digest.hex}}


def _record(context: Context, stage: str) -> Record:
    try:
        return Record.read(context.of(stage))
    except FileNotFoundError as error:
        raise VerificationFailed(
            f"{stage}/{FILENAME} is missing, and provenance is made from it", do=f"run the stage {stage} again"
        ) from error


def _parameters(context: Context) -> dict[str, Any]:
    """Return what decides the image, from the configuration, with paths as they stand in the file."""
    parts = context.config.model_dump_json(include={"service", "test", "smoke", "image"}, by_alias=True)
    return dict(json.loads(parts.replace(f"{context.config.root}/", "")))


def _source(context: Context) -> Source:
    facts = context.read_json("facts", "facts.json")
    return Source(
        uri=repository_uri(context.config.image.source or facts["repository"] or _NO_REMOTE),
        ref=facts["ref"],
        revision=facts["revision"],
        tree=Digest.parse(facts["tree"]),
        dirty=facts["dirty"],
    )
