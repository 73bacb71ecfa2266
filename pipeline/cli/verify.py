"""`verify REFERENCE|LAYOUT --policy FILE`: what a consumer runs. It needs no run directory and no configuration.

A reference by tag is resolved once; the digest is printed and verified, and whatever comes next has to name it.
"""

import argparse
import json
import os
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from pipeline.attestation.consumer import Examination, describe, examine
from pipeline.attestation.policy_file import read_policy
from pipeline.attestation.roots import age, public_root
from pipeline.attestation.trust import Policy, TrustRoot
from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.digest import Digest, Reference, split_repository
from pipeline.distribution.credentials import login
from pipeline.distribution.registry import Registry
from pipeline.engine.world import loopback_registry
from pipeline.errors import UsageError, VerificationFailed
from pipeline.image import handed
from pipeline.locked.inputs import Inputs
from pipeline.oci.layout import Layout
from pipeline.tools import loopback
from pipeline.tools.environment import network_environment
from pipeline.tools.toolbox import Toolbox

_TOOLS = frozenset({"oras", "olareg", "cosign"})
# distribution-spec, "Pulling manifests": a tag
_TAGGED = re.compile(r"(?P<repository>[^/@]+/[^:@]+)(?::(?P<tag>[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}))?")


def add(verbs: Any) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("verify", help="decide about a published image as a consumer would", description=__doc__)
    verb.add_argument("image", metavar="REFERENCE|LAYOUT", help="REGISTRY/REPOSITORY@sha256:…, or an OCI layout")
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
    shared.without_project(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Examine the image, and print what satisfies the policy; every other outcome is a failure with its reasons."""
    policy = read_policy(options.policy, options.name)
    if options.trusted_root and not options.trusted_root.is_file():
        raise UsageError(f"there is no file {options.trusted_root}", do="name attest/trusted_root.json of the run")
    root = policy.root(options.trusted_root, public_root(), options.policy.parent)
    with tempfile.TemporaryDirectory(prefix="verify-") as work:
        found, reference = run_async(lambda: _examine(options, policy, root, Path(work)))
    if options.json:
        print(json.dumps(describe(found, reference, policy, root.read_bytes())))
    else:
        _print(describe(found, reference, policy, root.read_bytes()))
        print(f"by {age(root.read_bytes(), datetime.now(UTC))}")
    return 0


async def _examine(
    options: argparse.Namespace, policy: Policy, root: Path, work: Path
) -> tuple[Examination, Reference]:
    tools = Toolbox(
        store=shared.the_store(options),
        locked=Inputs.of_tools().locked(),
        declared=_TOOLS,
        log=work / "log.txt",
        environment=network_environment(),
    )
    (work / "fetched").mkdir()
    async with _source(options.image, tools, work) as (registry, reference):
        # A run's own root is for looking at what a dry run has left, in whatever place.
        elsewhere = policy.rules.trust_root is TrustRoot.RUN or await anyio.Path(options.image).is_dir()
        name = "" if elsewhere else f"{reference.registry}/{reference.repository}"
        found = await examine(
            registry, reference.digest, policy, root=root, tools=tools, work=work / "fetched", name=name
        )
    return found, reference


@asynccontextmanager
async def _source(image: str, tools: Toolbox, work: Path) -> AsyncIterator[tuple[Registry, Reference]]:
    """Give the registry that has the image: its own, or for a layout one on loopback."""
    if await anyio.Path(image).is_dir():
        layout = Layout(Path(image))
        digest = layout.only_image()
        whole = handed.ours(layout, digest, work / "handed")
        loopback.bring_up()
        (work / "registry").mkdir()
        async with loopback_registry(tools, work / "registry", "layout", writable=True) as registry:
            await registry.push(whole.path, digest)
            yield registry, Reference("layout", "image", digest)
        return
    host, repository, tag, digest_text = _parse(image)
    with login(os.environ) as found:
        tools.secrets += found.secrets
        registry = Registry(tools, host, repository, loopback.is_loopback(host), found.environment)
        yield registry, registry.reference(Digest.parse(digest_text) if digest_text else await _resolve(registry, tag))


def _parse(image: str) -> tuple[str, str, str, str]:
    """Return registry, repository, tag and digest of a reference, one of the last two empty where it has only one."""
    name, at, digest = image.partition("@")
    found = _TAGGED.fullmatch(name)
    if found and (at or found["tag"]):
        try:
            return *split_repository(found["repository"]), found["tag"] or "", digest
        except ValueError as error:
            raise UsageError(f"{image} is no reference to an image"[:300], why=str(error)) from error
    raise UsageError(
        f"{image} is neither a reference nor a layout"[:300], do="give REGISTRY/REPOSITORY@sha256:…, or a directory"
    )


async def _resolve(registry: Registry, tag: str) -> Digest:
    digest = await registry.resolve(tag)
    if digest is None:
        raise VerificationFailed(f"{registry.host}/{registry.repository} has no tag {tag}", do="name one that is there")
    return digest


def _print(document: Mapping[str, Any]) -> None:
    bundles = {each["bundle"]: each for each in document["statements"]}
    print(f"verified  {document['reference']}")
    for each in document["required"]:
        signed = bundles[each["bundle"]]
        print(f"  {each['kind']:<11}  {each['about']:<11}  {signed['signed_at']}  {signed['signer']}")
    for bundle, reason in {**document["refused"], **document["passed_over"]}.items():
        print(f"  passed over {_readable(bundle)}: {_readable(reason)}")
    print(f"policy {document['policy']['name']}, accepted by sigstore-python and Cosign")
    print("whatever comes next has to name this digest")


def _readable(text: str) -> str:
    """Return what others have written so that it can only be read: no control or direction of a terminal is in it."""
    return "".join(character if character.isprintable() else "?" for character in text)[:300]
