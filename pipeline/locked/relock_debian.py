"""Lock the Debian packages again: the newest version of each that apt knows, with the libraries that it has."""

import io
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio.to_thread

from pipeline.digest import Digest
from pipeline.errors import ConfigError, SubjectFailed, ToolFailed
from pipeline.image import deb, elf
from pipeline.locked.debian import Lock, Package
from pipeline.locked.fetch_debian import filename, private_root
from pipeline.locked.store import Store
from pipeline.toolbox import Toolbox

_SECONDS = 600
# Where the loader looks by itself (ld.so(8)): what lies deeper are plug-ins that nobody asks for by name.
_LIBRARY = re.compile(r"(usr/)?lib(64)?/([a-z0-9_]+-linux-gnu/)?[^/]+\.so[^/]*")
# A line of `apt-get download --print-uris`; the address may be any mirror's.
_ADDRESS = re.compile(r"^'\w+:[^']*/(?P<path>debian(?:-security)?/pool/[^']+\.deb)' (?P<file>\S+) \d+", re.MULTILINE)


async def relock_debian(tools: Toolbox, store: Store, text: str, say: Callable[[str], None]) -> str:
    """Ask apt for the newest version of every package that the lock names; return the lock with those.

    Raises:
        ToolFailed: apt cannot bring a package.
        ConfigError: this machine's apt is of another suite.
    """
    old = Lock.parse(text)
    _check_suite(old.suite, Path("/etc/os-release"))
    names = sorted({(package.name, package.architecture) for package in old.packages})
    with tempfile.TemporaryDirectory(prefix="apt-") as scratch:
        options, downloads = private_root(Path(scratch))
        await tools.run("apt-get", *options, "update", "-qq", timeout=_SECONDS)
        wanted = [name if architecture == "all" else f"{name}:{architecture}" for name, architecture in names]
        say(f"asking apt for {len(wanted)} Debian packages")
        listed = await tools.run("apt-get", *options, "download", "--print-uris", *wanted, cwd=downloads)
        await tools.run("apt-get", *options, "download", "-qq", *wanted, cwd=downloads, timeout=_SECONDS)
        addresses = [match.groupdict() for match in _ADDRESS.finditer(listed.stdout.decode())]
        packages = await anyio.to_thread.run_sync(_describe, downloads, addresses, store)
    missing = {name for name, _ in names} - {package.name for package in packages}
    if missing:
        raise ToolFailed(f"apt brought no {', '.join(sorted(missing))}", why=listed.stderr.decode().splitlines()[-5:])
    comments = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("#"))
    return comments + _render(old, sorted(packages))


def _describe(downloads: Path, addresses: list[dict[str, str]], store: Store) -> list[Package]:
    return [_package(downloads / address["file"], address["path"], store) for address in addresses]


def _package(file: Path, path: str, store: Store) -> Package:
    """Describe a package by what is in it, and keep it: the next run will want it."""
    content = file.read_bytes()
    control = deb.control(io.BytesIO(content), file.name)["control"].decode()
    fields: Mapping[str, str] = dict(re.findall(r"^(Package|Version|Architecture): (.*)$", control, re.MULTILINE))
    digest = Digest.of(content)
    libraries = tuple(sorted(_sonames(content, file.name)))
    size = len(content)
    package = Package(fields["Package"], fields["Version"], fields["Architecture"], digest, size, path, libraries)
    store.receive(io.BytesIO(content), filename(package), digest)
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


def _render(old: Lock, packages: Sequence[Package]) -> str:
    lines = [f'suite = "{old.suite}"', f'python = "{old.python}"', f"base = {json.dumps(list(old.base))}"]
    for package in packages:
        lines += ["", "[[package]]"]
        lines += [f'{key} = "{getattr(package, key)}"' for key in ("name", "version", "architecture")]
        lines += [f'sha256 = "{package.digest.hex}"', f"size = {package.size}", f'path = "{package.path}"']
        lines += [f"libraries = {json.dumps(list(package.libraries))}"] if package.libraries else []
    return "\n".join(lines) + "\n"


def _check_suite(suite: str, release: Path) -> None:
    here = re.search(r"^VERSION_CODENAME=(\w+)$", release.read_text() if release.exists() else "", re.MULTILINE)
    if here is None or here[1] != suite:
        raise ConfigError(
            f"the Debian packages are of {suite}, and this machine is not",
            why=f"/etc/os-release says {here[1] if here else 'nothing of Debian'}",
            do=f"run this on Debian {suite} or in a container of it",
        )
