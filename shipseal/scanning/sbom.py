"""Make Syft's documents the same bytes for the same image, and hold them against what was put into it. Pure.

Formats: CycloneDX 1.6 (ECMA-424) and SPDX 2.3. Syft stamps each document with the time and a random number; both are
replaced by values that follow from the image's digest. The true time of the listing is in the stage's record.
"""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Self

from shipseal.digest import Digest
from shipseal.documents.image import ImageDocument
from shipseal.documents.sbom import (
    CycloneDxDocument,
    CycloneDxPart,
    SpdxCode,
    SpdxDocument,
    SpdxFile,
    SpdxPackage,
    SpdxRelationship,
    SyftDocument,
)
from shipseal.errors import ToolFailed
from shipseal.purl import Purl

_FILES = frozenset({"RegularFile", "SymbolicLink"})
_CONTAINS = "CONTAINS"
_NO_CONTENT = "0" * 40  # what Syft gives as the SHA-1 of a directory or a link
_TIME = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class InstalledPackage:
    """A package that the image stage put into one platform's image, with the paths that came from it."""

    purl: Purl
    files: tuple[str, ...]


@dataclass(frozen=True)
class SbomSubject:
    """What a document lists: one platform's image; `generated` are the paths that the image stage itself writes."""

    name: str
    digest: Digest
    purl: str
    packages: tuple[InstalledPackage, ...]
    generated: tuple[str, ...] = ()

    @classmethod
    def of(cls, image: ImageDocument, platform: str) -> Self:
        """Return what one platform of an image is."""
        entry = image.platforms[platform]
        name = f"{image.reference.registry}/{image.reference.repository}"
        packages = tuple(InstalledPackage(Purl.parse(each.purl), each.files) for each in entry.packages)
        purl = f"pkg:oci/{name.rpartition('/')[2]}@{entry.digest}"
        return cls(name, entry.digest, purl, packages, entry.generated)

    @property
    def owners(self) -> dict[str, Purl]:
        """The package of each path that has one."""
        return {path: package.purl for package in self.packages for path in package.files}

    def identifier(self, form: str) -> str:
        """Return the UUID of this image's document in one format, the same for ever."""
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{form} {self.digest}')}"


def require_complete(listing: SyftDocument, subject: SbomSubject) -> None:
    """Raise `ToolFailed` when Syft's own listing lacks a package or a file of the image, or has a file of nobody.

    A layer without directory entries makes Syft lose the Debian packages with exit code 0: that must not pass.
    """
    found = [Purl.parse(artifact.purl) for artifact in listing.artifacts if artifact.purl]
    paths = {each.location.path.lstrip("/") for each in listing.files or () if each.metadata.type in _FILES}
    wrong = [
        f"package {package.purl} is in the image, but not found"
        for package in subject.packages
        if not any(package.purl.same_package(each) for each in found)
    ]
    known = subject.owners.keys() | set(subject.generated)
    wrong += [f"file {path} is in the image, but not found" for path in sorted(known - paths)]
    wrong += [f"{path} belongs to no package" for path in sorted(paths - known)]
    if not subject.packages:
        wrong.append("the image lists no packages at all")
    if wrong:
        raise ToolFailed(
            f"the SBOM of {subject.name}@{subject.digest} is not complete",
            why=wrong[:20],
            remedy="an SBOM that misses something is worse than none: see sbom/log.txt and image/image.json",
        )


def cyclonedx(document: CycloneDxDocument, subject: SbomSubject) -> CycloneDxDocument:
    """Normalise a CycloneDX document, and put each file inside the component that it came with.

    Nesting is how CycloneDX says that one component is part of another (`component.components`).
    """
    owners = subject.owners
    parts: dict[Purl, list[CycloneDxPart]] = defaultdict(list)
    top: list[CycloneDxPart] = []
    for component in document.components:
        owner = owners.get(component.name.lstrip("/")) if component.type == "file" else None
        (parts[owner] if owner else top).append(component)
    whole = CycloneDxPart(
        ref=subject.purl, type="container", name=subject.name, purl=subject.purl, version=str(subject.digest)
    )
    return document.model_copy(
        update={
            "serial": subject.identifier("cyclonedx"),
            "metadata": document.metadata.model_copy(update={"timestamp": _TIME, "component": whole}),
            "components": tuple(sorted((_with_parts(each, parts) for each in top), key=_by_name)),
        }
    )


def _with_parts(component: CycloneDxPart, parts: Mapping[Purl, Sequence[CycloneDxPart]]) -> CycloneDxPart:
    purl = Purl.parse(component.purl) if component.purl else None
    inside = [file for owner, files in parts.items() if purl and purl.same_package(owner) for file in files]
    return component.model_copy(update={"components": tuple(sorted(inside, key=_by_name))}) if inside else component


def _by_name(component: CycloneDxPart) -> tuple[str, str, str]:
    return component.type, component.name, component.ref


def spdx(document: SpdxDocument, subject: SbomSubject) -> SpdxDocument:
    """Normalise an SPDX document, and relate each file to the package that it came with, or to the image itself.

    Directories and links go: Syft gives them a checksum of zeros, which is no checksum of anything.
    """
    files = [file for file in document.files if file.sha1 != _NO_CONTENT]
    gone = {file.id for file in document.files} - {file.id for file in files}
    own = _own_files(document, subject, {file.name: file for file in files})
    contains = [
        SpdxRelationship(element=package, type=_CONTAINS, related=file.id)
        for package, inside in own.items()
        for file in inside
    ]
    other = [
        each
        for each in document.relationships
        if not {each.element, each.related} & gone and not (each.type == _CONTAINS and each.related not in own)
    ]
    creators = (*document.creation.creators, "Tool: supply-chain-pipeline")
    return document.model_copy(
        update={
            "namespace": subject.identifier("spdx"),
            "creation": document.creation.model_copy(update={"created": _TIME, "creators": creators}),
            "packages": tuple(_with_files(package, own[package.id]) for package in document.packages),
            "files": tuple(sorted(files, key=lambda file: file.name)),
            "relationships": tuple(sorted(contains + other, key=_by_keys)),
        }
    )


def _by_keys(relationship: SpdxRelationship) -> list[tuple[str, str]]:
    return sorted(relationship.model_dump(by_alias=True, exclude_unset=True).items())


def _own_files(
    document: SpdxDocument, subject: SbomSubject, by_path: Mapping[str, SpdxFile]
) -> dict[str, list[SpdxFile]]:
    """Return the files of each package by its identifier; those of no package are the image's own."""
    (image,) = (each.related for each in document.relationships if each.type == "DESCRIBES")
    own = {package.id: _paths(package, subject) for package in document.packages}
    own[image] = by_path.keys() - subject.owners.keys()
    return {package: [by_path[path] for path in sorted(paths) if path in by_path] for package, paths in own.items()}


def _paths(package: SpdxPackage, subject: SbomSubject) -> Set[str]:
    purls = [Purl.parse(each.locator) for each in package.references if each.type == "purl"]
    return {
        path for each in subject.packages for path in each.files if any(each.purl.same_package(purl) for purl in purls)
    }


def _with_files(package: SpdxPackage, own: Sequence[SpdxFile]) -> SpdxPackage:
    if not own:
        return package.model_copy(update={"analyzed": False, "code": None})
    code = hashlib.sha1("".join(sorted(file.sha1 for file in own)).encode(), usedforsecurity=False).hexdigest()
    return package.model_copy(update={"analyzed": True, "code": SpdxCode(value=code)})
