"""Fetch locked Debian packages: with apt as an unprivileged user, else from the mirror that the user names.

A stable release replaces versions at its point releases, and mirrors then drop the old file; so neither origin is
relied on, and only the sha256 is believed.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import anyio

from shipseal.address import Address
from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, ToolFailed, VerificationFailed
from shipseal.locked.arriving import Count, counted
from shipseal.locked.debian import DebianPackage
from shipseal.locked.store import Store
from shipseal.tools import download
from shipseal.tools.environment import find
from shipseal.tools.toolbox import Toolbox

MIRROR = "DEBIAN_MIRROR"
"""The environment variable that names a mirror by its address, below which the lock's paths are found."""

_SECONDS = 600
_CHUNK = 1 << 20
_ARCHITECTURES = "amd64,arm64"


def filename(package: DebianPackage) -> str:
    """Return the name that a package has in the store: its name in the pool, which leaves the epoch out."""
    return unquote(package.path.rpartition("/")[2])


async def fetch_packages(
    tools: Toolbox,
    store: Store,
    missing: Sequence[DebianPackage],
    environment: Mapping[str, str],
    say: Callable[[str], None],
    count: Count | None = None,
) -> None:
    """Put Debian packages into the store.

    Args:
        tools: `apt-get` is used where this machine has it.
        store: where the packages go.
        missing: what to fetch.
        environment: where `DEBIAN_MIRROR` is looked up.
        say: told which origin is asked.
        count: told how many bytes of apt's have come.

    Raises:
        RemoteFailed: some were found nowhere; each origin's answer is in `why`.
        VerificationFailed: apt or the mirror has other bytes than the lock names, and nobody has the right ones.
    """
    answers: list[str] = []
    others: list[str] = []
    if find("apt-get"):
        say(f"asking apt for {len(missing)} Debian packages")
        answers, others = await _from_apt(tools, store, missing, count)
    else:
        answers.append("apt: not on this machine")
    left = [package for package in missing if not store.has(package.digest)]
    mirror = environment.get(MIRROR, "").rstrip("/")
    if left and mirror:
        say(f"asking {MIRROR} for {len(left)} Debian packages")
        answers += [answer for package in left if (answer := await _from_mirror(store, package, mirror))]
    left = [package for package in left if not store.has(package.digest)]
    if left and others:
        raise VerificationFailed("apt has other bytes than the lock names", why=others)
    if left:
        raise RemoteFailed(
            f"{len(left)} Debian packages were found nowhere: {', '.join(sorted({item.name for item in left}))}",
            why=[*answers, *([] if mirror else [f"{MIRROR}: not set"])],
            remedy=f"name a mirror that keeps old versions by {MIRROR}, or lock newer ones by `update-locks`",
        )


async def _from_apt(
    tools: Toolbox, store: Store, missing: Sequence[DebianPackage], count: Count | None
) -> tuple[list[str], list[str]]:
    """Ask apt in a root of its own, with this machine's sources and keys; return what it had against it."""
    with tempfile.TemporaryDirectory(prefix="apt-") as scratch:
        options, downloads = private_root(Path(scratch))
        try:
            await tools.run("apt-get", *options, "update", "-qq", timeout=_SECONDS)
        except ToolFailed as failure:
            return [f"apt: {line}" for line in failure.why], []
        async with counted(downloads, sum(item.size for item in missing), count):
            answers = await _download(tools, options, downloads, missing)
        if answers and len(missing) > 1:  # one version that is gone makes apt refuse them all
            answers = [answer for item in missing for answer in await _download(tools, options, downloads, [item])]
        return answers, _take(downloads, store, missing)


async def _download(
    tools: Toolbox, options: list[str], downloads: Path, packages: Sequence[DebianPackage]
) -> list[str]:
    try:
        await tools.run(
            "apt-get", *options, "download", "-qq", "--", *map(_named, packages), cwd=downloads, timeout=_SECONDS
        )  # fmt: skip
    except ToolFailed as failure:
        return [f"apt: {line}" for line in failure.why[:1]]
    return []


def private_root(root: Path) -> tuple[list[str], Path]:
    """Make what apt needs to work without root: its own state and cache, and nothing installed."""
    for directory in ("state/lists/partial", "cache/archives/partial", "downloads"):
        (root / directory).mkdir(parents=True)
    (root / "status").touch()
    settings = {
        "Dir::State": root / "state",
        "Dir::State::status": root / "status",
        "Dir::Cache": root / "cache",
        "APT::Architecture": "amd64",
        "APT::Architectures": _ARCHITECTURES,
        "APT::Sandbox::User": "root",  # that is: do not try to become _apt
        "Acquire::Languages": "none",
    }
    return [option for key, value in settings.items() for option in ("-o", f"{key}={value}")], root / "downloads"


def _named(package: DebianPackage) -> str:
    architecture = "" if package.architecture == "all" else f":{package.architecture}"
    return f"{package.name}{architecture}={package.version}"


def _take(downloads: Path, store: Store, missing: Sequence[DebianPackage]) -> list[str]:
    """Add what came, known by its sha256: apt's file names differ from the pool's. Return what is said of the rest."""
    wanted = {package.digest: package for package in missing}
    others: list[str] = []
    for path in sorted(downloads.iterdir()):
        package = wanted.get(found := Digest.of_file(path))
        if package:
            with path.open("rb") as stream:
                store.receive(stream, filename(package), package.digest)
        else:
            others.append(f"apt: {path.name} is not what the lock names: {found}")
    return others


async def _from_mirror(store: Store, package: DebianPackage, mirror: str) -> str:
    """Fetch one package by its path; return what was wrong, or nothing."""
    try:
        address = Address.parse(f"{mirror}/{package.path}")
        await anyio.to_thread.run_sync(_get, address, store, package)
    except download.FAILURES as failure:
        return f"{MIRROR}: {package.name}: {download.failure_text(failure)}"
    return ""


def _get(address: Address, store: Store, package: DebianPackage) -> None:
    """Fetch a package; what has another length is no other package: a mirror's page about itself, or a cut answer."""
    with download.answer(address) as answer, tempfile.TemporaryFile() as file:
        while (left := package.size + 1 - file.tell()) and (chunk := answer.read(min(_CHUNK, left))):
            file.write(chunk)
        if file.tell() != package.size:
            more = "more than " if file.tell() > package.size else ""
            of = f", of {found}" if (found := answer.headers.get("Content-Type", "")) else ""
            raise ValueError(f"its answer has {more}{min(file.tell(), package.size)} bytes{of}, not {package.size}")
        file.seek(0)
        store.receive(file, filename(package), package.digest)
