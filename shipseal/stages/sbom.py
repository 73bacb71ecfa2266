"""List what is in the image."""

import shutil
from pathlib import Path
from typing import TypeVar

import anyio

from shipseal.documents.document import WholeDocument
from shipseal.documents.image import ImageDocument
from shipseal.documents.sbom import CycloneDxDocument, SpdxDocument, SyftDocument
from shipseal.engine.stage import Context
from shipseal.errors import ToolFailed, VerificationFailed
from shipseal.oci.layout import Layout
from shipseal.platforms import Platform
from shipseal.scanning import sbom as documents

# Versions of the formats are fixed here, so that a newer Syft does not change them unasked.
_FORMS = {
    "cyclonedx-json@1.6": CycloneDxDocument.NAME,
    "spdx-json@2.3": SpdxDocument.NAME,
    "syft-json": SyftDocument.NAME,
}
# Its settings are part of what it writes, so none may name a place of this machine; and it reads .syft.yaml at home.
_SETTINGS = {
    "SYFT_CHECK_FOR_APP_UPDATE": "false",
    "SYFT_FILE_METADATA_SELECTION": "all",
    "SYFT_CACHE_DIR": "",
    "HOME": "/nonexistent",
}

Kind = TypeVar("Kind", bound=WholeDocument)


async def sbom(context: Context) -> str:
    """Have Syft list each platform's image, make its documents byte-stable, and hold them against `image.json`."""
    image = ImageDocument.read(context)
    layout = Layout.of_image(context.of("image") / "layout", image.digest)
    layout.check_image(image.digest)
    counts: dict[str, str] = {}

    async def one(platform: str) -> None:
        context.say(f"listing {platform}")
        counts[platform] = await _list(context, layout, documents.SbomSubject.of(image, platform), platform)

    async with anyio.create_task_group() as platforms:
        for platform in image.platforms:
            platforms.start_soon(one, platform)
    return f"packages and files: {', '.join(f'{counts[each]} on {each}' for each in sorted(counts))}"


async def _list(context: Context, layout: Layout, subject: documents.SbomSubject, platform: str) -> str:
    relative = Platform.parse(platform).directory
    where = context.out / relative
    where.mkdir()
    view = layout.view(where / "view", subject.digest).path
    scratch = where / "scratch"  # what it unpacks: whoever kills it leaves that with the unfinished stage, not in /tmp
    scratch.mkdir()
    # The path is relative because Syft writes it into what it lists.
    await context.tools.run(
        "syft",
        *("scan", "oci-dir:view", "-q", "--source-name", subject.name, "--source-version", str(subject.digest)),
        *(f"-o={form}={name}" for form, name in _FORMS.items()),
        cwd=where,
        env={**_SETTINGS, "TMPDIR": str(scratch)},
    )
    for made in (view, scratch):
        shutil.rmtree(made)
    listing = _read(SyftDocument, where)
    documents.require_complete(listing, subject)
    spdx = documents.spdx(_read(SpdxDocument, where), subject)
    for document in (documents.cyclonedx(_read(CycloneDxDocument, where), subject), spdx, listing):
        document.write(context, relative)
    return f"{len(listing.artifacts)} and {len(spdx.files)}"


def _read(kind: type[Kind], where: Path) -> Kind:
    """Read what Syft has just written; raise `ToolFailed` where that is not what it is asked for."""
    try:
        return kind.parse((where / kind.NAME).read_bytes(), kind.NAME)
    except (OSError, VerificationFailed) as error:
        why = error.why if isinstance(error, VerificationFailed) else str(error)
        raise ToolFailed(f"Syft left no readable {kind.NAME}", why=why, remedy="see sbom/log.txt") from error
