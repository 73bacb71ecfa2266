"""Say which of several statements counts where the newest one does: scans, VEX documents and verdicts. Pure.

What is known of an image's vulnerabilities changes while its bytes do not. So an older statement of these kinds never
overrules a newer one, and a policy may bound how old they are. Time is that of the verified signature.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from shipseal.statements import predicates
from shipseal.statements.builders import RULES_PASSED, VERDICT_FIELD, PredicateType, Signed
from shipseal.statements.predicates import read
from shipseal.times import read_time, timestamp

AGEING = frozenset({PredicateType.VULNS, PredicateType.OPENVEX, PredicateType.VERDICT})
"""The kinds of which the newest counts."""

_CLOCKS_DIFFER = timedelta(hours=1)


def denies(kind: str, predicate: object) -> bool:
    """Say whether a statement is a verdict, of whatever rules, that does not allow its image."""
    match predicate if kind == PredicateType.VERDICT else None:
        case {"properties": list(properties), **rest}:
            whole = rest.get(VERDICT_FIELD)
            return RULES_PASSED not in properties or (isinstance(whole, dict) and whole.get("allowed") is False)
    return False


def too_old(signed: Signed, most: timedelta | None, now: datetime) -> str | None:
    """Return why a statement is too old to count, or from a time that has not come; None where its age is no matter.

    Args:
        signed: what was signed, and when.
        most: the greatest age; None for no bound.
        now: the time to judge by.
    """
    if most is None:
        return None
    age = now - signed.signed_at
    if age < -_CLOCKS_DIFFER:
        return f"it was signed on {timestamp(signed.signed_at)}, which is later than now: correct this machine's clock"
    if age > most:
        return f"it was signed on {timestamp(signed.signed_at)}, {age.days} days ago, and may be {most.days} days old"
    return None


def database_too_old(predicate: object, signed: Signed, most: timedelta | None) -> str | None:
    """Return why a scan was by a database that was too old when it was signed; None where that is no matter."""
    if most is None:
        return None
    built = read_time(read(predicates.Vulns, predicate).scanner.db.last_update)
    age = signed.signed_at - built
    if age < -_CLOCKS_DIFFER:
        return f"its database says that it was built on {timestamp(built)}, which is later than it was signed"
    if age > most:
        return f"its database was {age.days} days old when it was signed, and may be {most.days} days old"
    return None


def ended(predicate: object, now: datetime) -> Iterator[str]:
    """Yield what a verdict has excused by an exception that has ended since."""
    whole = read(predicates.SimpleVerificationResult, predicate).whole
    for each in whole.excused if whole else ():
        try:
            until = date.fromisoformat(each.until)
        except ValueError:
            continue  # it is older than this field, or no exception of ours
        if now.date() > until:
            what = {"vex": "VEX statement", "waiver": "waiver"}.get(each.code, "exception")
            yield f"it excuses {each.finding} in {each.package} by a {what} that ended on {until}"


def unjudged(verdict: object, scans: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Yield why a verdict is not about the newest scans: it rests on another vulnerability database than they do.

    Args:
        verdict: the predicate of the verdict that counts.
        scans: that of each scan that counts, with words for what it is about.
    """
    whole = read(predicates.SimpleVerificationResult, verdict).whole
    judged = whole.inputs.get("database", "") if whole else ""
    for about, scan in scans:
        scanned = read(predicates.Vulns, scan).scanner.db.annotations.checksum
        if judged and scanned and judged != scanned:
            yield (
                f"it rests on the vulnerability database {judged}, and the newest scan of {about} on {scanned}: "
                "the verdict on that scan, or the scan that was judged, is not there"
            )
