"""Ask the real Cosign about signatures, and compare its answers with those of sigstore-python (`verifiers`).

The two share no code. What one accepts and the other does not is no result but a warning sign, so `agree` refuses it.

Cosign gets what was fetched, as a layout on disk, and no registry: to Cosign a bundle that it cannot reach is one that
is not there, and it reads whatever anybody has attached to an image, of any size. docs/adr/0009 has the reasons.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.attestation.statements import Who
from pipeline.digest import Digest
from pipeline.distribution.referrers import Attached
from pipeline.errors import ToolFailed, VerificationFailed
from pipeline.oci.layout import Layout
from pipeline.tools.outputs import Completed
from pipeline.tools.toolbox import Toolbox

_REFUSED = (0, 1, 10, 11, 12, 13)  # Cosign, cmd/cosign/errors/exit_codes.go
_SUBJECT = {"kind": "dev.cosignproject.cosign/image"}  # how Cosign finds in a layout what it is asked about


@dataclass(frozen=True)
class Accepted:
    """What Cosign accepts: the digests of statements, and its last words when it refuses."""

    statements: frozenset[Digest]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cosign:
    """The real Cosign, looking at what was fetched with one trust root.

    Args:
        tools: where Cosign comes from.
        root: whom to trust.
        layouts: a directory with a layout for each subject: `lay_out`.
    """

    tools: Toolbox
    root: Path
    layouts: Path

    async def attested(self, subject: Digest, predicate_type: str, who: Who) -> Accepted:
        """Return the statements of one type on a subject that `cosign verify-attestation` accepts of an identity.

        Raises:
            ToolFailed: Cosign is missing, altered or ran too long, or printed something else than envelopes.
        """
        done = await self._run("verify-attestation", "--type", predicate_type, *self._arguments(subject, who))
        if done.code:
            return Accepted(frozenset(), tuple(self.tools.last_words(done.stderr)[-3:]))
        return Accepted(frozenset(Digest.of(payload) for payload in _payloads(done.stdout)))

    async def signed(self, subject: Digest, who: Who) -> bool:
        """Say whether `cosign verify` accepts a subject: whether anything on it was signed by this identity."""
        return (await self._run("verify", *self._arguments(subject, who))).code == 0

    def _arguments(self, subject: Digest, who: Who) -> list[str]:
        identity = ("--certificate-identity", who.identity, "--certificate-oidc-issuer", who.issuer)
        return ["--trusted-root", str(self.root), *identity, "--local-image", str(self.layouts / str(subject))]

    async def _run(self, *arguments: str) -> Completed:
        return await self.tools.run("cosign", *arguments, ok=_REFUSED)


def lay_out(layouts: Path, subject: Mapping[str, Any], attached: Iterable[Attached]) -> None:
    """Write the layout in which Cosign finds the bundles that are attached to a subject.

    Args:
        layouts: the directory for the layouts of all subjects.
        subject: its descriptor; its bytes are not needed.
        attached: what was fetched, of this subject and of others.
    """
    layout = Layout.create(layouts / str(subject["digest"]))
    layout.list_more([{**subject, "annotations": _SUBJECT}])
    for each in attached:
        if str(each.subject) == subject["digest"]:
            layout.put(each.manifest)
            layout.put(each.bundle)


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
