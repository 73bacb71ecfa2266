"""`store fetch|export|import|gc`: fill the store of inputs, and carry it to a network that is closed."""

import argparse
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.locked import store_archive
from pipeline.locked.fetch import PROGRAMS, fill
from pipeline.locked.inputs import Inputs, digests
from pipeline.locked.store import Store
from pipeline.locked.store_cleaning import UNUSED_DAYS, in_use, remove, stale, unused_by_others
from pipeline.project.config import Config
from pipeline.tools.environment import network_environment
from pipeline.tools.toolbox import Toolbox


def add(verbs: Any) -> None:
    """Describe the verb and what it does with a store."""
    verb = verbs.add_parser("store", help="fetch, export, import or tidy the locked inputs", description=__doc__)
    actions = verb.add_subparsers(dest="action", required=True, metavar="fetch|export|import|gc")
    fetch = actions.add_parser("fetch", help="fetch and build all that the locks name, and replace what was altered")
    fetch.add_argument("--tools", action="store_true", help="the tools alone, which needs no pipeline.toml")
    fetch.add_argument("--cluster", action="store_true", help="what a local cluster is started from, and nothing else")
    fetch.set_defaults(verb=_fetch)
    export = actions.add_parser("export", help="write all that the locks name to one file")
    export.set_defaults(verb=_export)
    take = actions.add_parser("import", help="take in a file that `export` wrote")
    take.set_defaults(verb=_import)
    for action in (export, take):
        action.add_argument("file", type=Path, metavar="FILE", help="the one file, a tar archive")
    gc = actions.add_parser("gc", help="remove what this project's locks do not name and no run has used for a while")
    gc.add_argument("--dry-run", "-n", action="store_true", help="list what would be removed, and remove nothing")
    gc.add_argument(
        "--unused-for", type=int, default=UNUSED_DAYS, metavar="DAYS", help=f"default: {UNUSED_DAYS}; 0 for all others"
    )
    gc.set_defaults(verb=_gc)
    for action in (fetch, export, take, gc):
        shared.common(action)
    fetch.add_argument(
        "--also", type=Path, action="append", default=[], metavar="FILE", help="another project's pipeline.toml"
    )


def _fetch(options: argparse.Namespace) -> int:
    projects = [] if options.tools or options.cluster else [options.config, *options.also]
    wanted = [Inputs.of(Config.load(path)).with_containers() for path in projects]
    wanted += [Inputs.of_tools()] if options.tools else []
    wanted += [Inputs.of_cluster()] if options.cluster else []
    store = shared.the_store(options)
    for entry in store.entries():
        if not store.intact(entry.digest):
            _say(f"{entry.path.name} was altered in the store: it is fetched anew if a lock names it")
    with tempfile.NamedTemporaryFile(prefix="fetch-", suffix=".log") as log:
        tools = Toolbox(
            store=store,
            locked={},
            declared=frozenset(PROGRAMS),
            log=Path(log.name),
            environment=network_environment(),
        )
        with in_use(store):
            fetched = sum(
                len(run_async(partial(fill, each, tools, store, _say, store.intact)).names()) for each in wanted
            )
    there = {digest for each in wanted for digest in digests(each.listing(store))}
    print(f"{len(there)} inputs are in {store.root}, {fetched or 'none'} of them fetched now")
    return 0


def _export(options: argparse.Namespace) -> int:
    store = shared.the_store(options)
    wanted = set(digests(Inputs.of(Config.load(options.config)).with_containers().listing(store)))
    with in_use(store):
        store_archive.export(store, wanted, options.file)
    print(f"{len(wanted)} inputs, {_megabytes(options.file.stat().st_size)}, in {options.file}")
    return 0


def _import(options: argparse.Namespace) -> int:
    store = shared.the_store(options)
    with in_use(store):
        count = store_archive.import_(store, options.file)
    print(f"{count} inputs of {options.file} are in {store.root}")
    return 0


def _gc(options: argparse.Namespace) -> int:
    store: Store = shared.the_store(options)
    keep = {*Inputs.of(Config.load(options.config)).with_containers().named(), *Inputs.of_cluster().named()}
    with unused_by_others(store):
        found = stale(store, keep, timedelta(days=options.unused_for))
        for entry in found:
            used = datetime.fromtimestamp(entry.used, UTC).date()
            print(f"{entry.path.name}, {_megabytes(entry.size)}, last used {used}")
        if not options.dry_run:
            remove(store, found)
    done = "would be removed" if options.dry_run else "removed"
    print(f"{len(found) or 'no'} inputs {done} from {store.root}, {_megabytes(sum(entry.size for entry in found))}")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
