"""Hold packages that no image holds yet against the vulnerability database, as `scan` does with those of an image."""

import json
from collections.abc import Sequence

from shipseal.errors import ToolFailed
from shipseal.purl import Purl
from shipseal.scanning import findings
from shipseal.scanning.advisory_changes import AdvisoryChanges, Packages, Reports, compare
from shipseal.scanning.findings import Report
from shipseal.scanning.grype import Grype, Identity
from shipseal.scanning.inventory import document


async def look_up(grype: Grype, identity: Identity, before: Packages, after: Packages) -> AdvisoryChanges:
    """Scan the packages of each platform before and after a change, and compare what is known of them.

    Args:
        grype: with an imported database; documents are written into its scratch directory.
        identity: which database that is on record.
        before: the packages as they were.
        after: as they are now.

    Raises:
        ToolFailed: the database is altered, blind, or another than the one on record.
    """
    try:
        await grype.require_canary()
        old = await _reports(grype, identity, before)
        new = old if before == after else await _reports(grype, identity, after)
    except ToolFailed as failure:
        raise ToolFailed(
            f"the vulnerability database in {grype.directory} cannot be used",
            why=[failure.what, *failure.why],
            remedy="get a whole one: `shipseal db update`, or `db import FILE`",
        ) from failure
    return compare(before, after, old, new)


async def _reports(grype: Grype, identity: Identity, packages: Packages) -> Reports:
    """Scan what each platform has; one that has nothing is nothing to scan."""
    return {platform: await _report(grype, identity, listed) for platform, listed in sorted(packages.items()) if listed}


async def _report(grype: Grype, identity: Identity, listed: Sequence[Purl]) -> Report:
    file = grype.scratch / "locked.cdx.json"
    file.write_text(json.dumps(document(listed)), encoding="utf-8")
    report = findings.read(await grype.scan(file))
    if report.database.built != identity.built:
        raise ToolFailed("Grype used another database than the one on record", remedy="run `shipseal db import`")
    return report
