"""Lock the Debian packages again: the newest version of each that apt knows, with the libraries that it has."""

import io
import re
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import anyio.to_thread

from shipseal.digest import Digest
from shipseal.errors import ConfigError, RemoteFailed, SubjectFailed, ToolFailed
from shipseal.formats import deb, elf
from shipseal.locked.debian import DebianPackage
from shipseal.locked.fetch_debian import filename, private_root
from shipseal.locked.store import Store
from shipseal.relocking import debian_lock
from shipseal.relocking.debian_lock import Key
from shipseal.tools.toolbox import Toolbox

_SECONDS = 600
# By default apt takes a mirror that is down for one that has nothing new (apt.conf(5), `APT::Update::Error-Mode`).
_EVERY_LIST = ("-o", "APT::Update::Error-Mode=any")
# Where the loader looks by itself (ld.so(8)): what lies deeper are plug-ins that nobody asks for by name.
_LIBRARY = re.compile(r"(usr/)?lib(64)?/([a-z0-9_]+-linux-gnu/)?[^/]+\.so[^/]*")
# A line of `apt-get download --print-uris`; the address may be any mirror's.
_ADDRESS = re.compile(r"^'\w+:[^']*/(?P<path>debian(?:-security)?/pool/[^']+\.deb)' (?P<file>\S+) \d+", re.MULTILINE)
_FIELD = re.compile(r"^(Package|Source|Version|Architecture): (.*)$", re.MULTILINE)
# What apt says, and what that means to whoever keeps the lock.
_REMEDIES = {
    "Unable to locate package": "correct the name in the lock: the suite has no such package",
    "Can't find a source to download version": "no mirror has this version or a newer one: a mirror that is behind the "
    "lock has to catch up, and a package that has left the suite has to leave the lock",
}


async def relock_debian(
    tools: Toolbox, store: Store, text: str, say: Callable[[str], None], name: str = "debian.lock.toml"
) -> str:
    """Ask apt for the newest version of every package that the lock names; return the lock with those.

    A package that has no more than a name and an architecture is locked from now on.

    Raises:
        RemoteFailed: a mirror does not answer, does not have a package, or has only older ones than the lock.
        ToolFailed: this machine has no apt.
        ConfigError: this machine's apt is of another suite, or the lock cannot be read or kept in its form.
    """
    old, wanted = debian_lock.read(text, name)
    _check_suite(old.suite, Path("/etc/os-release"))
    if not wanted:
        return text
    tools.path("apt-get")  # that there is none is no remote's fault
    say(f"asking apt for {len(wanted)} Debian packages")
    try:
        brought = await _bring(tools, store, old.packages, wanted)
    except ToolFailed as failure:
        raise _refused(failure, old.suite) from failure
    if missing := [key for key in wanted if key not in brought]:
        raise _unexpected(missing, brought)
    return debian_lock.rewrite(text, {key: brought[key] for key in wanted})


async def _bring(
    tools: Toolbox, store: Store, installed: Sequence[DebianPackage], wanted: Sequence[Key]
) -> dict[Key, DebianPackage]:
    with tempfile.TemporaryDirectory(prefix="apt-") as scratch:
        options, downloads = private_root(Path(scratch))
        # To apt the lock is what is installed here, so that it never takes an older version for the newest.
        (Path(scratch) / "status").write_text("".join(map(_paragraph, installed)), encoding="utf-8")
        await tools.run("apt-get", *options, *_EVERY_LIST, "update", "-qq", timeout=_SECONDS)
        names = [name if architecture == "all" else f"{name}:{architecture}" for name, architecture in wanted]
        listed = await tools.run(
            "apt-get", *options, "download", "--print-uris", "--", *names, cwd=downloads, timeout=_SECONDS
        )  # fmt: skip
        await tools.run("apt-get", *options, "download", "-qq", "--", *names, cwd=downloads, timeout=_SECONDS)
        addresses = [match.groupdict() for match in _ADDRESS.finditer(listed.stdout.decode())]
        packages = await anyio.to_thread.run_sync(_describe, downloads, addresses, store)
    return {(package.name, package.architecture): package for package in packages}


def _paragraph(package: DebianPackage) -> str:
    return (
        f"Package: {package.name}\nStatus: install ok installed\nVersion: {package.version}\n"
        f"Architecture: {package.architecture}\n\n"
    )


def _refused(failure: ToolFailed, suite: str) -> RemoteFailed:
    said = "\n".join(failure.why)
    return RemoteFailed(
        f"apt cannot bring the newest Debian packages of {suite}",
        why=failure.why or failure.what,
        remedy=next(
            (remedy for sign, remedy in _REMEDIES.items() if sign in said),
            "see whether the mirrors of /etc/apt can be reached, or try again later",
        ),
    )


def _unexpected(missing: Sequence[Key], brought: Collection[Key]) -> ConfigError:
    if not brought:
        return ConfigError(
            "apt's mirror keeps its packages where no lock can say",
            why="no address of theirs has debian/pool/ or debian-security/pool/ in it",
            remedy="name a mirror in /etc/apt that has the directories of Debian's own",
        )
    names = {name for name, _ in missing}
    return ConfigError(
        f"apt brought no {', '.join(f'{name} for {architecture}' for name, architecture in missing)}",
        why=[f"it brought {name} for {each}" for name, each in sorted(brought) if name in names],
        remedy="correct the architecture in the lock, or take the package out",
    )


def _describe(downloads: Path, addresses: list[dict[str, str]], store: Store) -> list[DebianPackage]:
    return [_package(downloads / address["file"], address["path"], store) for address in addresses]


def _package(file: Path, path: str, store: Store) -> DebianPackage:
    """Describe a package by what is in it, and keep it: the next run will want it."""
    content = file.read_bytes()
    control = deb.control(io.BytesIO(content), file.name)["control"].decode()
    fields: Mapping[str, str] = dict(_FIELD.findall(control))
    package = DebianPackage(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        digest=Digest.of(content),
        size=len(content),
        path=path,
        libraries=tuple(sorted(_sonames(content, file.name))),
        source=fields.get("Source", fields["Package"]),
    )
    store.receive(io.BytesIO(content), filename(package), package.digest)
    return package


def _sonames(content: bytes, name: str) -> set[str]:
    """Return the names by which others can ask for a shared library of the package."""
    found = set()
    for member in deb.members(io.BytesIO(content), name):
        if member.stream is None or not _LIBRARY.fullmatch(member.path):
            continue
        try:
            found.add(elf.read(io.BytesIO(member.stream.read()), member.path).soname)
        except SubjectFailed:  # a linker script: its name only looks like a library's
            continue
    return found - {""}


def _check_suite(suite: str, release: Path) -> None:
    here = re.search(r"^VERSION_CODENAME=(\w+)$", release.read_text() if release.exists() else "", re.MULTILINE)
    if here is None or here[1] != suite:
        raise ConfigError(
            f"the Debian packages are of {suite}, and this machine is not",
            why=f"/etc/os-release says {here[1] if here else 'nothing of Debian'}",
            remedy=f"run this on Debian {suite} or in a container of it; `update-locks python` "
            f"makes the other locks alone",
        )
