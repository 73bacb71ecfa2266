"""Write what a person may accept: a statement with its evidence, and without what only a person can say. Pure."""

from datetime import datetime
from typing import Any

from shipseal.documents.vex import Proposal
from shipseal.judging.following import Following
from shipseal.judging.vex import CONTEXT, Justification, VexStatus

# A file with these is refused until somebody has put a name, a reason and a last day in their place.
BLANKS = ("author", "impact_statement", "valid_until")


def draft(each: Following, now: datetime) -> dict[str, Any]:
    """Return the draft of a statement that the code is not in the execute path, as a file of `policy/vex/`.

    Its conditions are the evidence: they are looked at again in every run, so that it ends with what it rests on. Who
    accepts it gives a name, a reason, and a last day.
    """
    finding = each.finding
    modules = [part.code.module for part in each.parts if part.code.module]
    statement = {
        "vulnerability": {"name": finding.id, "aliases": list(finding.aliases)},
        "products": [{"@id": str(finding.subject)}],
        "status": VexStatus.NOT_AFFECTED.value,
        "justification": Justification.CODE_NOT_IN_EXECUTE_PATH.value,
        "impact_statement": "",
        "valid_until": "",
        "evidence": [
            *({"url": str(part.code.source), "says": part.code.says} for part in each.parts),
        ],
        "conditions": [condition for name in modules for condition in ({"not_imported": name}, {"not_opened": name})],
    }
    return {
        "@context": CONTEXT,
        "@id": f"urn:supply-chain-pipeline:vex:{finding.id}",
        "author": "",
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": 1,
        "statements": [statement],
    }


def proposal(each: Following, now: datetime) -> Proposal:
    """Return a draft with its evidence in words, for whoever decides, as `vex/proposals.json` keeps it."""
    return Proposal(
        finding=each.finding.id,
        package=str(each.finding.subject),
        told=(each.advisory.about, *map(str, each.seen)),
        draft=draft(each, now),
    )
