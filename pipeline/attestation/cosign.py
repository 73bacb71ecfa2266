"""Ask the real Cosign about signatures, and compare its answers with those of sigstore-python (`verifiers`).

The two share no code. What one accepts and the other does not is no result but a warning sign, so `agree` refuses it.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.attestation.statements import Who
from pipeline.digest import Digest, Reference
from pipeline.errors import ToolFailed, VerificationFailed
from pipeline.toolbox import Completed, Toolbox

_NO_SIGNATURES = 10  # Cosign's exit code for "there is nothing that matches"


@dataclass(frozen=True)
class Accepted:
    """What Cosign accepts: the digests of statements, and its last words when it refuses."""

    statements: frozenset[Digest]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cosign:
    """The real Cosign, looking at a registry with one trust root."""

    tools: Toolbox
    root: Path
    environment: Mapping[str, str]

    async def attested(self, image: Reference, predicate_type: str, who: Who) -> Accepted:
        """Return the statements of one type on an image that `cosign verify-attestation` accepts of an identity.

        Raises:
            ToolFailed: Cosign is missing, altered or ran too long, or printed something else than envelopes.
        """
        done = await self._run("verify-attestation", "--type", predicate_type, *self._arguments(who), str(image))
        if done.code:
            return Accepted(frozenset(), tuple(self.tools.last_words(done.stderr)[-3:]))
        return Accepted(frozenset(Digest.of(payload) for payload in _payloads(done.stdout)))

    async def signed(self, image: Reference, who: Who) -> bool:
        """Say whether `cosign verify` accepts an image: whether anything on it was signed by this identity."""
        return (await self._run("verify", *self._arguments(who), str(image))).code == 0

    def _arguments(self, who: Who) -> list[str]:
        identity = ("--certificate-identity", who.identity, "--certificate-oidc-issuer", who.issuer)
        return ["--trusted-root", str(self.root), *identity]

    async def _run(self, *arguments: str) -> Completed:
        return await self.tools.run("cosign", *arguments, env=self.environment, ok=(0, 1, _NO_SIGNATURES))


def _payloads(output: bytes) -> list[bytes]:
    """Read the envelopes that Cosign prints, one a line."""
    try:
        return [base64.b64decode(json.loads(line)["payload"]) for line in output.splitlines() if line.strip()]
    except (ValueError, KeyError, TypeError) as error:
        raise ToolFailed(
            "cosign printed something else than envelopes", why=f"{type(error).__name__}: {error}"
        ) from error


def agree(where: str, by_sigstore: Iterable[Digest], by_cosign: Accepted) -> None:
    """Compare what the two accept; raise `VerificationFailed` that names the disagreement.

    Args:
        where: the subject and the type of statement that were looked at.
        by_sigstore: digests of the statements that sigstore-python accepts.
        by_cosign: what Cosign accepts.
    """
    ours, theirs = frozenset(by_sigstore), by_cosign.statements
    if ours == theirs:
        return
    raise VerificationFailed(
        f"the two verifiers disagree about {where}",
        why=[
            *(f"sigstore-python accepts the statement {digest}, Cosign does not" for digest in sorted(ours - theirs)),
            *(f"Cosign accepts the statement {digest}, sigstore-python does not" for digest in sorted(theirs - ours)),
            *(f"Cosign says: {line}" for line in by_cosign.said),
        ],
        do="trust neither until it is known why: keep the image and its bundles, and report it",
    )


def agree_on_any(subject: str, by_sigstore: bool, by_cosign: bool) -> None:
    """Compare whether the two see anything signed at all; raise `VerificationFailed` when one does and one does not."""
    if by_sigstore != by_cosign:
        yes, no = ("sigstore-python", "Cosign") if by_sigstore else ("Cosign", "sigstore-python")
        raise VerificationFailed(
            f"the two verifiers disagree about whether {subject} is signed",
            why=f"{yes} says that it is, {no} that it is not",
            do="trust neither until it is known why",
        )
