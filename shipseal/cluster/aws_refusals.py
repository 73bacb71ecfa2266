"""Say in words what AWS refuses, and how far this machine's clock is from AWS's. Pure.

Codes: "Common errors" of the references of the AWS STS and Amazon EKS APIs; services that speak JSON name some
otherwise.
"""

from collections.abc import Collection
from datetime import datetime
from email.utils import parsedate_to_datetime

from shipseal.errors import RemoteFailed

_SHOWN = 300  # characters
_TOLERATED = 60  # seconds: AWS itself tolerates 300
_SIGNATURE = {
    *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"),
    *("RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"),
}
_SAID = (
    (
        {"ExpiredToken", "ExpiredTokenException"},
        "the AWS credentials have expired",
        "get new ones, and run this again: what was done is kept",
    ),
    (
        {"InvalidIdentityToken", "IDPRejectedClaim", "InvalidIdentityTokenException"},
        "AWS does not take the web identity token",
        "see that AWS_WEB_IDENTITY_TOKEN_FILE is of a provider that the role AWS_ROLE_ARN trusts",
    ),
    (
        {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "MissingAuthenticationToken"},
        "AWS does not know these credentials in {region}",
        "see that all of AWS_* is of one login; or the account has not switched {region} on: see [deploy.eks] region",
    ),
    (
        {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"},
        "AWS does not allow {operation}",
        "give this identity eks:DescribeCluster on the cluster; a role that it takes has to trust it (sts:AssumeRole)",
    ),
    (
        {"ResourceNotFoundException"},
        "AWS finds no such cluster in {region}",
        "see that [deploy.eks] name and region are those of one cluster, and that the credentials are of its account",
    ),
)


def skew(date: str, now: datetime) -> float | None:
    """Return how many seconds this clock is ahead of an answer's `Date` (RFC 9110, 6.6.1); None where it has none."""
    try:
        return (now - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):
        return None


def refusal(code: str, said: str, operation: str, region: str, ahead: float | None) -> RemoteFailed:
    """Return the failure that says why AWS refused.

    Args:
        code: AWS's name for it.
        said: AWS's words, without what nobody may see.
        operation: what was asked, `SERVICE:OPERATION`.
        region: where.
        ahead: seconds that this clock is ahead of AWS's, where that is known.
    """
    why = (f"{operation}: {code}: {said}"[:_SHOWN],)
    if code in _SIGNATURE and ahead is not None and abs(ahead) > _TOLERATED:
        return RemoteFailed(
            f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} AWS's",
            why=why,
            remedy="set the clock, and run this again",
        )
    if code in _SIGNATURE:
        return RemoteFailed(
            "AWS does not take the signature of these credentials",
            why=why,
            remedy="see that AWS_SECRET_ACCESS_KEY belongs to AWS_ACCESS_KEY_ID, and has nothing before or after it",
        )
    for codes, what, remedy in _SAID:
        if code in codes:
            return RemoteFailed(
                what.format(region=region, operation=operation), why=why, remedy=remedy.format(region=region)
            )
    return RemoteFailed(
        f"AWS did not do {operation} in {region}", why=why, remedy="run this again: nothing was changed"
    )


def unreached(said: str, operation: str, region: str, *, known: bool) -> RemoteFailed:
    """Return the failure that says that AWS gave no answer to read; `known`: whether botocore knows the region."""
    remedy = (
        "see whether this machine reaches AWS (HTTPS_PROXY, AWS_CA_BUNDLE), then run this again: nothing was changed"
    )
    if not known:
        remedy = f"see whether [deploy.eks] region is spelled right: botocore knows no {region}"
    return RemoteFailed(f"AWS gave no answer in {region}", why=f"{operation}: {said}"[:_SHOWN], remedy=remedy)


def hide(text: str, secrets: Collection[str]) -> str:
    """Return a text without secrets: what does not match a signature, AWS repeats with the token in it."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return text
