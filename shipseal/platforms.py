"""Name a platform that images are made for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from shipseal.errors import UsageError


@dataclass(frozen=True)
class Platform:
    """A platform that images are written for: Linux on an architecture, by the name that Go and OCI have for that."""

    architecture: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `linux/ARCHITECTURE`; raise `UsageError` for a platform that nothing is written for here."""
        system, _, name = text.partition("/")
        if system != "linux" or name not in {"amd64", "arm64"}:
            raise UsageError(f"no image can be made for {text}", remedy="give linux/amd64, linux/arm64 or both")
        return cls(name)

    def __str__(self) -> str:
        return f"linux/{self.architecture}"

    @property
    def directory(self) -> str:
        """What a directory for it is called."""
        return f"linux-{self.architecture}"

    @property
    def oci(self) -> dict[str, str]:
        """The platform as descriptors and configurations have it (OCI image specification, image-index.md)."""
        # The only arm64 variant there is; containerd's platform matching normalises to it.
        variant = {"variant": "v8"} if self.architecture == "arm64" else {}
        return {"os": "linux", "architecture": self.architecture, **variant}


def platform_name(descriptor: Mapping[str, Any]) -> str:
    """Return the platform of a descriptor in an index, as `linux/arm64`; v8 is the only arm64, and goes unsaid."""
    platform = descriptor.get("platform") or {}
    parts = [platform.get("os"), platform.get("architecture"), platform.get("variant")]
    if parts[1:] == ["arm64", "v8"]:
        parts.pop()
    return "/".join(part for part in parts if part)
