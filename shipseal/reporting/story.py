"""Tell a run as sections of a page, from its summary alone. Pure.

Each section is made from documents that a stage has written. A document that is not there gives a section that says
so; one of a shape nobody expects gives one that says that, and never an empty one that could pass for good news.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from shipseal.documents.deploy import DeployDocument
from shipseal.documents.facts import FactsDocument
from shipseal.documents.image import ImageDocument
from shipseal.documents.promote import TagsDocument
from shipseal.documents.publish import PublishedDocument
from shipseal.documents.scan import DatabaseDocument
from shipseal.documents.smoke import SmokeDocument
from shipseal.documents.tools import ToolsDocument
from shipseal.documents.verdict import VerdictDocument
from shipseal.documents.verify import DiscoveryDocument, DiscoveryWay, VerificationDocument
from shipseal.reporting.content_diff import moved
from shipseal.reporting.documents import Model, NotKnown, name
from shipseal.reporting.page import ReportSection
from shipseal.reporting.summary import RunSummary, not_run, real, stand_ins


def title(summary: RunSummary) -> str:
    """Return the page's title: the image by digest, where there is one."""
    image = summary.documents.get(ImageDocument)
    return f"{summary.world or 'run'}: {image.reference if image else 'no image'}"


def sections(summary: RunSummary) -> Iterator[ReportSection]:
    """Yield the sections, the worst news first."""
    yield from _failures(summary)
    yield stages(summary)
    yield from _written(summary)
    yield _facts("What was real", real(summary))
    yield _facts("What a local stand-in did", stand_ins(summary))
    yield _facts("What was not run", not_run(summary))
    yield evidence(summary)


def _failures(summary: RunSummary) -> Iterator[ReportSection]:
    for failure in summary.failures:
        heading = f"{failure.stage}: {failure.what}" if failure.stage else failure.what
        yield ReportSection(
            heading, (f"Exit code {failure.exit_code}.", *failure.why, *([failure.remedy] if failure.remedy else []))
        )


def stages(summary: RunSummary) -> ReportSection:
    """Return how each stage ended."""
    rows = tuple(
        (row.stage, row.outcome.value, "-" if row.seconds is None else f"{row.seconds:.1f} s", row.text)
        for row in summary.rows
    )
    return ReportSection("Stages", (), ("stage", "ended", "time", "result"), rows)


def _written(summary: RunSummary) -> Iterator[ReportSection]:
    yield _told(summary, FactsDocument, "Source", _source)
    yield _told(summary, ToolsDocument, "Tools", _tools)
    yield _told(summary, ImageDocument, "Image", _image)
    yield _told(summary, SmokeDocument, "Smoke test", _smoke)
    yield _told(summary, VerdictDocument, "Verdict", _verdict)
    yield _told(summary, DatabaseDocument, "Vulnerability database", _database)
    yield _told(summary, PublishedDocument, "Publication", _publication)
    yield _told(summary, VerificationDocument, "Verification", _verification)
    yield _told(summary, DiscoveryDocument, "Who finds the evidence", _discovery)
    yield _told(summary, TagsDocument, "Tags", _tags)
    yield _told(summary, DeployDocument, "Deployment", _deployment)


def _told(
    summary: RunSummary, model: type[Model], heading: str, tell: Callable[[Model], ReportSection]
) -> ReportSection:
    try:
        return replace(tell(summary.documents.need(model)), title=heading, source=name(model))
    except NotKnown as error:
        return ReportSection(heading, (f"Not known: {error}.",))


def _source(facts: FactsDocument) -> ReportSection:
    state = "with changes that are in no commit" if facts.dirty else "exactly as committed"
    repository = facts.repository or "a repository that names no origin"
    return ReportSection("", (f"Revision {facts.revision} of {repository}, {state}.",))


def _tools(tools: ToolsDocument) -> ReportSection:
    rows = tuple((name, tool.version, tool.source, str(tool.digest)) for name, tool in tools.root.items())
    return ReportSection(
        "", ("Each is what the lock names, to the byte.",), ("tool", "version", "from", "digest"), rows
    )


