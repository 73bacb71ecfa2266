"""Read what a bundle holds before anybody has verified it: to find a statement, never to believe it. Pure.

Formats: Sigstore, `sigstore_bundle.proto`; DSSE 1.0, "Envelope"; in-toto attestation, spec/v1/statement.md.
"""

import json

from shipseal.statements.predicates import Base64, Said, read


class _Envelope(Said):
    payload: Base64


class _Bundle(Said):
    dsse_envelope: _Envelope


class InToto(Said):
    """A statement: what it speaks of, its type, and what it says, which is read by the model of that type."""

    predicate_type: str
    subject: object = None
    predicate: object = None


def unverified(bundle: bytes) -> InToto:
    """Return the statement in a bundle, whoever has signed it; raise `ValueError` where there is none."""
    try:
        payload = read(_Bundle, json.loads(bundle)).dsse_envelope.payload
        return read(InToto, json.loads(payload))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
