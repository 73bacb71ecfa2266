"""List what is in the image."""

import json
import shutil
from pathlib import Path
from typing import Any

import anyio

from shipseal.digest import Digest
from shipseal.engine.stage import Context
from shipseal.errors import ToolFailed
from shipseal.oci.layout import Layout
from shipseal.platforms import Platform
from shipseal.scanning import sbom as documents

# Versions of the formats are fixed here, so that a newer Syft does not change them unasked.
_FORMS = {
    "cyclonedx-json@1.6": "sbom.cdx.json",
    "spdx-json@2.3": "sbom.spdx.json",
    "syft-json": "sbom.syft.json",
}
# Its settings are part of what it writes, so none may name a place of this machine; and it reads .syft.yaml at home.
_SETTINGS = {
    "SYFT_CHECK_FOR_APP_UPDATE": "false",
    "SYFT_FILE_METADATA_SELECTION": "all",
    "SYFT_CACHE_DIR": "",
    "HOME": "/nonexistent",
}


async def sbom(context: Context) -> str:
    """Have Syft list each platform's image, make its documents byte-stable, and hold them against `image.json`."""
    image = context.read_json("image", "image.json")
    layout = Layout.of_image(context.of("image") / "layout", Digest.parse(image["digest"]))
    layout.check_image(Digest.parse(image["digest"]))
    counts: dict[str, str] = {}

    async def one(platform: str) -> None:
        context.say(f"listing {platform}")
        counts[platform] = await _list(context, layout, documents.Subject.of(image, platform), platform)

    async with anyio.create_task_group() as platforms:
        for platform in image["platforms"]:
            platforms.start_soon(one, platform)
    return f"packages and files: {', '.join(f'{counts[each]} on {each}' for each in sorted(counts))}"


async def _list(context: Context, layout: Layout, subject: documents.Subject, platform: str) -> str:
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
    cyclonedx, spdx, listing = (_read(where / name) for name in _FORMS.values())
    documents.require_complete(listing, subject)
    normal = (documents.cyclonedx(cyclonedx, subject), documents.spdx(spdx, subject), listing)
    for name, document in zip(_FORMS.values(), normal, strict=True):
        context.write_json(f"{relative}/{name}", document)
    return f"{len(listing['artifacts'])} and {len(normal[1]['files'])}"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ToolFailed(f"Syft left no readable {path.name}", why=str(error), do="see sbom/log.txt") from error
