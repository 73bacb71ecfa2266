"""List what an image will hold by its locks alone, before anything is built, in the words that scanners know. Pure.

purl-spec, types `deb` and `pypi`. Debian's advisories go by source packages, which Grype takes from `upstream`, and by
releases, which it takes from `distro`; both are as Syft writes them for a finished image.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from shipseal.errors import ConfigError
from shipseal.locked import locks, wheels
from shipseal.locked.debian import DebianPackage, Lock
from shipseal.locked.locks import Requirement
from shipseal.platforms import Platform
from shipseal.purl import Purl

_RELEASES = {"bullseye": "11", "bookworm": "12", "trixie": "13"}


def inventory(
    lock: Lock, requirements: Iterable[Requirement], platform: str, extra: Iterable[str] = ()
) -> tuple[Purl, ...]:
    """Return the packages of an image for one platform.

    Args:
        lock: the Debian packages.
        requirements: the service's wheels for all platforms.
        platform: as OCI names it.
        extra: names of Debian packages besides the lock's base; those that it does not have are left out.

    Raises:
        ConfigError: no advisories are known to go by the lock's suite.
    """
    if lock.suite not in _RELEASES:
        raise ConfigError(
            f"nobody knows which release of Debian {lock.suite} is", remedy="add it to scanning/inventory.py"
        )
    names, fitting = {*lock.base, *extra}, {Platform.parse(platform).architecture, "all"}
    distro = lock.runtime.name
    debian = [_deb(each, distro) for each in lock.packages if each.name in names and each.architecture in fitting]
    applying = locks.applying(requirements, wheels.image(platform, lock.runtime).environment)
    return (*debian, *(Purl("pypi", "", each.name, each.version) for each in applying))


def with_sources(lock: Lock, other: Lock) -> Lock:
    """Return a lock in which packages that do not say their source have that of the same package in another lock."""
    known = {package.name: package.source.partition(" ")[0] for package in other.packages}
    packages = (
        package if package.source else replace(package, source=known.get(package.name, "")) for package in lock.packages
    )
    return replace(lock, packages=tuple(packages))


def document(packages: Iterable[Purl]) -> dict[str, Any]:
    """Return packages as an SBOM in CycloneDX 1.6."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": [_component(package) for package in packages],
    }


def _component(package: Purl) -> Mapping[str, str]:
    purl = f"{package}?{urlencode(package.qualifiers)}" if package.qualifiers else str(package)
    return {"type": "library", "name": package.name, "version": package.version, "purl": purl, "bom-ref": purl}


def _deb(package: DebianPackage, distro: str) -> Purl:
    name, _, version = package.source.partition(" ")
    upstream = f"{name}@{version.strip('()')}" if version else name
    qualifiers = {"arch": package.architecture, "distro": distro, "upstream": upstream}
    return Purl(
        "deb", "debian", package.name, package.version, tuple(sorted((k, v) for k, v in qualifiers.items() if v))
    )
