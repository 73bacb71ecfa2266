"""Fetch locked wheels with pip, as this user has set pip up: its index, proxy and certificates are the user's own."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, ToolFailed, VerificationFailed
from shipseal.locked.locks import Requirement
from shipseal.locked.store import Store
from shipseal.locked.wheels import WheelTarget
from shipseal.tools.toolbox import Toolbox

_SECONDS = 1800
_OTHER_BYTES = "DO NOT MATCH THE HASHES"  # pip's words (pip, _internal/exceptions.py, HashMismatch)


async def fetch_wheels(tools: Toolbox, store: Store, missing: Sequence[Requirement], target: WheelTarget) -> None:
    """Put the wheel of each requirement for a target into the store; nothing is compiled from sources.

    Args:
        tools: `python` is used.
        store: where the wheels go.
        missing: what to fetch, its markers already judged: pip would judge them for this machine, not for the target.
        target: where the wheels will be installed.

    Raises:
        RemoteFailed: the index has no wheel that the lock allows and the target takes, or does not answer.
        VerificationFailed: the index has a wheel of this name with other bytes.
    """
    with tempfile.TemporaryDirectory(prefix="wheels-") as scratch:
        lock, downloads = _write_lock(Path(scratch, "requirements.txt"), missing), Path(scratch, "downloads")
        try:
            await tools.run(
                "python", "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check",
                "--retries", "2", "--no-deps", "--require-hashes", "--only-binary", ":all:",
                "--dest", downloads, "--requirement", lock, *_platform(target), timeout=_SECONDS,
            )  # fmt: skip
        except ToolFailed as failure:
            if any(_OTHER_BYTES in line for line in failure.why):
                raise VerificationFailed("the index has other bytes than the lock names", why=failure.why) from failure
            raise RemoteFailed(
                f"pip could not fetch {len(missing)} wheels for {target.name}",
                why=failure.why,
                remedy="if a package has no wheel for it, lock a version that has: nothing is "
                "compiled from sources; what "
                "is for another platform alone says so where it is asked for: `pywin32 ; sys_platform == 'win32'`",
            ) from failure
        _take(downloads, store, missing)


def _write_lock(path: Path, missing: Sequence[Requirement]) -> Path:
    lines = (
        " ".join([f"{requirement.name}=={requirement.version}", *(f"--hash={digest}" for digest in requirement.hashes)])
        for requirement in missing
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _take(downloads: Path, store: Store, missing: Sequence[Requirement]) -> None:
    """Add each wheel, checking again what pip has checked: that the lock allows this file."""
    for wheel in sorted(downloads.iterdir()):
        digest = Digest.of_file(wheel)
        if not any(digest in requirement.hashes for requirement in missing):
            raise RemoteFailed(f"pip brought {wheel.name}, whose sha256 no lock names", why=str(digest))
        store.add(wheel, digest)


def _platform(target: WheelTarget) -> list[str]:
    """Say which target is meant; without these options pip takes what fits the interpreter that runs it."""
    if not target.platforms:
        return []
    version = target.interpreter.removeprefix("cp")
    platforms = [option for platform in target.platforms for option in ("--platform", platform)]
    return ["--implementation", "cp", "--python-version", version, "--abi", target.interpreter, *platforms]