def _image(image: ImageDocument) -> ReportSection:
    rows = tuple(
        (platform, str(details.digest), f"{details.size:,} bytes", f"{len(details.packages)} packages")
        for platform, details in image.platforms.items()
    )
    return ReportSection("", (str(image.reference),), ("platform", "digest", "size", "holds"), rows)


def _smoke(smoke: SmokeDocument) -> ReportSection:
    started = f"Started on {smoke.platform} by {smoke.isolation}, answered after {smoke.start_ms} ms."
    rows = tuple(
        (answer.path, str(answer.status), "as expected" if answer.passed else "NOT as expected")
        for answer in smoke.requests
    )
    return ReportSection("", (started, f"Isolation: {smoke.limits}."), ("path", "status", "answer"), rows)


def _database(database: DatabaseDocument) -> ReportSection:
    kind = "A SAMPLE of a few advisories" if database.sample else "A full one"
    return ReportSection("", (f"{kind}, built {database.built}, schema {database.schema_version}.",))


def _verdict(verdict: VerdictDocument) -> ReportSection:
    rows = tuple(
        (ruling, reason.finding or reason.code, reason.package, reason.message, reason.remedy)
        for ruling, reason in verdict.reasons
    )
    denials = len(verdict.denied)
    answer = "Allowed." if verdict.allowed else f"Denied, for {denials} reason{'s' * (denials != 1)}."
    header = ("ruling", "finding", "package", "why", "what to do")
    return ReportSection("", (answer, *verdict.notices), header, rows)


def _publication(receipt: PublishedDocument) -> ReportSection:
    evidence = sum(map(len, receipt.referrers.values()))
    text = f"{receipt.blobs} blobs and {evidence} referrers at {receipt.registry}, read back and compared."
    return ReportSection("", (str(receipt.reference), text))


def _verification(verification: VerificationDocument) -> ReportSection:
    policy = verification.policy
    said = (
        f"{verification.digest}, read back from the registry alone.",
        f"Accepted by {' and by '.join(verification.verifiers)}, by the policy {policy.name} "
        f"({policy.digest}), up to SLSA build level {verification.slsa_build_level}.",
        *(f"Refused: {bundle}: {why}" for bundle, why in verification.refused.items()),
    )
    rows = tuple((each.type, each.signer, each.issuer, str(each.bundle)) for each in verification.statements)
    return ReportSection("", said, ("statement", "signer", "issuer", "bundle"), rows)


def _discovery(discovery: DiscoveryDocument) -> ReportSection:
    registry = discovery.registry
    said = f"Looked for at the image's index. {registry.host} keeps what is attached by {registry.keeps}."
    rows = tuple(map(_way, discovery.ways))
    return ReportSection("", (said,), ("by way of", "how we know", "found", "why no more"), rows)


def _way(way: DiscoveryWay) -> tuple[str, ...]:
    lacks = [f"not {kind}" for kind in way.missing if way.found]
    return (
        way.way,
        "measured" if way.measured else "emulated",
        f"{len(way.found)} of {len(way.found) + len(way.missing)} types",
        "; ".join([*lacks, *filter(None, [way.says])]),
    )


def _tags(tags: TagsDocument) -> ReportSection:
    rows = tuple((tag, now, before) for tag, before, now in moved(tags))
    return ReportSection("", (), ("tag", "names now", "named before"), rows)


def _deployment(receipt: DeployDocument) -> ReportSection:
    said = f"{receipt.state[0].upper()}{receipt.state[1:]}: {receipt.reason}."
    return ReportSection("", (said,), ("object",), tuple((each,) for each in receipt.objects or ()))


def _facts(heading: str, facts: list[str]) -> ReportSection:
    return ReportSection(heading, (), ("fact",), tuple((fact,) for fact in facts or ["nothing"]))


def evidence(summary: RunSummary) -> ReportSection:
    """List what a reader may fetch and check, leaving out the blobs that the image and the registry are made of."""
    rows = tuple(
        item for item in sorted(summary.products.items()) if "/blobs/" not in item[0] and "/registry/" not in item[0]
    )
    return ReportSection("Evidence", (), ("file", "digest"), rows)
