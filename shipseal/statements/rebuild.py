"""Read from an image's provenance what it was built from. Who has signed that is judged elsewhere, or not at all."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from shipseal.digest import Digest
from shipseal.distribution.referrers import attached
from shipseal.errors import ToolFailed, VerificationFailed
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.project.config import PACKAGE_LOCKS, Config
from shipseal.statements.builders import PredicateType
from shipseal.statements.envelopes import unverified
from shipseal.statements.predicates import ResourceDescriptor, Said, read
from shipseal.statements.provenance import BUILD_TYPE


class Configured(Said):
    """The sections `service` and `image` of pipeline.toml, as they were understood."""

    service: dict[str, Any]
    image: dict[str, Any]


class _Parameters(Said):
    configuration: Configured


class _RebuildDefinition(Said):
    build_type: str
    external_parameters: _Parameters
    resolved_dependencies: list[ResourceDescriptor]


class _Provenance(Said):
    build_definition: _RebuildDefinition


class _ProvenanceSubject(Said):
    digest: dict[str, str]


class _ProvenanceStatement(Said):
    subject: list[_ProvenanceSubject]
    predicate: _Provenance


@dataclass(frozen=True)
class BuildClaims:
    """What provenance says of an image.

    Args:
        revision: the commit.
        tree: digest of the files as they were; with a dirty tree the commit alone does not give them.
        configuration: what decides the image.
        materials: package URLs, with the digest of each.
    """

    revision: str
    tree: str
    dirty: bool
    configuration: Configured
    materials: Mapping[str, Digest]


def recorded(layout: Layout, image: Digest) -> list[BuildClaims]:
    """Return what each provenance of an image says: one digest may have been built several times.

    Raises:
        VerificationFailed: there is none, or it is not one of this pipeline's.
    """
    with _readable(image):
        found = [_recorded(definition) for definition in _provenances(layout, image)]
    if not found:
        raise VerificationFailed(
            f"{layout.path} holds no provenance of {image}",
            why="an image says nothing of how it came to be; its provenance stands beside it",
            remedy="give attest/layout of a run, or what `oras copy -r --to-oci-layout` has pulled",
        )
    return found


def recorded_by(predicate: object, image: Digest) -> BuildClaims:
    """Return what one provenance says that was verified; raise `VerificationFailed` where it lacks something."""
    with _readable(image):
        return _recorded(read(_Provenance, predicate).build_definition)


@contextmanager
def _readable(image: Digest) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, StopIteration) as error:
        raise VerificationFailed(
            f"the provenance of {image} cannot be read",
            why=f"{type(error).__name__}: {error}",
            remedy="run `verify` on it",
        ) from error


def _provenances(layout: Layout, image: Digest) -> Iterator[_RebuildDefinition]:
    for item in attached(layout.listed(), image, layout.read):
        try:
            found = unverified(item.bundle)
        except ValueError:
            continue  # anybody can attach anything
        if found.predicate_type == PredicateType.PROVENANCE:
            statement = read(_ProvenanceStatement, vars(found))
            definition = statement.predicate.build_definition
            if definition.build_type != BUILD_TYPE:
                raise ValueError(f"its build type is not {BUILD_TYPE}")
            if image.hex not in {each.digest["sha256"] for each in statement.subject}:
                raise ValueError(f"it does not speak of {image}")
            yield definition


def _recorded(definition: _RebuildDefinition) -> BuildClaims:
    dependencies = definition.resolved_dependencies
    source = next(item for item in dependencies if item.name == "source")
    return BuildClaims(
        source.digest["gitCommit"],
        str(source.annotations["tree"]),
        bool(source.annotations["dirty"]),
        definition.external_parameters.configuration,
        {item.uri: Digest("sha256", item.digest["sha256"]) for item in dependencies if item.uri.startswith("pkg:")},
    )


def check_configuration(config: Config, record: BuildClaims) -> None:
    """Refuse a project that is configured otherwise; raise `VerificationFailed` with the keys that differ."""
    text = config.model_dump_json(include={"service", "image"}, by_alias=True)
    here = read(Configured, json.loads(text.replace(f"{config.root}/", "")))
    was = record.configuration
    why = [
        f"{section}.{key}: {then.get(key)!r} then, {now.get(key)!r} here"
        for section, then, now in (("service", was.service, here.service), ("image", was.image, here.image))
        for key in sorted({*now, *then})
        if now.get(key) != then.get(key)
    ]
    if why:
        raise VerificationFailed(
            "this project is not configured as the image was", why=why, remedy=f"check out {record.revision}"
        )


def needed(config: Config) -> Inputs:
    """Return what a rebuild takes from the store: the build backend, the image's wheels and its Debian packages."""
    every = Inputs.of(config)
    names = {"build", *config.image.platforms}
    packages = {name: items for name, items in every.packages.items() if name in config.image.platforms}
    return replace(every, wheels=tuple(g for g in every.wheels if g.name in names), packages=packages, tools=())


def check_materials(inputs: Inputs, store: Store, record: BuildClaims) -> None:
    """Refuse to begin without everything that is needed, or with something else than was recorded.

    Raises:
        ToolFailed: the store lacks something.
        VerificationFailed: the locks name a package that the provenance does not.
    """
    missing = inputs.missing(store, store.has).names()
    if missing:
        raise ToolFailed(
            "the store lacks what the image was built from", why=missing, remedy="fetch it: shipseal store fetch"
        )
    known = set(record.materials.values())
    packages = {item for items in inputs.packages.values() for item in items}
    other = [f"{item.name} {item.version}" for item in sorted(packages) if item.digest not in known]
    if other:
        image = record.configuration.image
        lock = PurePosixPath(image.get("packages") or PACKAGE_LOCKS[image.get("base", "debian-12")]).name
        raise VerificationFailed(
            f"{lock} is not the one that the image was built from", why=other, remedy=f"check out {record.revision}"
        )
