"""State which vulnerabilities matter in this image, on evidence."""

import tarfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pipeline.digest import Digest
from pipeline.engine.stage import Context
from pipeline.errors import VerificationFailed
from pipeline.formats.elf import imports, is_elf
from pipeline.judging.claims import Claim, Imports, State, describe, hold
from pipeline.judging.openvex import cross_check, for_scanner, publish
from pipeline.judging.policy_files import PolicyFiles
from pipeline.oci.layout import Layout
from pipeline.platforms import Platform
from pipeline.purl import Purl
from pipeline.scanning import findings
from pipeline.scanning.grype import Grype, Identity
from pipeline.times import read_time


async def vex(context: Context) -> str:
    """Hold the statements of the policy against this image, publish those that apply, and have Grype apply them too."""
    image = context.read_json("image", "image.json")
    policy = PolicyFiles.load(context.config)
    packages = [Purl.parse(each["purl"]) for entry in image["platforms"].values() for each in entry["packages"]]
    layout = Layout.of_image(context.of("image") / "layout", Digest.parse(image["digest"]))
    layout.check_image(Digest.parse(image["digest"]))
    paths, imported = _contents(layout, image)
    parts = (context.read_json("scan", name) for name in ("database.json", "imported.json"))
    identity = Identity.restore({key: value for part in parts for key, value in part.items()})
    claims = hold(policy.documents, packages, imported, paths, context.now, _day_of_sample(context, identity))
    agreed = await _cross_check(context, claims, identity)
    context.write_json("openvex.json", publish(claims, image, context.now))
    context.write_json(
        "evidence.json",
        {
            "image": image["digest"],
            "held": context.now.isoformat(),
            "claims": [describe(claim, context.now) for claim in claims],
            "policy": {name: str(digest) for name, digest in policy.digests.items()},
            "suppressed_by_grype_too": agreed,
        },
    )
    states = [f"{n} {each.value}" for each in State if (n := sum(claim.state is each for claim in claims))]
    told = f"{len(claims)} statements ({', '.join(states) or 'none'})"
    if not any(claim.state is State.APPLIED for claim in claims):
        context.say("no VEX statement applies: the document that is published has none")
        told += "; none applies, so what is published states nothing"
    return f"{told}; Grype agrees"


def _day_of_sample(context: Context, identity: Identity) -> datetime | None:
    """Return the day by which a dry run's sample is looked at, which stands still; none where another day was asked."""
    judges_nothing = identity.sample and context.as_of is None and not context.world.public
    return read_time(identity.built) if judges_nothing else None


async def _cross_check(context: Context, claims: tuple[Claim, ...], identity: Identity) -> int:
    statements = context.write_json("scanner.json", for_scanner(claims, context.now))
    database = context.config.scan.database or context.of("scan") / "database"
    grype = Grype(context.tools, database, context.out)
    grype.require_same(identity)
    agreed = 0
    for platform, raw in sorted(context.read_json("scan", "grype.json").items()):
        before = findings.read(raw)
        document = context.of("sbom") / Platform.parse(platform).directory / "sbom.cdx.json"
        after = findings.read(await grype.scan(document, statements))
        agreed += cross_check(claims, before, after)
    statements.unlink()
    return agreed


def _contents(layout: Layout, image: dict[str, Any]) -> tuple[list[str], Imports]:
    """Return every path in the image, on any platform, and what each of its ELF files imports, joined over them."""
    imported: dict[str, frozenset[str] | None] = {}
    paths: set[str] = set()
    digests = {layer["digest"] for entry in image["platforms"].values() for layer in entry["layers"]}
    for digest in sorted(digests):
        for name, data in _files(layout, Digest.parse(digest)):
            paths.add(name)
            if data and is_elf(data):
                earlier, found = imported.get(name, frozenset()), imports(data)
                imported[name] = None if earlier is None or found is None else earlier | found
    return sorted(paths), imported


def _files(layout: Layout, digest: Digest) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the bytes of everything in a layer; what is no regular file has none."""
    try:
        with tarfile.open(layout.blob(digest)) as layer:
            for member in layer:
                content = layer.extractfile(member) if member.isreg() else None
                yield member.name, content.read() if content else b""
    except (OSError, EOFError, tarfile.TarError) as error:
        raise VerificationFailed(
            f"image/image.json names the layer {digest}, which cannot be read",
            why=str(error),
            do="run `python -m pipeline stage image` again",
        ) from error
