"""Say what of a store belongs on a mirror, and write a mirror that any server of files can offer."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shipseal.digest import Digest
from shipseal.errors import UsageError
from shipseal.locked import listing, wheels
from shipseal.locked.inputs import Inputs
from shipseal.locked.listing import Item
from shipseal.locked.store import Store
from shipseal.project.config import Config


@dataclass(frozen=True)
class Offer:
    """Inputs for a mirror.

    Args:
        items: the inputs, in the order of their digests.
        manifest: the listing of them.
        names: those that the listing has on a mirror.
    """

    items: tuple[Item, ...]
    manifest: bytes
    names: tuple[str, ...]

    @classmethod
    def of(cls, config: Config, store: Store) -> Self:
        """Return all that the locks name for this machine's tools and the image's platforms, each verified now.

        Raises:
            ToolFailed: something is not in the store.
            VerificationFailed: something was altered there.
        """
        own = Inputs.of(config)
        everything = own.with_containers()
        found = {item.digest: item for item in _items(everything, store)}
        items = tuple(found[digest] for digest in sorted(found))
        names = listing.names(own.platform, own.named(), everything.named(), Inputs.of_tools().named())
        return cls(items, listing.listing(items, own.platform), names)

    @property
    def size(self) -> int:
        """What the inputs have together, in bytes."""
        return sum(item.size for item in self.items)


def _items(inputs: Inputs, store: Store) -> Iterator[Item]:
    for group in inputs.wheels:
        for each in group.requirements:
            stored = {digest: name for digest in each.hashes if (name := store.filename(digest))}
            wheel = wheels.choose(each, stored, group.target)
            digest = wheel.digest if wheel else min(each.hashes)  # which is then said to be missing
            yield _item(store, digest, each.version, f"pkg:pypi/{each.name}@{each.version}")
    for packages in inputs.packages.values():
        for package in packages:
            source = f"pkg:deb/debian/{package.name}@{package.version}?arch={package.architecture}"
            yield _item(store, package.digest, package.version, source)
    for tool in inputs.tools:
        yield _item(store, tool.digest(inputs.platform), tool.version, f"pkg:golang/{tool.package}@{tool.version}")


def _item(store: Store, digest: Digest, version: str, source: str) -> Item:
    path = store.get(digest)
    found = path.stat()
    return Item(digest, path.name, found.st_size, bool(found.st_mode & 0o100), version, source)


def write(offer: Offer, store: Store, directory: Path) -> None:
    """Add inputs and their listing to a directory, each file whole or not at all; what is there is left.

    Args:
        offer: the inputs.
        store: has them.
        directory: need not exist yet.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        (directory / "sha256").mkdir(parents=True, exist_ok=True)
        for item in offer.items:
            target = directory / item.digest.algorithm / item.digest.hex
            if not target.exists() or Digest.of_file(target) != item.digest:
                _put(store.get(item.digest), target)
        with tempfile.NamedTemporaryFile(dir=directory) as file:
            file.write(offer.manifest)
            file.flush()
            for name in offer.names:
                _put(Path(file.name), directory / f"{name}.json")
    except OSError as failure:
        raise UsageError(
            f"{directory} cannot be written", why=failure.strerror or str(failure), remedy="name another directory"
        ) from failure


def _put(source: Path, target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        try:
            with source.open("rb") as content:
                shutil.copyfileobj(content, file)
            os.fchmod(file.fileno(), 0o644)
            Path(file.name).replace(target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
