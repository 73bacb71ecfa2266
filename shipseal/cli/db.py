"""`db update|import`: get a vulnerability database, the only ways in. `scan` never downloads one.

Where a verdict names a database by its checksum, `--checksum` takes that one and no other.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from shipseal.address import Address, without_secrets
from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.growing import growing
from shipseal.cli.verbs import Verbs
from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, UsageError, VerificationFailed
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import default_root
from shipseal.project.config import Config
from shipseal.scanning.grype import IDENTITY, Grype, Identity
from shipseal.tools import download
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox


def add(verbs: Verbs) -> None:
    """Describe the verb and its two actions."""
    verb = verbs.add_parser("db", help="get a vulnerability database", description=__doc__)
    actions = verb.add_subparsers(dest="action", required=True, metavar="update|import")
    update = actions.add_parser("update", help="download the latest one, checked against its listing")
    update.add_argument(
        "--from", dest="listing", default="", metavar="URL", help="a mirror's latest.json; default: Anchore's"
    )
    update.set_defaults(verb=_update)
    take = actions.add_parser("import", help="take one from a file: an archive or a vulnerability.db of Grype")
    take.add_argument("file", type=Path, metavar="FILE", help="as a mirror has it, or out of another cache")
    take.set_defaults(verb=_import)
    for action in (update, take):
        action.add_argument(
            "--into", type=Path, metavar="DIR", help="default: [scan] database, else a directory of the user's cache"
        )
        action.add_argument(
            "--checksum", metavar="sha256:…", help="take the file that a verdict names so, and no other"
        )
        shared.common(action)


def _update(options: argparse.Namespace) -> int:
    listing = _settled(options.listing) if options.listing else ""
    return _get(options, lambda grype: grype.update(listing))


def _settled(listing: str) -> str:
    """Return where a mirror's listing is in the end: Grype would follow a redirect out of https as well.

    Raises:
        UsageError: it is no address of https, or leads away from it; of http, loopback alone is taken.
        RemoteFailed: nobody answers there.
    """
    try:
        address = Address.parse(listing)
        address.require_private()
    except ValueError as error:
        raise UsageError(
            "a vulnerability database is taken by https only", why=str(error), remedy="name a mirror that has TLS"
        ) from error
    try:
        with download.answer(address, private=True) as answer:
            end = str(answer.geturl())
    except download.FAILURES as error:
        raise RemoteFailed(
            "the vulnerability database cannot be fetched",
            why=f"{without_secrets(listing)}: {download.failure_text(error)}",
            remedy="see whether the address can be reached; behind a closed network, `db import FILE`",
        ) from error
    return listing if end == address.url else end


def _import(options: argparse.Namespace) -> int:
    file: Path = options.file
    if not file.is_file():
        raise UsageError(f"there is no file {file}", remedy="name an archive, or a vulnerability.db, of Grype")
    return _get(options, lambda grype: grype.load(file, file.name))


def _require_pinned(found: Identity, checksum: str | None) -> None:
    """Raise `VerificationFailed` unless a database came from the file that was asked for, if one was."""
    if checksum is not None and Digest.parse(checksum) != found.checksum:
        raise VerificationFailed(
            "this is another vulnerability database than the one that was asked for",
            why=(f"expected {checksum}", f"found    {found.checksum}"),
            remedy="get the file of that database: a mirror or an archive may still have it",
        )


def directory(config: Config) -> Path:
    """Return where the database is, or will be, when nobody names another place."""
    return (config.scan.database or default_root(os.environ).parent / "database").resolve()


def _get(options: argparse.Namespace, into: Callable[[Grype], Awaitable[Identity]]) -> int:
    """Fill a directory beside the old one and put it in its place once the database has proved that it can see."""
    config = Config.load(options.config)
    target = options.into.resolve() if options.into else directory(config)
    if target.exists() and any(target.iterdir()) and not (target / IDENTITY).is_file():
        raise UsageError(f"{target} holds something else than a database", remedy="name another directory with --into")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        tools = Toolbox(
            store=shared.the_store(options),
            locked=Inputs.of_tools().locked(),
            declared=frozenset({"grype"}),
            log=Path(scratch) / "log.txt",
            environment=network_environment(),
        )
        grype = Grype(tools, Path(scratch) / "database", Path(scratch))

        async def fill() -> Identity:
            async with growing(Path(scratch), options):
                found = await into(grype)
            _require_pinned(found, options.checksum)
            await grype.require_canary()
            return found

        identity = run_async(fill)
        if target.exists():
            target.rename(Path(scratch) / "old")
        shutil.move(grype.directory, target)
    if options.json:
        print(json.dumps({"event": "database", "directory": str(target), **identity.as_json()}))
        return 0
    print(f"{target}: {identity.describe(datetime.now(UTC))}, {identity.checksum}")
    if config.scan.database is None or config.scan.database.resolve() != target:
        print(f'to use it: [scan] database = "{target}" in {options.config}', file=sys.stderr)
    return 0
