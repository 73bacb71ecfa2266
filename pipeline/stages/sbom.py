"""List what is in the image."""

import json
import shutil
from pathlib import Path
from typing import Any

from pipeline import sbom as documents
from pipeline.digest import Digest
from pipeline.errors import ToolFailed
from pipeline.stage import Context

_SETTINGS = {"SYFT_CHECK_FOR_APP_UPDATE": "false", "SYFT_FILE_METADATA_SELECTION": "all"}


async def sbom(context: Context) -> str:
    """Have Syft list each platform's image, make its documents byte-stable, and hold them against `image.json`."""
    image = context.read_json("image", "image.json")
    counts = []
    for platform in sorted(image["platforms"]):
        context.say(f"listing {platform}")
        subject = documents.Subject.of(image, platform)
        counts.append(f"{await _list(context, subject, platform)} on {platform}")
    return f"packages and files: {', '.join(counts)}"


async def _list(context: Context, subject: documents.Subject, platform: str) -> str:
    relative = platform.replace("/", "-")
    where = context.out / relative
    where.mkdir()
    view = _view(context.of("image") / "layout", subject.digest, where / "view")
    forms = {"cyclonedx": "sbom.cdx.json", "spdx": "sbom.spdx.json", "syft": "sbom.syft.json"}
    # The path is relative because Syft writes it into what it lists.
    await context.tools.run(
        "syft",
        *("scan", "oci-dir:view", "-q", "--source-name", subject.name, "--source-version", str(subject.digest)),
        *(f"-o={form}-json={name}" for form, name in forms.items()),
        cwd=where,
        env={**_SETTINGS, "HOME": str(view.resolve()), "XDG_CONFIG_HOME": str(view.resolve())},
    )
    shutil.rmtree(view)
    listing = _read(where / forms["syft"])
    documents.require_complete(listing, subject)
    cyclonedx = documents.cyclonedx(_read(where / forms["cyclonedx"]), subject)
    spdx = documents.spdx(_read(where / forms["spdx"]), subject)
    context.write_json(f"{relative}/{forms['cyclonedx']}", cyclonedx)
    context.write_json(f"{relative}/{forms['spdx']}", spdx)
    context.write_json(f"{relative}/{forms['syft']}", listing)
    return f"{len(listing['artifacts'])} and {len(spdx['files'])}"


def _view(layout: Path, manifest: Digest, view: Path) -> Path:
    """Make a layout that names one platform's manifest, the only kind that Syft reads; blobs are not copied."""
    view.mkdir()
    size = (layout / "blobs" / "sha256" / manifest.hex).stat().st_size
    descriptor = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": str(manifest),
        "size": size,
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [descriptor]}
    (view / "index.json").write_text(json.dumps(index))
    (view / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (view / "blobs").symlink_to((layout / "blobs").resolve(), target_is_directory=True)
    return view


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ToolFailed(f"Syft left no readable {path.name}", why=str(error), do="see sbom/log.txt") from error
