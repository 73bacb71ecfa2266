"""Decide what of an unpacked tree the image holds."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path

from shipseal.errors import ConfigError
from shipseal.image import keep, selection
from shipseal.image.catalogue import modules
from shipseal.image.closure import Closure, Module, close
from shipseal.image.keep import KeepList
from shipseal.image.start import start
from shipseal.image.tree import Component, File, Tree
from shipseal.locked.debian import Lock
from shipseal.platforms import Platform
from shipseal.project.config import Config


@dataclass(frozen=True)
class Interior:
    """What the interpreter brings without files: modules that are built into it, and those frozen into it."""

    builtin: frozenset[str]
    frozen: frozenset[str]


@dataclass(frozen=True)
class ImagePlan:
    """What one platform's image will hold, and how it starts.

    Args:
        kept: paths of the tree's files that are in the image.
        modules: those of them that can be imported.
    """

    tree: Tree
    service: Component
    entrypoint: tuple[str, ...]
    closure: Closure
    kept: set[str]
    modules: tuple[Module, ...]

    @property
    def keep(self) -> KeepList:
        """What people review of it."""
        return KeepList.of(self.modules, (path for path in self.kept if not self.tree.files[path].link))


def plan(config: Config, lock: Lock, platform: str, tree: Tree, interior: Interior) -> ImagePlan:
    """Decide what of an unpacked tree the image holds.

    Raises:
        ConfigError: the service cannot be started in the way that is configured.
        SubjectFailed: a module or a shared library that it needs is nowhere.
    """
    service, architecture = tree.service, Platform.parse(platform).architecture
    assert service is not None, "unpack comes first"
    found = modules(tree, architecture)
    begin = start(config.service, found, tree.runtime)
    for path, source in begin.generated.items():
        tree.add(File(path, service))
        with source.open("rb") as stream:
            tree.write(path, stream)
    if begin.generated:
        found = modules(tree, architecture)
    whole = config.image.runtime == "full"
    closure = close(
        found,
        interior.builtin | interior.frozen,
        [*selection.required_modules(tree.runtime), *begin.seeds, *config.image.modules],
        made=config.image.made_modules,
        whole=whole,
    )
    asked = selection.SelectionOptions(whole, config.image.extra_packages, config.image.package_data)
    kept = selection.select(
        tree,
        [found[name] for name in closure.needed],
        interior.frozen,
        architecture,
        asked,
        partial(lock.provider, platform=platform),
    )
    inside = tuple(module for module in found.values() if module.path in kept)
    return ImagePlan(tree, service, begin.entrypoint, closure, kept, inside)


def review(config: Config, plans: Collection[ImagePlan], out: Path) -> None:
    """Write the computed keep-list into `out`, and hold it against the reviewed one, where there is one.

    Raises:
        ConfigError: the reviewed list is missing or is none, or data is asked for that no wheel has.
        SubjectFailed: the two differ.
    """
    _refuse_idle(selection.unmatched((each.tree for each in plans), config.image.package_data))
    computed = reduce(KeepList.union, (each.keep for each in plans))
    here = out / keep.FILENAME
    here.write_text(computed.text(), encoding="utf-8")
    if config.image.keep is None:
        return
    name, where = (os.path.relpath(path, config.root) for path in (config.image.keep, here))
    if not config.image.keep.exists():
        raise ConfigError(f"there is no {name}", remedy=f"read the computed list and take it: cp {where} {name}")
    reviewed = KeepList.parse(config.image.keep.read_text(encoding="utf-8"), name)
    keep.check(computed, reviewed, name, {k: by for each in plans for k, by in each.closure.needed.items()}, where)


def _refuse_idle(patterns: Mapping[str, list[str]]) -> None:
    """Refuse patterns that fit nothing: they are misspelt, or what they were for is gone."""
    if patterns:
        raise ConfigError(
            f"image.package-data asks for what no wheel has: {', '.join(patterns)}",
            why=[f"most like {pattern}: {', '.join(alike) or 'nothing'}" for pattern, alike in patterns.items()],
            remedy="correct the pattern, or remove it: it has to fit a path below the wheel's "
            "root, as sample/words/*.json",
        )
