"""Run the real ORAS against one repository, read its words, and wait where a registry asks for it.

ORAS itself asks a throttled registry six times, within 15 seconds, and tells no header of the answer. What has failed
so is done once more with `--debug`, which does: the same request by the same login, and no client of our own that
would have to log in too.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import anyio

from shipseal.distribution.credentials import CONTENT
from shipseal.distribution.rate_limit import UNSAID, is_throttled, until
from shipseal.errors import FailureReason, RemoteFailed, ToolFailed
from shipseal.tools.outputs import Completed, Held
from shipseal.tools.toolbox import Toolbox

PATIENCE = 600.0
"""Seconds that one command waits for a registry which has had too many requests, all waits together."""

# ORAS says so in its own words, or repeats the registry's (OCI distribution 1.1, "Error Codes").
_NOT_LET_IN = re.compile(r"status code 40[13]\b|\bunauthorized\b|\bdenied\b|credential not found", re.IGNORECASE)
_OTHER_BYTES = "mismatch"  # of a digest or a size
_UNKNOWN_CA = re.compile(r"x509: certificate signed by unknown authority|certificate is not trusted", re.IGNORECASE)


@dataclass(frozen=True)
class Oras:
    """ORAS for one repository.

    Args:
        tools: where it comes from.
        host: registry name, with a port where it has one.
        repository: the repository inside it.
        environment: where its credentials are.
        patience: seconds that one command waits at most where a registry says that it has had too many requests.
    """

    tools: Toolbox
    host: str
    repository: str
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = PATIENCE

    async def run(self, *arguments: str, said: Path | None = None, most: int | None = None) -> Completed:
        """Run it to its end, or until it has said more than `most` bytes; `said` is a file for what it says meanwhile.

        Raises:
            RemoteFailed: the registry did not do what it was asked for.
            ToolFailed: ORAS is missing or altered.
        """
        end = time.monotonic() + self.patience
        again = arguments[0] == "cp"  # it goes on where it was, and asks for a new token
        while True:
            try:
                return await self.tools.run(
                    "oras",
                    *arguments,
                    env=self.environment,
                    stdout_to=said if most is None else Held(most + 2, stops=True),
                )
            except ToolFailed as error:
                if not error.ran:
                    raise
                failure = error
            if is_throttled(failure.why) and time.monotonic() <= end:
                if done := await self._when(failure, end, arguments):
                    return done
            elif again and _refused(failure):
                again = False
                self.tools.say(f"{self.host} has refused the login in the middle; asking for it once more")
            else:
                raise self._translated(failure, arguments) from failure

    async def _when(self, failure: ToolFailed, end: float, arguments: tuple[str, ...]) -> Completed | None:
        """Do it once more, to learn until when to wait, and wait; return what came of it where it was done."""
        done = await self.tools.run("oras", *arguments, "--debug", env=self.environment, ok=(0, 1))
        if done.code == 0:
            return done
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        if not is_throttled(lines[-5:]):
            return None  # it is something else by now, which the next attempt shows
        now = datetime.now(UTC)
        point = until(lines, now)
        seconds = (point - now).total_seconds() if point else UNSAID
        said = f"until {point:%Y-%m-%d %H:%M:%S} UTC" if point else "and does not say until when"
        if time.monotonic() + seconds > end:
            raise RemoteFailed(
                f"{self.host} has had too many requests, {said}",
                why=[*failure.why, f"`oras {arguments[0]}` for {self.repository} waits {self.patience:g} s at most"],
                remedy="run this again then: it goes on here; a login may ask for more than nobody does",
                reason=FailureReason.EXITED,
            )
        self.tools.say(f"{self.host} has had too many requests; waiting {said}")
        await anyio.sleep(seconds)
        return None

    def _translated(self, error: ToolFailed, arguments: tuple[str, ...]) -> RemoteFailed:
        reason = FailureReason.ALTERED if any(_OTHER_BYTES in line for line in error.why) else error.reason
        if _refused(error):
            return RemoteFailed(
                f"{self.host} does not allow this login `oras {arguments[0]}` in {self.repository}",
                why=error.why,
                remedy=f"run `docker login {self.host}` as somebody who may write there, or set {CONTENT}",
                reason=reason,
            )
        if any(_UNKNOWN_CA.search(line) for line in error.why):
            return RemoteFailed(
                f"{self.host} has a certificate of an authority that nobody here knows",
                why=error.why,
                remedy="name the authority's certificates as ca-file of [registry], or with "
                "--ca-file; do not do without",
                reason=reason,
            )
        return RemoteFailed(
            f"{self.host} did not do `oras {arguments[0]}` for {self.repository}",
            why=error.why,
            remedy="see whether the registry is up and answers, then run this again: it goes on here",
            reason=reason,
        )


def _refused(error: ToolFailed) -> bool:
    return any(_NOT_LET_IN.search(line) for line in error.why)
