"""Make Syft's documents the same bytes for the same image, and hold them against what was put into it. Pure.

Formats: CycloneDX 1.6 (ECMA-424) and SPDX 2.3. Syft stamps each document with the time and a random number; both are
replaced by values that follow from the image's digest. The true time of the listing is in the stage's record.
"""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Self

from shipseal.digest import Digest
from shipseal.errors import ToolFailed
from shipseal.purl import Purl

Document = dict[str, Any]

_NO_CONTENT = "0" * 40  # what Syft gives as the SHA-1 of a directory or a link
_TIME = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Package:
    """A package that the image stage put into one platform's image, with the paths that came from it."""

    purl: Purl
    files: tuple[str, ...]


@dataclass(frozen=True)
class Subject:
    """What a document lists: one platform's image; `generated` are the paths that the image stage itself writes."""

    name: str
    digest: Digest
    purl: str
    packages: tuple[Package, ...]
    generated: tuple[str, ...] = ()

    @classmethod
    def of(cls, image: Mapping[str, Any], platform: str) -> Self:
        """Read a platform out of `image/image.json`."""
        entry = image["platforms"][platform]
        name, digest = image["reference"].partition("@")[0], Digest.parse(entry["digest"])
        packages = tuple(Package(Purl.parse(each["purl"]), tuple(each["files"])) for each in entry["packages"])
        purl = f"pkg:oci/{name.rpartition('/')[2]}@{digest}"
        return cls(name, digest, purl, packages, tuple(entry["generated"]))

    @property
    def owners(self) -> dict[str, Purl]:
        """The package of each path that has one."""
        return {path: package.purl for package in self.packages for path in package.files}

    def identifier(self, form: str) -> str:
        """Return the UUID of this image's document in one format, the same for ever."""
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{form} {self.digest}')}"


def require_complete(listing: Document, subject: Subject) -> None:
    """Raise `ToolFailed` when Syft's own listing lacks a package or a file of the image, or has a file of nobody.

    A layer without directory entries makes Syft lose the Debian packages with exit code 0: that must not pass.
    """
    found = [Purl.parse(artifact["purl"]) for artifact in listing["artifacts"] if artifact["purl"]]
    entries = listing.get("files") or ()
    paths = {entry["location"]["path"].lstrip("/") for entry in entries if _is_file(entry)}
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
            do="an SBOM that misses something is worse than none: see sbom/log.txt and image/image.json",
        )


def _is_file(entry: Document) -> bool:
    return entry.get("metadata", {}).get("type") in {"RegularFile", "SymbolicLink"}


def cyclonedx(document: Document, subject: Subject) -> Document:
    """Normalise a CycloneDX document, and put each file inside the component that it came with.

    Nesting is how CycloneDX says that one component is part of another (`component.components`).
    """
    owners = subject.owners
    parts: dict[Purl, list[Document]] = defaultdict(list)
    top: list[Document] = []
    for component in document["components"]:
        owner = owners.get(component["name"].lstrip("/")) if component["type"] == "file" else None
        (parts[owner] if owner else top).append(component)
    for component in top:
        purl = Purl.parse(component["purl"]) if component.get("purl") else None
        inside = [file for owner, files in parts.items() if purl and purl.same_package(owner) for file in files]
        if inside:
            component["components"] = sorted(inside, key=_by_name)
    metadata = {
        **document["metadata"],
        "timestamp": _TIME,
        "component": {
            "bom-ref": subject.purl,
            "type": "container",
            "name": subject.name,
            "version": str(subject.digest),
            "purl": subject.purl,
        },
    }
    serial = subject.identifier("cyclonedx")
    return {**document, "serialNumber": serial, "metadata": metadata, "components": sorted(top, key=_by_name)}


def _by_name(component: Document) -> tuple[str, str, str]:
    return component["type"], component["name"], component.get("bom-ref", "")


def spdx(document: Document, subject: Subject) -> Document:
    """Normalise an SPDX document, and relate each file to the package that it came with, or to the image itself.

    Directories and links go: Syft gives them a checksum of zeros, which is no checksum of anything.
    """
    files = [file for file in document["files"] if _sha1(file) != _NO_CONTENT]
    gone = {file["SPDXID"] for file in document["files"]} - {file["SPDXID"] for file in files}
    own = _own_files(document, subject, {file["fileName"]: file for file in files})
    packages = [_with_files(package, own[package["SPDXID"]]) for package in document["packages"]]
    contains = [
        {"spdxElementId": package, "relationshipType": "CONTAINS", "relatedSpdxElement": file["SPDXID"]}
        for package, inside in own.items()
        for file in inside
    ]
    other = [
        each
        for each in document["relationships"]
        if not {each["spdxElementId"], each["relatedSpdxElement"]} & gone
        and not (each["relationshipType"] == "CONTAINS" and each["relatedSpdxElement"] not in own)
    ]
    return {
        **document,
        "documentNamespace": subject.identifier("spdx"),
        "creationInfo": {
            **document["creationInfo"],
            "created": _TIME,
            "creators": [*document["creationInfo"]["creators"], "Tool: supply-chain-pipeline"],
        },
        "packages": packages,
        "files": sorted(files, key=lambda file: str(file["fileName"])),
        "relationships": sorted(contains + other, key=lambda each: sorted(each.items())),
    }


def _own_files(document: Document, subject: Subject, by_path: Mapping[str, Document]) -> dict[str, list[Document]]:
    """Return the files of each package by its identifier; those of no package are the image's own."""
    (image,) = (each["relatedSpdxElement"] for each in document["relationships"] if _describes(each))
    own = {package["SPDXID"]: _paths(package, subject) for package in document["packages"]}
    own[image] = by_path.keys() - subject.owners.keys()
    return {package: [by_path[path] for path in sorted(paths) if path in by_path] for package, paths in own.items()}


def _describes(relationship: Document) -> bool:
    return bool(relationship["relationshipType"] == "DESCRIBES")


def _paths(package: Document, subject: Subject) -> Set[str]:
    purls = [
        Purl.parse(reference["referenceLocator"])
        for reference in package.get("externalRefs", ())
        if reference["referenceType"] == "purl"
    ]
    return {
        path for each in subject.packages for path in each.files if any(each.purl.same_package(purl) for purl in purls)
    }


def _with_files(package: Document, own: Sequence[Document]) -> Document:
    if not own:
        return {key: value for key, value in package.items() if key != "packageVerificationCode"} | {
            "filesAnalyzed": False
        }
    code = hashlib.sha1("".join(sorted(map(_sha1, own))).encode(), usedforsecurity=False).hexdigest()
    return {**package, "filesAnalyzed": True, "packageVerificationCode": {"packageVerificationCodeValue": code}}


def _sha1(file: Document) -> str:
    sums: Sequence[Document] = file["checksums"]
    return next(str(each["checksumValue"]) for each in sums if each["algorithm"] == "SHA1")
