"""Verify the times that timestamp authorities (RFC 3161) give a signature, by sigstore-python's parts. Pure."""

from collections.abc import Iterable
from datetime import datetime

from rfc3161_client import TimeStampResponse, VerificationError, VerifierBuilder
from sigstore.models import TimestampVerificationData, TrustedRoot

from shipseal.errors import VerificationFailed

_MOST = 32  # as sigstore-python and sigstore-go bound it
_SHORTEST_CHAIN = 2  # certificates: the authority's own, and a root


def stamped(root: TrustedRoot, response: TimeStampResponse, signature: bytes) -> datetime | None:
    """Return the time that an authority of the trust root gave a signature; None when none of them has.

    An authority is trusted from the start of its validity to its end, both included: `TimeRange` is a closed interval
    (Sigstore protobuf-specs, `sigstore_common.proto`).
    """
    at = response.tst_info.gen_time
    for authority in root.get_timestamp_authorities():
        chain = authority.certificates(allow_expired=True)
        if len(chain) < _SHORTEST_CHAIN:
            continue
        builder = VerifierBuilder().tsa_certificate(chain[0]).add_root_certificate(chain[-1])
        for certificate in chain[1:-1]:
            builder = builder.add_intermediate_certificate(certificate)
        try:
            builder.build().verify_message(response, signature)
        except VerificationError:
            continue
        end = authority.validity_period_end
        if authority.validity_period_start <= at and (end is None or at <= end):
            return at
    return None


def times(root: TrustedRoot, given: TimestampVerificationData | None, signature: bytes) -> list[datetime]:
    """Return the verified times of a signature.

    Raises:
        VerificationFailed: there are timestamps, and none of them is by an authority that the root trusts; or they are
            too many, or the same twice.
    """
    responses = given.rfc3161_timestamps if given else []
    if len(responses) > _MOST or len(set(responses)) != len(responses):
        raise VerificationFailed(f"there are {len(responses)} timestamps, and one of each of at most {_MOST} may be")
    found = list(_each(root, responses, signature))
    if responses and not found:
        raise VerificationFailed("no timestamp authority that is trusted has given the signature a time")
    return found


def _each(root: TrustedRoot, responses: Iterable[TimeStampResponse], signature: bytes) -> Iterable[datetime]:
    return (at for response in responses if (at := stamped(root, response, signature)) is not None)
