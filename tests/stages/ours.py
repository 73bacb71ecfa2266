"""The image of this repository's own service, made by the stages of the table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipseal.digest import Digest
from shipseal.engine.run import Run
from shipseal.engine.schedule import wanted
from shipseal.engine.table import TABLE
from shipseal.engine.world import choose
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.project.config import HOME, Config


@dataclass(frozen=True)
class Ours:
    """The image, and the run that made it; `document` is image.json."""

    run: Run
    document: dict[str, Any]

    @property
    def layout(self) -> Layout:
        """Return the layout that the run has left."""
        return Layout(self.run.directory / "image" / "layout")

    @property
    def index(self) -> Digest:
        """Return the digest that people pull by."""
        return Digest.parse(self.document["digest"])

    def manifest(self, platform: str) -> Digest:
        """Return the digest of one platform's image."""
        return Digest.parse(self.document["platforms"][platform]["digest"])

    def files(self, platform: str) -> set[str]:
        """Return the paths that one platform's image is said to hold."""
        entry = self.document["platforms"][platform]
        return {path for package in entry["packages"] for path in package["files"]} | set(entry["generated"])


async def ours(directory: Path, store: Store, locked: Mapping[str, Digest], stage: str) -> Ours:
    """Perform a stage of this repository's own pipeline, and all that leads to it."""
    config = Config.load(HOME / "pipeline.toml")
    run = Run(directory, config, store, locked, choose("dry-run", config))
    for each in wanted(TABLE, stage):
        await run.perform(each)
    return Ours(run, json.loads((directory / "image" / "image.json").read_bytes()))
