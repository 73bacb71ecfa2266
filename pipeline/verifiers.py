"""Verify signed statements by two implementations that share no code: sigstore-python, in here, and Cosign.

What one accepts and the other does not is no result but a warning sign, so `agree` refuses it.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from sigstore._internal.tuf import DEFAULT_TUF_URL
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import AnyOf, Identity

from pipeline.digest import Digest, Reference
from pipeline.errors import ToolFailed, VerificationFailed
from pipeline.signing import CERTIFICATE_CLAIMS
from pipeline.statements import PAYLOAD_TYPE, Signed, Who
from pipeline.toolbox import Completed, Toolbox

_FULCIO = "1.3.6.1.4.1.57264.1"
_NO_SIGNATURES = 10  # Cosign's exit code for "there is nothing that matches"


def public_root() -> Path:
    """Return the trust root of the public Sigstore that came with sigstore-python, without asking the network."""
    return Path(str(resources.files("sigstore._store") / quote(DEFAULT_TUF_URL, safe="") / "trusted_root.json"))


def trusted_root(path: Path) -> TrustedRoot:
    """Read a trust root; raise `VerificationFailed` when the file is none."""
    try:
        return TrustedRoot.from_file(str(path))
    except Exception as error:  # the library lets through whatever its parsers raise
        raise VerificationFailed(f"{path} is not a trust root", why=str(error).splitlines()[:3]) from error


def verify_bundle(bundle: bytes, root: TrustedRoot, allowed: Iterable[Who]) -> Signed:
    """Verify one bundle by sigstore-python.

    Args:
        bundle: a Sigstore bundle that holds a DSSE envelope.
        root: whom to trust.
        allowed: who may have signed; at least one.

    Raises:
        VerificationFailed: it is malformed, or anything about it does not match.
    """
    anyone = [Identity(identity=who.identity, issuer=who.issuer) for who in allowed]
    try:
        parsed = Bundle.from_json(bundle)
        kind, payload = Verifier(trusted_root=root).verify_dsse(parsed, AnyOf(list(anyone)))
    except SigstoreError as error:
        raise VerificationFailed("sigstore-python refuses the signature", why=str(error).splitlines()[:3]) from error
    except Exception as error:  # whatever it raises on input that nobody foresaw, it has not verified
        raise VerificationFailed(
            "sigstore-python cannot read the signature", why=f"{type(error).__name__}: {error}".splitlines()[:3]
        ) from error
    if kind != PAYLOAD_TYPE:
        raise VerificationFailed("what was signed is not an in-toto statement", why=f"its type is {kind}")
    certificate = parsed.signing_certificate
    claims = _claims(certificate)
    return Signed(
        payload,
        Who(_subject(certificate), claims.pop("issuer", "")),
        _signed_at(parsed),
        claims,
    )


def _signed_at(bundle: Bundle) -> datetime:
    """Return the time that was verified: the log's own where it gives one (Rekor v1), else the timestamp's."""
    logged = bundle.log_entry._inner.integrated_time  # it has no public name
    if logged:
        return datetime.fromtimestamp(logged, UTC)
    stamps = bundle.verification_material.timestamp_verification_data
    assert stamps is not None  # a bundle with neither has not been verified
    return min(stamp.tst_info.gen_time for stamp in stamps.rfc3161_timestamps)


def _subject(certificate: x509.Certificate) -> str:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(next(iter(names)).value)


def _claims(certificate: x509.Certificate) -> dict[str, str]:
    """Return what the certificate says; each value is a DER UTF8String of fewer than 65536 bytes."""
    found: dict[str, str] = {}
    for name, number in {"issuer": 8, **CERTIFICATE_CLAIMS}.items():
        try:
            value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(f"{_FULCIO}.{number}")).value
        except x509.ExtensionNotFound:
            continue
        if isinstance(value, x509.UnrecognizedExtension):
            head = 2 if value.value[1] < 0x80 else 2 + (value.value[1] & 0x7F)
            found[name] = value.value[head:].decode("utf-8", "replace")
    return found


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
