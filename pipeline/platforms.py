"""Name a platform that images are made for. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import UsageError


def architecture(platform: str) -> str:
    """Return the architecture of `linux/ARCHITECTURE`; raise `UsageError` for a platform that is not written here."""
    system, _, name = platform.partition("/")
    if system != "linux" or name not in {"amd64", "arm64"}:
        raise UsageError(f"no image can be made for {platform}", do="give linux/amd64, linux/arm64 or both")
    return name


def platform_fields(platform: str) -> dict[str, str]:
    """Return a platform as descriptors and configurations have it; raise `UsageError` like `architecture`."""
    name = architecture(platform)
    # The only arm64 variant there is; containerd's platform matching normalises to it.
    return {"os": "linux", "architecture": name} | ({"variant": "v8"} if name == "arm64" else {})


def platform_name(descriptor: Mapping[str, Any]) -> str:
    """Return the platform of a descriptor in an index, as `linux/arm64`; v8 is the only arm64, and goes unsaid."""
    platform = descriptor.get("platform") or {}
    parts = [platform.get("os"), platform.get("architecture"), platform.get("variant")]
    if parts[1:] == ["arm64", "v8"]:
        parts.pop()
    return "/".join(part for part in parts if part)
