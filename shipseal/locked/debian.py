"""Read the lock of the runtime's Debian packages, and write what an image records of them. Pure.

An image without a package manager keeps its records in `var/lib/dpkg/status.d`, which scanners know: one paragraph a
package (deb-control(5)) and the MD5 of each of its files (dpkg's `md5sums`).
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shipseal import grammar
from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.errors import ConfigError
from shipseal.platforms import Platform
from shipseal.runtime import BOOKWORM, Runtime


@dataclass(frozen=True, order=True)
class DebianPackage:
    """One package as the lock names it.

    Args:
        architecture: `amd64`, `arm64` or `all`.
        size: bytes of the .deb.
        path: where a mirror keeps it, below the mirror's address.
        libraries: sonames of the shared libraries that it has.
        source: the source package it was built from, by which Debian's advisories go; `NAME (VERSION)` where that has
            a version of its own (deb-control(5), `Source`). Empty when the lock does not say.
    """

    name: str
    version: str
    architecture: str
    digest: Digest
    size: int
    path: str
    libraries: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Lock:
    """The packages that an image may hold; `base` is in every image, of the others those that are asked for."""

    suite: str
    python: str
    base: tuple[str, ...]
    packages: tuple[DebianPackage, ...]

    @classmethod
    def parse(cls, text: str, name: str = "debian.lock.toml") -> "Lock":
        """Read the lock; raise `ConfigError` when something is missing or is not what it should be."""
        try:
            return cls.of(tomllib.loads(text))
        except KeyError as error:
            raise ConfigError(f"{name} lacks {error}", remedy="make it again with `make update-locks`") from error
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"{name} cannot be read", why=str(error), remedy="make it again with `make update-locks`"
            ) from error

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Lock":
        """Take the lock out of its parsed TOML; raise `KeyError`, `TypeError` or `ValueError` where it is none."""
        packages = tuple(sorted(_package(entry, f"package {n}") for n, entry in enumerate(document["package"], 1)))
        base = texts(document["base"], grammar.DEBIAN_PACKAGE, "base")
        python = grammar.PYTHON.check(document["python"], "python")
        return cls(grammar.DEBIAN_SUITE.check(document["suite"], "suite"), python, base, packages)

    @property
    def runtime(self) -> Runtime:
        """The interpreter that these packages are.

        Raises:
            ConfigError: they are of several versions, or the Python that the lock names is none of them.
        """
        release = _upstream(self, "base-files").partition(".")[0]
        glibc = _upstream(self, "libc6").partition(".")[2].partition(".")[0]
        return Runtime(
            release or BOOKWORM.release,
            self.python,
            _upstream(self, f"python{self.python}-minimal") or f"{self.python}.0",
            int(glibc) if glibc.isdecimal() else BOOKWORM.glibc,
        )

    def select(self, platform: str, extra: Iterable[str] = ()) -> list[DebianPackage]:
        """Return the packages of an image for one platform, by name; raise `ConfigError` for a name not locked."""
        fitting = {package.name: package for package in self._fitting(platform)}
        names = {*self.base, *extra}
        if unknown := sorted(names - fitting.keys()):
            raise ConfigError(
                f"the package lock has no {', '.join(unknown)} for {platform}",
                why=f"it has {', '.join(sorted(fitting))}",
                remedy="correct image.extra-packages, or lock the package in the file that image.packages names",
            )
        return [fitting[name] for name in sorted(names)]

    def find(self, name: str, platform: str) -> tuple[DebianPackage, ...]:
        """Return the locked package of that name for a platform; nothing when there is none."""
        return tuple(package for package in self._fitting(platform) if package.name == name)

    def provider(self, library: str, platform: str) -> str:
        """Return the name of the locked package that has a shared library, or nothing when none has."""
        return next((package.name for package in self._fitting(platform) if library in package.libraries), "")

    def _fitting(self, platform: str) -> list[DebianPackage]:
        return [
            package
            for package in self.packages
            if package.architecture in {Platform.parse(platform).architecture, "all"}
        ]


def _upstream(lock: Lock, name: str) -> str:
    """Return the version that Debian's is made from (deb-version(7)), nothing for a package that is not locked."""
    found = {package.version for package in lock.packages if package.name == name}
    versions = {each.partition(":")[2] or each for each in found}
    upstream = {re.split(r"[-+~]", each, maxsplit=1)[0] for each in versions}
    if len(upstream) > 1:
        raise ConfigError(
            f"the package lock has {name} in several versions",
            why=f"{', '.join(sorted(found))}: an image has one Python on every platform",
            remedy="lock the same version for each architecture",
        )
    return next(iter(upstream), "")


def digest(packages: Iterable[DebianPackage]) -> Digest:
    """Return the digest of what an image takes from the lock; the rest of the file does not count."""
    return Digest.of(canonical(sorted([p.name, p.version, p.architecture, str(p.digest)] for p in packages)))


def named(entry: Mapping[str, Any], where: str) -> tuple[str, str]:
    """Return the name and the architecture of an entry; raise `KeyError`, `TypeError` or `ValueError` without."""
    return (
        grammar.DEBIAN_PACKAGE.check(entry["name"], f"{where}: name"),
        grammar.DEBIAN_ARCHITECTURE.check(entry["architecture"], f"{where}: architecture"),
    )


def texts(value: Any, form: grammar.Form, key: str) -> tuple[str, ...]:
    """Return a list of texts of one form; raise `ValueError` for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"{key} is not a list")
    return tuple(form.check(each, key) for each in value)


def _bytes(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{key} is not a number of bytes: {value!r}"[:200])
    return value


def _package(entry: Mapping[str, Any], where: str) -> DebianPackage:
    name, architecture = named(entry, where)
    where = f"{where} ({name})"
    return DebianPackage(
        name,
        grammar.DEBIAN_VERSION.check(entry["version"], f"{where}: version"),
        architecture,
        Digest("sha256", grammar.SHA256.check(entry["sha256"], f"{where}: sha256")),
        _bytes(entry["size"], f"{where}: size"),
        grammar.DEBIAN_PATH.check(entry["path"], f"{where}: path"),
        texts(entry.get("libraries", ()), grammar.SONAME, f"{where}: libraries"),
        grammar.DEBIAN_SOURCE.check(entry.get("source", ""), f"{where}: source"),
    )


def status(paragraph: bytes, kept: int, had: int) -> bytes:
    """Return a package's entry of `status.d`; one whose files are not all in the image says so (deb-control(5))."""
    said = f"Trimmed: {kept} of {had} files are in this image\n" if kept != had else ""
    return paragraph.rstrip(b"\n") + b"\n" + said.encode()


def md5sums(sums: Mapping[str, str]) -> bytes:
    """Return a list of paths with their MD5, in the form of a package's own `md5sums`."""
    return "".join(f"{md5}  {path}\n" for path, md5 in sorted(sums.items())).encode()
