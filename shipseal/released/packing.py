"""Pack what is known of an image into one file: its bytes, its bundles, the policy, and the verdict with its inputs.

Nothing is judged here, and nothing in a pack is trusted for being there: whoever verifies it brings the policy.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from shipseal.canonical import canonical
from shipseal.digest import Digest, Reference, walk
from shipseal.distribution.collecting import collect
from shipseal.distribution.fetch_image import fetch
from shipseal.distribution.referrers import BUNDLE_TYPE, MANIFEST_TYPE, Attached, configuration_of
from shipseal.distribution.registry import Registry, not_there
from shipseal.errors import RemoteFailed, UsageError
from shipseal.image import external_layout
from shipseal.image.verification import source
from shipseal.judging.policy_files import either
from shipseal.oci import pack
from shipseal.oci.layout import INDEX_TYPE, Layout
from shipseal.released.release_context import ReleaseContext
from shipseal.statements.builders import PredicateType
from shipseal.statements.envelopes import unverified
from shipseal.statements.predicates import Vulns, read
from shipseal.verification.trust import FILENAME

_VERDICT = "assess/verdict.json"
_LARGEST_CONFIGURATION = 1 << 16  # bytes
_BESIDE = {"vex/openvex.json": "verdict/vex/openvex.json", "attest/trusted_root.json": "trust/trusted_root.json"}
"""What else of a run goes into a pack, and where; the trust root is there in a dry run, for people to look at."""


@dataclass(frozen=True)
class Packed:
    """What was packed.

    Args:
        image: the digest of its index.
        bundles: how many bundles are in it.
        databases: the vulnerability databases that they name.
        digest: of the file.
        size: of the file, in bytes.
    """

    image: Digest
    bundles: int
    databases: list[dict[str, str]]
    digest: Digest
    size: int


async def pack_image(ground: ReleaseContext, image: str, file: Path, others: Mapping[str, pack.Content]) -> Packed:
    """Pack an image.

    Args:
        ground: of the verb; nothing is written outside.
        image: as `verify_image` takes it.
        file: the file to write.
        others: what goes in besides the image, its bundles and the policy file.

    Raises:
        VerificationFailed: something is not what its digest says.
        RemoteFailed: the registry did not answer as it should.
        UsageError: there is no such image, or the file cannot be written.
    """
    elsewhere = await anyio.Path(image).exists()
    async with source(image, ground.tools, ground.work) as (registry, reference):
        layout, attached = await gather(registry, reference, ground.work)
    name = "" if elsewhere else f"{reference.registry}/{reference.repository}"
    named = databases(attached)
    policy = either(ground.config.policy.directory, FILENAME)
    files = {f"{pack.LAYOUT}/{path.relative_to(layout.path)}": path for path in walk(layout.path)}
    about = {"image": str(reference.digest), "repository": name, "databases": named}
    written = pack.write(file, about, {**others, f"policy/{FILENAME}": policy, **files})
    bundles = len({each.digest for each in attached})
    return Packed(reference.digest, bundles, named, written.digest, written.size)


async def gather(registry: Registry, reference: Reference, work: Path) -> tuple[Layout, list[Attached]]:
    """Fetch an image and the bundles that are attached to it into a layout that has nothing else.

    Raises:
        VerificationFailed: something is not what its digest says.
        RemoteFailed: the registry did not answer as it should.
    """
    fetched, digest = await fetch(registry, reference.digest, work / "fetched-image"), reference.digest
    fetched.check_image(digest)
    index, platforms = fetched.image(digest)
    subjects = {digest: "the image", **{each.digest: each.name for each in platforms}}
    attached = [each for each in (await collect(registry, subjects, fetched)).found if each.bundle != each.manifest]
    whole = await _configurations(registry, attached, fetched)
    found = [each for each in attached if configuration_of(each.manifest) in whole]
    for each in found:
        fetched.put(each.manifest)
    manifests = {Digest.of(each.manifest): len(each.manifest) for each in found}
    kind = {"mediaType": MANIFEST_TYPE, "artifactType": BUNDLE_TYPE}
    listed = [{**kind, "digest": str(each), "size": size} for each, size in sorted(manifests.items())]
    document = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [index, *listed]}
    (fetched.path / "index.json").write_bytes(canonical(document))
    return external_layout.ours(fetched, digest, work / "packed-image"), found


async def _configurations(registry: Registry, attached: Iterable[Attached], layout: Layout) -> set[Digest]:
    """Put what bundles' manifests name as their configuration into a layout; return what could be.

    It is nearly always the empty one. What is large or not there is no bundle that could be handed on whole.
    """
    found: set[Digest] = set()
    for each in sorted({named for one in attached if (named := configuration_of(one.manifest))}):
        try:
            data = await registry.blob_within(each, _LARGEST_CONFIGURATION)
        except RemoteFailed as error:
            if not not_there(error):
                raise
            continue
        if data is not None:
            found.add(layout.put(data))
    return found


@dataclass(frozen=True)
class OfRun:
    """What a run adds to a pack: files by their names there, and the inputs of the verdict that are not there."""

    files: Mapping[str, pack.Content] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def of_a_run(run: Path, policy: Path) -> OfRun:
    """Return the verdict of a run with what it rests on.

    Args:
        run: the run directory.
        policy: the directory of the project's policy; a file that has changed since is not the one that was judged by.

    Raises:
        UsageError: the run has no verdict.
    """
    try:
        inputs = dict(json.loads((run / _VERDICT).read_bytes())["inputs"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{run} has no verdict",
            why=f"{_VERDICT}: {type(error).__name__}",
            remedy="run the pipeline, or name a layout",
        ) from error
    found: dict[str, pack.Content] = {"verdict/verdict.json": run / _VERDICT}
    missing: list[str] = []
    for name, digest in sorted(inputs.items()):
        if "/" not in name:  # the image, and the database: both are named in the pack
            continue
        file = _input(run, name, policy)
        if file.is_file() and str(Digest.of_file(file)) == digest:
            found[f"verdict/{name}"] = file
        else:
            missing.append(name)
    found |= {inside: run / name for name, inside in _BESIDE.items() if (run / name).is_file()}
    return OfRun(found, tuple(missing))


def _input(run: Path, name: str, policy: Path) -> Path:
    """Return where an input of a verdict is: `assess` keeps some beside it, the policy too; others are elsewhere."""
    kept = run / "assess" / name
    if kept.is_file():
        return kept
    return either(policy, name.removeprefix("policy/")) if name.startswith("policy/") else run / name


def databases(attached: Iterable[Attached]) -> list[dict[str, str]]:
    """Return the vulnerability databases that scans among some bundles name; nobody has looked at who signed that."""
    found: dict[bytes, dict[str, str]] = {}
    for each in attached:
        try:
            statement = unverified(each.bundle)
            if statement.predicate_type != PredicateType.VULNS:
                continue
            used = read(Vulns, statement.predicate).scanner.db
        except ValueError:
            continue  # anybody can attach anything
        said = {"source": used.uri, "schema": used.version, "built": used.last_update}
        said["checksum"] = used.annotations.checksum
        found[canonical(said)] = said
    return [found[each] for each in sorted(found)]
