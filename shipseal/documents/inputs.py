"""What `inputs` leaves: everything locked that comes from outside, by name and digest. Pure."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from shipseal.digest import Digest
from shipseal.documents.document import DigestText, Document, Part


class InputWheel(Part):
    """A wheel of the store."""

    name: str
    version: str
    filename: str
    digest: DigestText


class InputPackage(Part):
    """A Debian package of the store."""

    name: str
    version: str
    architecture: str
    filename: str
    digest: DigestText


class InputTool(Part):
    """A tool as the lock names it for this machine."""

    version: str
    digest: DigestText


class InputsDocument(Document):
    """`inputs/inputs.json`.

    Args:
        wheels: by purpose (`build`, `runtime`, `test`) or platform; those of a suite as `suite/PLATFORM`.
        debian: by platform, those of a suite as `suite/PLATFORM`; `sandbox` is what `smoke` may start images in.
        tools: by name.
    """

    STAGE: ClassVar = "inputs"
    NAME: ClassVar = "inputs.json"

    wheels: Mapping[str, tuple[InputWheel, ...]]
    debian: Mapping[str, tuple[InputPackage, ...]]
    tools: Mapping[str, InputTool]

    def digests(self) -> Iterator[Digest]:
        """Yield the digest of everything that it names; what two groups have comes twice."""
        yield from (wheel.digest for group in self.wheels.values() for wheel in group)
        yield from (package.digest for group in self.debian.values() for package in group)
        yield from (tool.digest for tool in self.tools.values())
