"""Ask whoever releases from a terminal whether to log in by a browser, when nothing else says who signs."""

import os
import sys

from shipseal.errors import UsageError
from shipseal.project.config import Sign
from shipseal.signing.browser import Browser, issuer_of
from shipseal.signing.identity import TOKEN_VARIABLE

_CI = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE")


def ask(sign: Sign, *, may_ask: bool) -> Browser | None:
    """Return the person who logs in by a browser; None where something else says who signs, or nobody can be asked.

    Args:
        sign: how the project is signed.
        may_ask: whether anything is signed, and this user wants to be asked.

    Raises:
        UsageError: somebody was asked, and does not want to.
    """
    known = sign.key or any(os.environ.get(name) for name in (TOKEN_VARIABLE, *_CI))
    if known or not may_ask or not sys.stdin.isatty():
        return None
    issuer = issuer_of(sign.signing_config)
    print(
        f"Nothing says who signs. A browser can be opened, once, to log in at {issuer}.\n"
        "Your e-mail address goes into a public log then, with what is signed, for good.",
        file=sys.stderr,
    )
    if input("Open it when there is something to sign? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise UsageError(
            "nobody is there to sign",
            remedy=f"put an OpenID Connect token into {TOKEN_VARIABLE}, name a [sign] key, or release from CI",
        )
    return Browser(issuer)
