"""Have one bundle judged by both verifiers, without a registry: before it is published, and before it is adopted.

`consumer` judges an image with everything that is attached to it; here it is a file, and what it should say is known.
"""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import anyio
from sigstore.models import TrustedRoot

from shipseal.digest import Digest
from shipseal.errors import FailureReason, ToolFailed, VerificationFailed
from shipseal.signing.cosign import signed_by
from shipseal.signing.keys import Keys
from shipseal.signing.signer import Signer
from shipseal.signing.signers import Allowed
from shipseal.signing.verifiers import trusted_root, verify_bundle
from shipseal.statements.builders import Signed, SignerIdentity
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.decision import Statement
from shipseal.verification.piece import SignedStatement


@dataclass(frozen=True)
class Both:
    """Both verifiers with one trust root.

    Args:
        tools: for Cosign.
        root: whom to trust.
        trusted: the same, as sigstore-python has it.
        keys: the keys that may sign.
    """

    tools: Toolbox
    root: Path
    trusted: TrustedRoot
    keys: Keys = field(default_factory=dict)

    @classmethod
    def by(cls, tools: Toolbox, root: Path, keys: Keys = MappingProxyType({})) -> "Both":
        """Read a trust root; raise `VerificationFailed` when the file is none."""
        return cls(tools, root, trusted_root(root), keys)

    def first(self, bundle: bytes, allowed: Iterable[SignerIdentity | Allowed]) -> Signed:
        """Verify a bundle by sigstore-python alone, which needs no process; raise `VerificationFailed`."""
        return verify_bundle(bundle, self.trusted, allowed, self.keys)

    async def second(self, bundle: Path, said: Statement) -> None:
        """Ask Cosign about a bundle that sigstore-python accepts.

        Args:
            bundle: its file.
            said: what the first verifier has found in it.

        Raises:
            VerificationFailed: Cosign refuses it.
            ToolFailed: Cosign is missing, altered or ran too long.
        """
        signer, subject = said.signed.who, min(said.subjects)
        what = ("--type", said.kind, "--digest", subject.hex, "--digestAlg", subject.algorithm)
        of = ("--bundle", bundle, "--trusted-root", self.root)
        try:
            with tempfile.TemporaryDirectory(prefix="key-") as work:
                who = signed_by(signer, self.keys, Path(work))
                await self.tools.run("cosign", "verify-blob-attestation", *of, *who, *what)
        except ToolFailed as error:
            if error.reason is not FailureReason.EXITED:
                raise
            raise VerificationFailed(
                f"the two verifiers disagree about {bundle.name}",
                why=("sigstore-python accepts it, Cosign does not", *error.why),
                remedy="nothing was published: keep the bundle, and find out who signed it and by which services",
            ) from error

    async def sign(self, signer: Signer, statement: Path, bundle: Path, claims: Mapping[str, str]) -> SignedStatement:
        """Sign a statement, write the bundle, and have both verifiers judge it before anybody else sees it.

        Args:
            signer: who signs.
            statement: the file with the statement.
            bundle: the file to write.
            claims: what the build says of itself.

        Raises:
            RemoteFailed: the authority or the log refused, or did not answer.
            VerificationFailed: the authority certified somebody else, or a verifier refuses what came of it.
            ToolFailed: Cosign is missing, altered or ran too long.
        """
        await signer.sign(statement, bundle, claims)
        wanted, data = await anyio.Path(statement).read_bytes(), await anyio.Path(bundle).read_bytes()
        try:
            signed = self.first(data, [signer.promise(claims).who])
            if signed.statement != wanted:
                raise VerificationFailed("another statement was signed than the one that was to be")
        except VerificationFailed as error:
            raise VerificationFailed(
                f"what was signed just now as {bundle.name} cannot be verified",
                why=(error.what, *error.why),
                remedy="nothing was published: see whether the trust root is that of the signing services",
            ) from error
        said = Statement.read(Digest.of(data), (), signed)
        await self.second(bundle, said)
        return SignedStatement(data, replace(said, attached_to=said.subjects))
