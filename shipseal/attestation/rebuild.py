"""Read from an image's provenance what it was built from. Who has signed that is judged elsewhere, or not at all."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, cast

from shipseal.attestation.provenance import BUILD_TYPE
from shipseal.attestation.statements import PredicateType
from shipseal.digest import Digest
from shipseal.distribution.referrers import attached
from shipseal.errors import ToolFailed, VerificationFailed
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.project.config import PACKAGE_LOCKS, Config


@dataclass(frozen=True)
class Recorded:
    """What provenance says of an image.

    Args:
        revision: the commit.
        tree: digest of the files as they were; with a dirty tree the commit alone does not give them.
        configuration: the sections `service` and `image` of pipeline.toml as they were understood.
        materials: package URLs, with the digest of each.
    """

    revision: str
    tree: str
    dirty: bool
    configuration: Mapping[str, Any]
    materials: Mapping[str, Digest]


def recorded(layout: Layout, image: Digest) -> list[Recorded]:
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
            do="give attest/layout of a run, or what `oras copy -r --to-oci-layout` has pulled",
        )
    return found


def recorded_by(predicate: object, image: Digest) -> Recorded:
    """Return what one provenance says that was verified; raise `VerificationFailed` where it lacks something."""
    with _readable(image):
        return _recorded(cast(Any, predicate)["buildDefinition"])


@contextmanager
def _readable(image: Digest) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise VerificationFailed(
            f"the provenance of {image} cannot be read", why=f"{type(error).__name__}: {error}", do="run `verify` on it"
        ) from error


def _provenances(layout: Layout, image: Digest) -> Iterator[Mapping[str, Any]]:
    for item in attached(layout.listed(), image, layout.read):
        try:
            envelope = json.loads(item.bundle)["dsseEnvelope"]
            statement = json.loads(base64.b64decode(envelope["payload"]))
            is_provenance = statement["predicateType"] == PredicateType.PROVENANCE
        except (KeyError, TypeError, ValueError):
            continue  # anybody can attach anything
        if is_provenance:
            if statement["predicate"]["buildDefinition"]["buildType"] != BUILD_TYPE:
                raise ValueError(f"its build type is not {BUILD_TYPE}")
            if str(image) not in {f"sha256:{each['digest']['sha256']}" for each in statement["subject"]}:
                raise ValueError(f"it does not speak of {image}")
            yield statement["predicate"]["buildDefinition"]


def _recorded(definition: Mapping[str, Any]) -> Recorded:
    dependencies = definition["resolvedDependencies"]
    source = next(item for item in dependencies if item.get("name") == "source")
    configuration = definition["externalParameters"]["configuration"]
    return Recorded(
        source["digest"]["gitCommit"],
        source["annotations"]["tree"],
        bool(source["annotations"]["dirty"]),
        {section: configuration[section] for section in ("service", "image")},
        {
            item["uri"]: Digest("sha256", item["digest"]["sha256"])
            for item in dependencies
            if str(item.get("uri", "")).startswith("pkg:")
        },
    )


def check_configuration(config: Config, record: Recorded) -> None:
    """Refuse a project that is configured otherwise; raise `VerificationFailed` with the keys that differ."""
    text = config.model_dump_json(include={"service", "image"}, by_alias=True)
    here = json.loads(text.replace(f"{config.root}/", ""))
    why = [
        f"{section}.{key}: {record.configuration[section].get(key)!r} then, {here[section].get(key)!r} here"
        for section in here
        for key in sorted({*here[section], *record.configuration[section]})
        if here[section].get(key) != record.configuration[section].get(key)
    ]
    if why:
        raise VerificationFailed(
            "this project is not configured as the image was", why=why, do=f"check out {record.revision}"
        )


def needed(config: Config) -> Inputs:
    """Return what a rebuild takes from the store: the build backend, the image's wheels and its Debian packages."""
    every = Inputs.of(config)
    names = {"build", *config.image.platforms}
    packages = {name: items for name, items in every.packages.items() if name in config.image.platforms}
    return replace(every, wheels=tuple(g for g in every.wheels if g.name in names), packages=packages, tools=())


def check_materials(inputs: Inputs, store: Store, record: Recorded) -> None:
    """Refuse to begin without everything that is needed, or with something else than was recorded.

    Raises:
        ToolFailed: the store lacks something.
        VerificationFailed: the locks name a package that the provenance does not.
    """
    missing = inputs.missing(store, store.has).names()
    if missing:
        raise ToolFailed(
            "the store lacks what the image was built from", why=missing, do="fetch it: shipseal store fetch"
        )
    known = set(record.materials.values())
    packages = {item for items in inputs.packages.values() for item in items}
    other = [f"{item.name} {item.version}" for item in sorted(packages) if item.digest not in known]
    if other:
        image = record.configuration["image"]
        lock = PurePosixPath(image.get("packages") or PACKAGE_LOCKS[image.get("base", "debian-12")]).name
        raise VerificationFailed(
            f"{lock} is not the one that the image was built from", why=other, do=f"check out {record.revision}"
        )
