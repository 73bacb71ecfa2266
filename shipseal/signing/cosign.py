"""Ask the real Cosign about signatures, and compare its answers with those of sigstore-python (`verifiers`).

The two share no code. What one accepts and the other does not is no result but a warning sign, so `agree` refuses it.

Cosign gets what was fetched, as a layout on disk, and no registry: to Cosign a bundle that it cannot reach is one that
is not there, and it reads whatever anybody has attached to an image, of any size. docs/adr/0009 has the reasons.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from shipseal.digest import Digest
from shipseal.distribution.referrers import Attached
from shipseal.errors import ToolFailed, VerificationFailed
from shipseal.oci.layout import Layout
from shipseal.signing.keys import Keys, is_kept
from shipseal.statements.builders import SignerIdentity
from shipseal.terminal_text import line
from shipseal.tools.toolbox import Toolbox

_REFUSED = (0, 1, 10, 11, 12, 13)  # Cosign, cmd/cosign/errors/exit_codes.go
_SUBJECT = {"kind": "dev.cosignproject.cosign/image"}  # how Cosign finds in a layout what it is asked about


@dataclass(frozen=True)
class Accepted:
    """What Cosign accepts: statements by digest, each with its type, and its last words when it refuses."""

    statements: Mapping[Digest, str]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cosign:
    """The real Cosign, looking at what was fetched with one trust root.

    Args:
        tools: where Cosign comes from.
        root: whom to trust.
        layouts: a directory with a layout for each subject: `lay_out`.
        keys: the keys that may sign.
    """

    tools: Toolbox
    root: Path
    layouts: Path
    keys: Keys = field(default_factory=dict)

    async def accepted(self, subject: Digest, who: SignerIdentity) -> Accepted:
        """Return every statement on a subject that `cosign verify` accepts of an identity, of whatever type.

        Over a layout `verify` and `verify-attestation` come from the same function (`VerifyLocalImageAttestations` of
        Cosign 3), which verifies all bundles each time; the second then leaves out what is not of one type.

        Raises:
            ToolFailed: Cosign is missing, altered or ran too long, or printed something else than envelopes.
        """
        said = self.layouts / f"{uuid4().hex}.txt"  # as much as is attached to the image: not for memory
        done = await self.tools.run(
            "cosign", "verify", "--output", "text", *self._arguments(subject, who), ok=_REFUSED, stdout_to=said
        )
        if done.code:
            return Accepted({}, tuple(self.tools.last_words(done.stderr)[-3:]))
        with said.open("rb") as lines:
            return Accepted(dict(_statements(lines)))

    def _arguments(self, subject: Digest, who: SignerIdentity) -> list[str]:
        signer = signed_by(who, self.keys, self.layouts)
        return ["--trusted-root", str(self.root), *signer, "--local-image", str(self.layouts / str(subject))]


def signed_by(who: SignerIdentity, keys: Keys, work: Path) -> list[str]:
    """Return how Cosign is told who must have signed; a key is written into a file for it, below a directory."""
    if not is_kept(who):
        return ["--certificate-identity", who.identity, "--certificate-oidc-issuer", who.issuer]
    file = work / f"{Digest.of(keys[who.identity]).hex}.pub"
    file.write_bytes(keys[who.identity])
    return ["--key", str(file)]


def lay_out(layouts: Path, subject: Mapping[str, object], attached: Iterable[Attached]) -> None:
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


def _statements(output: Iterable[bytes]) -> Iterator[tuple[Digest, str]]:
    """Yield the statements in the envelopes that Cosign prints, one a line; there is one, for it accepts something."""
    empty = True
    try:
        for each in output:
            payload = base64.b64decode(json.loads(each)["payload"])
            yield Digest.of(payload), _kind(payload)
            empty = False
    except (ValueError, KeyError, TypeError) as error:
        raise ToolFailed(
            "cosign printed something else than envelopes", why=f"{type(error).__name__}: {error}"
        ) from error
    if empty:
        raise ToolFailed("cosign accepts a subject, and has printed no envelope")


def _kind(payload: bytes) -> str:
    """Return the type of a statement, for a message."""
    try:
        return line(str(json.loads(payload)["predicateType"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return "something that is not a valid statement"


def agree(where: str, by_sigstore: Mapping[Digest, str], by_cosign: Accepted) -> None:
    """Compare what the two accept; raise `VerificationFailed` that names the disagreement.

    Args:
        where: the subject that was looked at.
        by_sigstore: digests of the statements that sigstore-python accepts, with their types.
        by_cosign: what Cosign accepts.
    """
    ours, theirs = frozenset(by_sigstore), frozenset(by_cosign.statements)
    if ours == theirs:
        return
    types = {**by_cosign.statements, **by_sigstore}
    kinds = sorted({types[digest] for digest in ours ^ theirs})
    raise VerificationFailed(
        f"the two verifiers disagree about {', '.join(kinds)} on {where}",
        why=[
            *(f"sigstore-python accepts the statement {digest}, Cosign does not" for digest in sorted(ours - theirs)),
            *(f"Cosign accepts the statement {digest}, sigstore-python does not" for digest in sorted(theirs - ours)),
            *(f"Cosign says: {line}" for line in by_cosign.said),
        ],
        remedy="trust neither until it is known why: keep the image and its bundles, and report it",
    )
