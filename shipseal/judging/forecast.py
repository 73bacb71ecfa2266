"""Say before any scan which advisories will find no excuse in an image: their function may be called there. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shipseal.judging.advisories import Knowledge
from shipseal.judging.claims import OURS
from shipseal.judging.image_holdings import Holdings
from shipseal.judging.tiers import Reachability, examine
from shipseal.purl import Purl


@dataclass(frozen=True)
class Unexcused:
    """An advisory about a library of the image.

    Args:
        name: of the advisory.
        package: what it is about, with its version.
        file: the file of facts that knows of it.
        why: what speaks against an excuse.
    """

    name: str
    package: Purl
    file: str
    why: str


def unexcused(known: Knowledge, holdings: Holdings) -> Iterator[Unexcused]:
    """Yield what the pipeline's own facts about libraries cannot excuse in an image.

    Whether a version has the fix is the database's to say. Facts about modules are left out: how those stand depends on
    what the service opens, and is known once it was watched.
    """
    for place, advisory in known.advisories:
        wanted = [Purl.parse(package) for package in advisory.packages]
        codes = [code for code in advisory.code if code.library]
        if not codes or not place.startswith(OURS):
            continue
        for package in holdings.packages:
            if not any(each.covers(package) for each in wanted):
                continue
            parts = [examine(code, known.callers, holdings) for code in codes]
            against = [why for part in parts if part.standing is Reachability.UNKNOWN for why in part.against]
            if against:
                bare = replace(package, qualifiers=())
                yield Unexcused(advisory.id, bare, place.rpartition("/")[2], against[0])
