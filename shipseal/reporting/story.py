"""Tell a run as sections of a page, from its summary alone. Pure.

Each section is made from documents that a stage has written. A document that is not there gives a section that says
so; one of a shape nobody expects gives one that says that, and never an empty one that could pass for good news.
"""

from collections.abc import Callable, Iterator
from typing import Any

from shipseal.reporting.page import Section
from shipseal.reporting.summary import Summary, not_run, real, stand_ins

Telling = Callable[[Any], Section]


def title(summary: Summary) -> str:
    """Return the page's title: the image by digest, where there is one."""
    image = summary.documents.get("image/image.json")
    reference = image.get("reference") if isinstance(image, dict) else None
    return f"{summary.world or 'run'}: {reference or 'no image'}"


def sections(summary: Summary) -> Iterator[Section]:
    """Yield the sections, the worst news first."""
    yield from _failures(summary)
    yield stages(summary)
    for name, heading, tell in _TOLD:
        yield _told(summary, name, heading, tell)
    yield _facts("What was real", real(summary))
    yield _facts("What a local stand-in did", stand_ins(summary))
    yield _facts("What was not run", not_run(summary))
    yield evidence(summary)


def _failures(summary: Summary) -> Iterator[Section]:
    for failure in summary.failures:
        heading = f"{failure.stage}: {failure.what}" if failure.stage else failure.what
        yield Section(heading, (f"Exit code {failure.exit_code}.", *failure.why, *([failure.do] if failure.do else [])))


def stages(summary: Summary) -> Section:
    """Return how each stage ended."""
    rows = tuple(
        (row.stage, row.outcome.value, "-" if row.seconds is None else f"{row.seconds:.1f} s", row.text)
        for row in summary.rows
    )
    return Section("Stages", (), ("stage", "ended", "time", "result"), rows)


def _told(summary: Summary, name: str, heading: str, tell: Telling) -> Section:
    if name in summary.unreadable:
        return Section(heading, (f"Not known: {name} cannot be read ({summary.unreadable[name]}).",))
    if name not in summary.documents:
        return Section(heading, (f"Not known: {name.partition('/')[0]} has left nothing in this run.",))
    try:
        told = tell(summary.documents[name])
        # Whatever stands where a text should be is told as it stands.
        rows = tuple(tuple(map(str, row)) for row in told.rows)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        return Section(heading, (f"Not known: {name} is of an unknown shape ({type(error).__name__}: {error}).",))
    return Section(heading, tuple(map(str, told.paragraphs)), told.header, rows, name)


def _source(facts: Any) -> Section:
    state = "with changes that are in no commit" if facts["dirty"] else "exactly as committed"
    repository = facts["repository"] or "a repository that names no origin"
    return Section("", (f"Revision {facts['revision']} of {repository}, {state}.",))


def _tools(tools: Any) -> Section:
    if not tools:
        raise ValueError("it names no tool")
    rows = tuple((name, tool["version"], tool["from"], tool["digest"]) for name, tool in tools.items())
    return Section("", ("Each is what the lock names, to the byte.",), ("tool", "version", "from", "digest"), rows)


def _image(image: Any) -> Section:
    rows = [
        (platform, details["digest"], f"{details['size']:,} bytes", f"{len(details['packages'])} packages")
        for platform, details in image["platforms"].items()
    ]
    return Section("", (image["reference"],), ("platform", "digest", "size", "holds"), tuple(rows))


def _smoke(smoke: Any) -> Section:
    started = f"Started on {smoke['platform']} by {smoke['isolation']}, answered after {smoke['start_ms']} ms."
    limits = f"Isolation: {smoke['limits']}."
    rows = tuple(
        (request["path"], str(request["status"]), "as expected" if request["passed"] else "NOT as expected")
        for request in smoke["requests"]
    )
    return Section("", (started, limits), ("path", "status", "answer"), rows)


