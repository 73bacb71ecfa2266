"""State which vulnerabilities matter in this image, on evidence."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import anyio.to_thread

from shipseal.documents.image import ClosureDocument, ImageDocument, OfferedDocument
from shipseal.documents.sbom import CycloneDxDocument
from shipseal.documents.scan import DatabaseDocument, ImportedDocument, ScanDocument
from shipseal.documents.smoke import TraceDocument
from shipseal.documents.vex import EvidenceDocument, ProposalsDocument
from shipseal.engine.stage import Context
from shipseal.image import contents
from shipseal.judging import following, image_holdings
from shipseal.judging.advisories import texts
from shipseal.judging.advisory_files import AdvisoryFiles
from shipseal.judging.claims import Claim, ClaimState, describe, match_statements
from shipseal.judging.drafts import proposal
from shipseal.judging.escapes import WORDS
from shipseal.judging.following import Following
from shipseal.judging.image_holdings import Holdings
from shipseal.judging.openvex import cross_check, for_scanner, publish
from shipseal.judging.policy_files import PolicyFiles
from shipseal.oci.layout import Layout
from shipseal.platforms import Platform
from shipseal.scanning import findings
from shipseal.scanning.findings import Report
from shipseal.scanning.grype import Grype, Identity
from shipseal.times import read_time


async def vex(context: Context) -> str:
    """Hold the statements of the policy against this image, add what follows from evidence, and publish what applies.

    Grype is given the same statements.
    """
    image = ImageDocument.read(context)
    policy, files = PolicyFiles.load(context.config), AdvisoryFiles.load(context.config)
    layout = Layout.of_image(context.of("image") / "layout", image.digest)
    layout.check_image(image.digest)
    holdings = await anyio.to_thread.run_sync(_holdings, context, layout, image, files)
    identity = Identity.recorded(DatabaseDocument.read(context), ImportedDocument.read(context))
    reports = findings.recorded(ScanDocument.read(context))
    found = findings.merge(reports)
    stated = match_statements(
        *(policy.documents, holdings.packages, holdings.imports, sorted(holdings.paths | holdings.directories)),
        *(context.now, _day_of_sample(context, identity)),
        holdings=holdings,
    )
    followed = following.follow(found, files.known, holdings)
    claims = following.together(stated, followed, found, context.now)
    agreed = await _cross_check(context, claims, identity, reports)
    publish(claims, image, context.now).write(context)
    EvidenceDocument(
        image=image.digest,
        held=context.now.isoformat(),
        claims=tuple(describe(claim, context.now) for claim in claims),
        looked_at=tuple(each.as_document() for each in followed),
        policy={**policy.digests, **files.digests},
        suppressed_by_grype_too=agreed,
    ).write(context)
    ProposalsDocument(tuple(proposal(each, context.now) for each in followed if each.proposed)).write(context)
    return _headline(context, claims, followed)


def _headline(context: Context, claims: Sequence[Claim], followed: Sequence[Following]) -> str:
    states = [f"{n} {each.value}" for each in ClaimState if (n := sum(claim.state is each for claim in claims))]
    made = sum(bool(claim.seen) for claim in claims)
    told = f"{len(claims)} statements ({', '.join(states) or 'none'}), {made} of them by evidence"
    for each in followed:
        if each.proposed:
            context.say(
                f"{each.finding.id} in {each.finding.package}: {each.standing.value}; read the proposal: "
                f"`shipseal vex propose {each.finding.id}`"
            )
    if not any(claim.state is ClaimState.APPLIED for claim in claims):
        context.say("no VEX statement applies: the document that is published has none")
        told += "; none applies, so what is published states nothing"
    return f"{told}; Grype agrees"


def _day_of_sample(context: Context, identity: Identity) -> datetime | None:
    """Return the day by which a dry run's sample is looked at, which stands still; none where another day was asked."""
    judges_nothing = identity.sample and context.as_of is None and not context.world.public
    return read_time(identity.built) if judges_nothing else None


async def _cross_check(
    context: Context, claims: tuple[Claim, ...], identity: Identity, reports: Mapping[str, Report]
) -> int:
    statements = context.write_json("scanner.json", for_scanner(claims, context.now))
    database = context.config.scan.database or context.of("scan") / "database"
    grype = Grype(context.tools, database, context.out)
    grype.require_same(identity)
    agreed = 0
    for platform, before in sorted(reports.items()):
        document = context.of("sbom") / Platform.parse(platform).directory / CycloneDxDocument.NAME
        after = findings.read(await grype.scan(document, statements))
        agreed += cross_check(claims, before, after)
    statements.unlink()
    return agreed


def _holdings(context: Context, layout: Layout, image: ImageDocument, files: AdvisoryFiles) -> Holdings:
    """Read what the image holds, anew for each image, and what earlier stages have seen of this one."""
    advisories = [each for _, each in files.known.advisories]
    names = {*WORDS, *(name for each in advisories for code in each.code if code.module for name in code.functions)}
    return contents.read(layout, image, names, texts(advisories)).with_what_was_seen(
        ClosureDocument.read(context),
        OfferedDocument.read(context),
        image_holdings.trace(TraceDocument.read(context), image),
    )
