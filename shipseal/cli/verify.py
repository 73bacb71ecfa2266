"""`verify REFERENCE|LAYOUT|PACK --policy FILE`: what a consumer runs. It needs no run directory and no configuration.

A reference by tag is resolved once; the digest is printed and verified, and whatever comes next has to name it.
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.distribution.reaching import Reach
from shipseal.documents.verify import VerificationDocument
from shipseal.errors import UsageError
from shipseal.image.consumer_discovery import discovered
from shipseal.image.verification import verify_image
from shipseal.signing.roots import age, public_root
from shipseal.verification import discovery
from shipseal.verification.policy_file import read_policy


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("verify", help="decide about a published image as a consumer would", description=__doc__)
    verb.add_argument(
        "image", metavar="REFERENCE|LAYOUT|PACK", help="REGISTRY/REPOSITORY@sha256:…, an OCI layout, or a pack"
    )
    verb.add_argument("--policy", type=Path, required=True, metavar="FILE", help="who may sign what: verification.toml")
    verb.add_argument(
        "--as", dest="name", default="production", metavar="NAME", help="which policy of the file; default: production"
    )
    verb.add_argument(
        "--trusted-root",
        type=Path,
        metavar="FILE",
        help='the one that a run left; only for a policy whose trust-root is "run"',
    )
    verb.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="certificates (PEM) that alone vouch for a registry of your own"
    )
    verb.add_argument("--realm", default="", metavar="HOST", help="where your registry gives tokens, if not itself")
    verb.add_argument(
        "--mirror", default="", metavar="HOST[/PREFIX]", help="read it there: by digest, and every byte checked"
    )
    verb.add_argument(
        "--discovery", action="store_true", help="also say which tools of consumers find what is attached to it"
    )
    shared.without_project(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Examine the image, and print what satisfies the policy; every other outcome is a failure with its reasons."""
    policy = read_policy(options.policy, options.name)
    if options.trusted_root and not options.trusted_root.is_file():
        raise UsageError(f"there is no file {options.trusted_root}", remedy="name attest/trusted_root.json of the run")
    root = policy.root(options.trusted_root, public_root(), options.policy.parent)
    now, store = datetime.now(UTC), shared.the_store(options)
    reach = Reach(options.ca_file, options.realm, options.mirror, shared.say(options))
    verified = run_async(lambda: verify_image(options.image, policy, root=root, store=store, now=now, reach=reach))
    document = verified.document()
    if options.discovery:
        found = run_async(lambda: discovered(verified, store=store, reach=reach))
        document = document.model_copy(update={"discovery": found})
    if options.json:
        print(json.dumps(document.as_json()))
    else:
        _print(document)
        print(f"by {age(verified.root, now)}")
    return 0


def _print(document: VerificationDocument) -> None:
    bundles = {each.bundle: each for each in document.statements}
    print(f"verified  {document.reference}")
    whole, *proofs = document.proved
    print(f"proved    {whole.what}: {whole.by}")
    for each, proof in zip(document.required, proofs, strict=True):
        signed = bundles[each.bundle]
        print(f"  {each.kind:<11}  {each.about:<11}  {signed.signed_at}  {_readable(signed.signer)}")
        print(f"    {_readable(proof.what.partition(': ')[2])}")
    for bundle, reason in {**document.refused, **document.passed_over}.items():
        print(f"  passed over {_readable(bundle)}: {_readable(reason)}")
    for line in document.told:
        print(f"  {_readable(line)}")
    print("not proved")
    for line in document.not_proved:
        print(f"  {_readable(line)}")
    for line in discovery.lines(document.discovery) if document.discovery else ():
        print(f"found by  {_readable(line)}")
    print(f"policy {document.policy.name}, accepted by sigstore-python and Cosign")
    print("whatever comes next has to name this digest")


def _readable(text: str) -> str:
    """Return what others have written so that it can only be read: no control or direction of a terminal is in it."""
    return "".join(character if character.isprintable() else "?" for character in text)[:300]
