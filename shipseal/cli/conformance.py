"""`conformance verify-bundle`: what Sigstore's public conformance suite asks of a client (docs/cli_protocol.md there).

Exit code 0 means that the bundle is verified, every other that it is refused. No network is asked: without
`--trusted-root` the root of the public Sigstore that came with sigstore-python is the one that is trusted.
"""

import argparse
import hashlib
import re
from pathlib import Path

from shipseal.cli.verbs import Verbs
from shipseal.errors import UsageError
from shipseal.signing.conformance import verify_artifact
from shipseal.signing.material import NAMES, Material
from shipseal.signing.roots import public_root, staging_root
from shipseal.signing.verifiers import trusted_root
from shipseal.statements.builders import SignerIdentity

_LARGEST_BUNDLE = 64 << 20
_LARGEST_KEY = 64 << 10
_DIGEST = re.compile(r"sha256:([0-9a-fA-F]{64})")


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser(
        "conformance", help="verify one bundle, as Sigstore's conformance suite asks for", description=__doc__
    )
    actions = verb.add_subparsers(dest="action", required=True, metavar="verify-bundle")
    verify = actions.add_parser("verify-bundle", help="verify the bundle of a file", description=__doc__)
    verify.add_argument("--staging", action="store_true", help="trust the staging instance of the public Sigstore")
    verify.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="the Sigstore bundle")
    verify.add_argument("--certificate-identity", metavar="ID", help="who has signed, exactly")
    verify.add_argument("--certificate-oidc-issuer", metavar="URL", help="who vouches for that, exactly")
    verify.add_argument("--key", type=Path, metavar="PEM", help="the public key that has signed, in their place")
    verify.add_argument("--trusted-root", type=Path, metavar="FILE", help="whom to trust in place of the public root")
    verify.add_argument("file", metavar="FILE_OR_DIGEST", help="what was signed: a file, or sha256:HEX")
    verify.set_defaults(verb=run, json=False)


def run(options: argparse.Namespace) -> int:
    """Verify the bundle, and say so; every other outcome is a failure with its reason."""
    signer = _signer(options)
    root = trusted_root(options.trusted_root or (staging_root() if options.staging else public_root()))
    verify_artifact(_read(options.bundle, _LARGEST_BUNDLE), root, signer, _hashed(options.file))
    print(f"verified  {options.file}")
    return 0


def _signer(options: argparse.Namespace) -> SignerIdentity | Material:
    identity = (options.certificate_identity, options.certificate_oidc_issuer)
    if options.key and identity == (None, None):
        return Material.of_pem(_read(options.key, _LARGEST_KEY))
    if options.key or None in identity or "" in identity:
        raise UsageError(
            "it is not clear who should have signed",
            remedy="give --certificate-identity and --certificate-oidc-issuer, or else --key",
        )
    return SignerIdentity(*identity)


def _hashed(name: str) -> dict[str, bytes]:
    """Return the digests of a file; or the one that was given, where no file has its name."""
    path = Path(name)
    if not path.exists() and (found := _DIGEST.fullmatch(name)):
        return {"sha256": bytes.fromhex(found[1])}
    try:
        found_hashes = {each: hashlib.new(each) for each in NAMES}
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                for each in found_hashes.values():
                    each.update(part)
    except OSError as error:
        raise UsageError(f"{name} cannot be read", why=str(error.strerror)) from error
    return {each: digest.digest() for each, digest in found_hashes.items()}


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=str(error.strerror)) from error
    if len(data) > most:
        raise UsageError(f"{path} has more than the {most} bytes that are read of it")
    return data
