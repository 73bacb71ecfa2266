"""`explain FINDING`: where it is in the image, what is said of it, which rule decided, and what would change that.

All of it comes from what a run, or a pack, has recorded. What would change the answer was judged anew with that one
thing otherwise; nothing is guessed.
"""

import argparse
import difflib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.verbs import Verbs
from shipseal.engine import run_directory as place
from shipseal.errors import UsageError
from shipseal.evidence.locations import PackageLocation, evidence, places
from shipseal.evidence.verdict_inputs import RecordedVerdict, recorded
from shipseal.judging.case import Matter, read
from shipseal.judging.explaining import Explained, explain, named
from shipseal.project.config import Config
from shipseal.scanning.findings import Finding

_MOST = 8


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("explain", help="why a finding was judged as it was", description=__doc__)
    verb.add_argument("finding", metavar="FINDING", help="an id as the scanner has it, or an alias of it")
    verb.add_argument("--of", type=Path, metavar="PLACE", help="a run directory or a pack; default: the run here")
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Explain the finding in each package that has it."""
    where = options.of
    if where is None:
        config = Config.load(options.config)
        where = place.checked(config.root, options.run_dir)
    with tempfile.TemporaryDirectory(prefix="shipseal-explain-") as work:
        kept = recorded(where, Path(work))
        matter = read(kept.case)
        found = named(matter, options.finding)
        if not found:
            raise _unknown(options.finding, matter, str(where))
        for finding in found:
            _tell(options, kept, matter, finding)
    return 0


def _unknown(name: str, matter: Matter, where: str) -> UsageError:
    """Say why there is nothing to explain: it was never found, or a scanner has left it out."""
    suppressed = {each for report in matter.reports.values() for one in report.suppressed for each in one.names}
    spoken = [claim.source for claim in matter.claims if name in claim.statement.names]
    why = [f"{source} speaks of it, and covers nothing that was found" for source in dict.fromkeys(spoken)]
    if name in suppressed:
        why.append("the scanner itself has left it out of its results")
    guesses = difflib.get_close_matches(name, [each for one in matter.findings for each in one.names], n=3)
    count = len(matter.findings)
    remedy = f"did you mean {' or '.join(guesses)}?" if guesses else f"{count} findings are in its scan/grype.json"
    return UsageError(f"{where} has no finding {name}", why=why or "no package of the image has it", remedy=remedy)


def _tell(options: argparse.Namespace, kept: RecordedVerdict, matter: Matter, finding: Finding) -> None:
    image = kept.run / "image" if kept.run else None
    there, seen = list(places(kept.case, finding, image)), evidence(kept.case, finding)
    explained = explain(matter, finding)
    captured = next(
        (
            report.providers[finding.provider]
            for report in matter.reports.values()
            if finding.provider in report.providers
        ),
        "",
    )
    event = _event(explained, there, seen, captured)
    released_options.tell(options, event, _lines(explained, there, seen, captured))


def _event(
    explained: Explained, there: Sequence[PackageLocation], seen: Sequence[str], captured: str
) -> dict[str, Any]:
    finding, reason = explained.finding, explained.ruling.reason
    return {
        "event": "explained",
        "finding": finding.id,
        "aliases": list(finding.aliases),
        "package": finding.purl,
        "severity": finding.severity.value,
        "fix": {"state": finding.fix.value, "versions": list(finding.fixed_in), "since": str(finding.fixed_on or "")},
        "epss": finding.epss,
        "exploited": finding.exploited,
        "provider": {"name": finding.provider, "captured": captured},
        "places": [each.as_json() for each in there],
        "seen": list(seen),
        "statements": [
            {
                "source": claim.source,
                "author": claim.author,
                "state": claim.state.value,
                "status": claim.statement.status.value,
                "justification": claim.statement.justification.value if claim.statement.justification else "",
                "until": str(claim.statement.valid_until),
                "refuted_by": list(claim.refuted_by),
            }
            for claim in explained.statements
        ],
        "waivers": [
            {"owner": each.owner, "since": str(each.since), "until": str(each.until), "reason": each.reason}
            for each in explained.waivers
        ],
        "ruling": explained.ruling.kind,
        "rule": reason.code,
        "message": reason.message,
        "remedy": reason.remedy,
        "changes": [
            {"what": each.what, "ruling": each.ruling.kind, "rule": each.ruling.reason.code}
            for each in explained.changes
        ],
    }


def _lines(explained: Explained, there: Sequence[PackageLocation], seen: Sequence[str], captured: str) -> Iterator[str]:
    finding, reason = explained.finding, explained.ruling.reason
    yield f"{finding}"
    if finding.aliases:
        yield f"  also      {', '.join(finding.aliases)}"
    yield f"  says so   {finding.provider or 'nobody named'}{f', data of {captured}' if captured else ''}"
    for each in there:
        layers = ", ".join(layer.partition(" ")[0] for layer in each.layers) or "a layer that the scanner does not name"
        yield f"  where     {each.platform}: {layers}; {len(each.files)} files: {', '.join(each.files[:3])}"
        imported = [f"{name} by {by}" for name, by in each.imported.items()]
        yield from (f"  imported  {line}" for line in imported[:_MOST])
        if len(imported) > _MOST:
            yield f"  imported  and {len(imported) - _MOST} modules more"
    yield from (f"  seen      {line}" for line in seen)
    for claim in explained.statements:
        said = claim.statement.justification or claim.statement.status
        yield f"  stated    {claim.source}: {said.value}, {claim.state.value}, until {claim.statement.valid_until}"
        yield from (f"  against   {line}" for line in claim.refuted_by[:_MOST])
    for waiver in explained.waivers:
        yield f"  waived    by {waiver.owner}, from {waiver.since} to {waiver.until}: {waiver.reason}"
    yield f"  answer    {explained.ruling.short}: {reason.message}"
    if reason.remedy:
        yield f"  remedy    {reason.remedy}"
    yield from (f"  else      {each.what}: {each.ruling.short}" for each in explained.changes)