def _database(database: Any) -> Section:
    kind = "a SAMPLE of a few advisories" if database["sample"] else "a full one"
    return Section("", (f"{kind[0].upper()}{kind[1:]}, built {database['built']}, schema {database['schema']}.",))


def _verdict(verdict: Any) -> Section:
    rows = [
        (kind, reason["finding"] or reason["code"], reason["package"], reason["message"], reason.get("remedy", ""))
        for kind in ("denied", "excused", "noted")
        for reason in verdict[kind]
    ]
    denials = len(verdict["denied"])
    answer = "Allowed." if verdict["allowed"] is True else f"Denied, for {denials} reason{'s' * (denials != 1)}."
    header = ("ruling", "finding", "package", "why", "what to do")
    return Section("", (answer, *verdict["notices"]), header, tuple(rows))


def _publication(receipt: Any) -> Section:
    evidence = sum(len(found) for found in receipt["referrers"].values())
    text = f"{receipt['blobs']} blobs and {evidence} referrers at {receipt['registry']}, read back and compared."
    return Section("", (receipt["reference"], text))


def _verification(verification: Any) -> Section:
    policy = verification["policy"]
    said = (
        f"{verification['digest']}, read back from the registry alone.",
        f"Accepted by {' and by '.join(verification['verifiers'])}, by the policy {policy['name']} "
        f"({policy['digest']}), up to SLSA build level {verification['slsa_build_level']}.",
        *(f"Refused: {bundle}: {why}" for bundle, why in verification["refused"].items()),
    )
    rows = tuple(
        (statement["type"], statement["signer"], statement["issuer"], statement["bundle"])
        for statement in verification["statements"]
    )
    return Section("", said, ("statement", "signer", "issuer", "bundle"), rows)


def _discovery(discovery: Any) -> Section:
    registry = discovery["registry"]
    said = f"Looked for at the image's index. {registry['host']} keeps what is attached by {registry['keeps']}."
    rows = tuple(
        (
            way["way"],
            "measured" if way["measured"] else "emulated",
            f"{len(way['found'])} of {len(way['found']) + len(way['missing'])} types",
            "; ".join([*(f"not {kind}" for kind in way["missing"] if way["found"]), *filter(None, [way["says"]])]),
        )
        for way in discovery["ways"]
    )
    return Section("", (said,), ("by way of", "how we know", "found", "why no more"), rows)


def _tags(tags: Any) -> Section:
    rows = tuple((tag, tags["digest"], tags["before"][tag] or "nothing") for tag in tags["tags"])
    return Section("", (), ("tag", "names now", "named before"), rows)


def _deployment(receipt: Any) -> Section:
    said = f"{receipt['state'][0].upper()}{receipt['state'][1:]}: {receipt['reason']}."
    return Section("", (said,), ("object",), tuple((name,) for name in receipt.get("objects", ())))


_TOLD: tuple[tuple[str, str, Telling], ...] = (
    ("facts/facts.json", "Source", _source),
    ("tools/tools.json", "Tools", _tools),
    ("image/image.json", "Image", _image),
    ("smoke/smoke.json", "Smoke test", _smoke),
    ("assess/verdict.json", "Verdict", _verdict),
    ("scan/database.json", "Vulnerability database", _database),
    ("publish/receipt.json", "Publication", _publication),
    ("verify/verification.json", "Verification", _verification),
    ("verify/discovery.json", "Who finds the evidence", _discovery),
    ("promote/tags.json", "Tags", _tags),
    ("deploy/receipt.json", "Deployment", _deployment),
)


def _facts(heading: str, facts: list[str]) -> Section:
    return Section(heading, (), ("fact",), tuple((fact,) for fact in facts or ["nothing"]))


def evidence(summary: Summary) -> Section:
    """List what a reader may fetch and check, leaving out the blobs that the image and the registry are made of."""
    rows = tuple(
        item for item in sorted(summary.products.items()) if "/blobs/" not in item[0] and "/registry/" not in item[0]
    )
    return Section("Evidence", (), ("file", "digest"), rows)
