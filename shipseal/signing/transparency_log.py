"""Hold what a transparency log has recorded against the signature that it was recorded for. Pure.

That the entry is in the log is verified elsewhere; here it is read, so that no entry of another signature can stand in
for it (CVE-2022-36056).
"""

import json
from datetime import UTC, datetime

from sigstore.models import TrustedRoot
from sigstore_models.common.v1 import TimeRange
from sigstore_models.rekor.v1 import TransparencyLogEntry

from shipseal.errors import VerificationFailed
from shipseal.signing.log_entries import FORMS, LogBody, Made
from shipseal.statements.predicates import read
from shipseal.times import timestamp


def require_log(entry: TransparencyLogEntry, root: TrustedRoot) -> None:
    """Raise `VerificationFailed` unless an entry names a log of the trust root, which was trusted when it promised.

    sigstore-python takes the name for a hint, tries the keys of all logs, and asks for no time; other clients look the
    log up by it, and hold the time of the promise against its validity, both ends included (`TimeRange`).
    """
    logs = [log.public_key.valid_for for log in root._inner.tlogs if log.log_id.key_id == entry.log_id.key_id]
    if not logs:
        raise VerificationFailed("the log that the entry names is not one that is trusted")
    if not entry.inclusion_promise:
        return
    at = datetime.fromtimestamp(entry.integrated_time or 0, UTC)
    if not any(within(valid, at) for valid in logs):
        raise VerificationFailed(f"the log that the entry names was not trusted when it promised, {timestamp(at)}")


def within(valid: TimeRange | None, at: datetime) -> bool:
    """Say whether a time is in a range, both ends included (protobuf-specs, `TimeRange`); in none, no time is."""
    return valid is not None and valid.start <= at and (valid.end is None or at <= valid.end)


def require_entry(entry: TransparencyLogEntry, made: Made) -> None:
    """Raise `VerificationFailed` unless an entry of a log is that of a signature."""
    kind = f"{entry.kind_version.kind} {entry.kind_version.version}"
    form = FORMS.get((kind, made.payload is None))
    if form is None:
        what = "a file's signature" if made.payload is None else "a signed statement"
        raise VerificationFailed(f"the log's entry is of the kind {kind}, which does not record {what}")
    try:
        body = read(LogBody, json.loads(entry.canonicalized_body))
        if (body.kind, body.api_version) != (entry.kind_version.kind, entry.kind_version.version):
            raise VerificationFailed(f"the log's entry says that it is {kind}, and is another")
        objections = [words for words, same in read(form, body.spec).holds(made).items() if not same]
    except (ValueError, KeyError, RecursionError) as error:
        raise VerificationFailed(
            f"the log's entry of the kind {kind} cannot be read", why=f"{type(error).__name__}: {error}"
        ) from error
    if objections:
        raise VerificationFailed(f"the log's entry is of another signature: {', '.join(objections)}")
