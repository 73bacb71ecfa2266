"""Say in words what an API server refuses, and what can be done about it. Pure.

The answer is a `Status` (kubernetes.io, "API concepts", meta/v1). Whoever runs the cluster, or an admission webhook of
it, has written its text: it is shown as one line each, and as far as anybody reads.
"""

import json
import re
from collections.abc import Mapping

from shipseal.errors import RemoteFailed
from shipseal.terminal_text import line

_LONGEST = 500  # characters of one thing that is said
_MOST_CAUSES = 20
_FORBIDDEN = re.compile(
    r'User "[^"]*" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]*)")?'
)
# What server-side apply answers to a field that it does not know, or that has a value of another type.
_UNTYPED = "failed to create typed patch object"
_SKEWED = 60  # seconds by which two clocks may differ before tokens are refused for it

_REMEDY = {
    "Conflict": "run this again: something has changed the object in between",
    "Invalid": "correct the object; a field that is immutable asks for a new object: another name, or delete it first",
    "BadRequest": "correct the object: the API server does not know a field of it, or not in this form",
    "Unauthorized": "log in to this cluster again, or name another context",
    "AlreadyExists": "find out who made it, then delete it, or give yours another name",
    "NotFound": "an administrator applies the platform first; see that this is the cluster that you meant",
    "RequestEntityTooLarge": "make the object smaller: etcd takes no object of more than 1.5 MiB",
}


class Refused(RemoteFailed):
    """The API server has answered, and does not do it.

    Args:
        asked: what was asked of it, `apply deployments/sample in production`.
        code: the status of HTTP.
        body: the answer.
        skew: seconds by which the server's clock is ahead of this one.

    Attributes:
        code: the status of HTTP.
        kind: why, for code to go by: `reason` of the Status, such as Conflict, Forbidden, Invalid, AlreadyExists; of an
            apply whose object has an unknown field, BadRequest.
        said: why, for people: `message` of the Status.
        causes: what is wrong with which field: `details.causes` of the Status.
    """

    def __init__(self, asked: str, code: int, body: bytes = b"", *, skew: float | None = None) -> None:
        """Read the answer, which may be anything."""
        status = _status(body)
        self.code = code
        self.kind = _shown(status.get("reason"), 60)
        if code == 500 and str(status.get("message")).startswith(_UNTYPED):
            self.kind = "BadRequest"  # it says 500 and gives no reason
        self.said = _shown(status.get("message") or body[: 4 * _LONGEST].decode("utf-8", "replace"))
        self.causes = tuple(_causes(status))
        if code == 401:
            what, why, remedy = (
                f"the cluster does not let this login in: {asked}",
                _unknown(skew),
                _REMEDY["Unauthorized"],
            )
        elif code == 403 and (right := _FORBIDDEN.search(self.said)):
            what, why, remedy = _forbidden(asked, right)
        else:
            what = f"the API server does not {asked}: {self.kind or 'it answers'} ({code})"
            why, remedy = self._why(), self._do()
        super().__init__(
            what, why=[*why, *([self.said] if code in {401, 403} and self.said not in why else [])], remedy=remedy
        )

    def _why(self) -> list[str]:
        causes = [f"{field or 'the object'}: {message}" for field, message in self.causes]
        return causes if causes and self.kind in {"Conflict", "Invalid"} else [self.said, *causes]

    def _do(self) -> str:
        if self.kind == "Conflict" and self.causes:
            return "have its manager give the field up, or leave it out of the manifests: nothing is forced"
        return _REMEDY.get(self.kind, "")


def _unknown(skew: float | None) -> list[str]:
    """Return why a login may be unknown (RFC 6750, 3.1: the server need not say)."""
    why = ["its credentials have expired, or are none of this cluster's"]
    if skew is not None and abs(skew) > _SKEWED:
        why.append(f"this machine's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the server's")
    return why


def _forbidden(asked: str, right: re.Match[str]) -> tuple[str, list[str], str]:
    resource, slash, below = right["resource"].partition("/")
    kind = f"{resource}.{right['group']}" if right["group"] else resource
    where = f" in {right['namespace']}" if right["namespace"] else ""
    return (
        f"this login may not {right['verb']} {kind}{slash}{below}{where}",
        [f"the API server was asked to {asked}"],
        "an administrator adds the rule to the Role of whoever deploys, or you name a context that has it",
    )


def _status(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _causes(status: Mapping[str, object]) -> list[tuple[str, str]]:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    found = [each for each in causes[:_MOST_CAUSES] if isinstance(each, dict)] if isinstance(causes, list) else []
    told = [(_shown(each.get("field"), 200), _shown(each.get("message"))) for each in found]
    return [(field, message) for field, message in told if message]


def _shown(text: object, most: int = _LONGEST) -> str:
    """Return a text of the server's as one line that is no longer than anybody reads."""
    seen = line(" ".join(text.split())) if isinstance(text, str) else ""
    return seen if len(seen) <= most else f"{seen[:most]}…"
