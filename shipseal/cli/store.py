"""`store fetch|push|verify-tools|export|import|gc`: fill the store of inputs, share it, carry it."""

import argparse
import os
import tempfile
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli import verify_tools
from shipseal.cli.engine import run_async
from shipseal.cli.progress import downloads
from shipseal.cli.verbs import Verbs
from shipseal.digest import Reference
from shipseal.distribution.credentials import login
from shipseal.distribution.realm import require_own_realm
from shipseal.distribution.registry import Registry
from shipseal.errors import UsageError
from shipseal.evidence.inputs_artifact import push_inputs
from shipseal.locked import mirrors, store_archive
from shipseal.locked.fetch import PROGRAMS, fill
from shipseal.locked.inputs import Inputs
from shipseal.locked.mirror_places import Repository, Static
from shipseal.locked.mirror_places import place as place_of
from shipseal.locked.mirror_writer import Offer, write
from shipseal.locked.store import Store
from shipseal.locked.store_cleaning import UNUSED_DAYS, in_use, remove, stale, unused_by_others
from shipseal.project.config import Config
from shipseal.signing.signer import release_signer
from shipseal.tools.environment import network_environment
from shipseal.tools.loopback import is_loopback
from shipseal.tools.toolbox import Toolbox


def add(verbs: Verbs) -> None:
    """Describe the verb and what it does with a store."""
    verb = verbs.add_parser("store", help="fetch, share, export, import or tidy the locked inputs", description=__doc__)
    actions = verb.add_subparsers(dest="action", required=True, metavar="fetch|push|verify-tools|export|import|gc")
    fetch = actions.add_parser("fetch", help="fetch and build all that the locks name, and replace what was altered")
    fetch.add_argument("--tools", action="store_true", help="the tools alone, which needs no pipeline.toml")
    fetch.add_argument("--cluster", action="store_true", help="what a local cluster is started from, and nothing else")
    fetch.add_argument("--sigstore", action="store_true", help="Sigstore's own services, for tests, and nothing else")
    fetch.set_defaults(verb=_fetch)
    push = actions.add_parser("push", help="put all that the locks name on a mirror, for PIPELINE_MIRROR of others")
    push.add_argument("to", metavar="oci://HOST/NAME|DIR", help="a repository, or a directory that a server offers")
    push.add_argument("--unsigned", action="store_true", help="sign nothing: whoever has the lock needs no signature")
    push.add_argument("--yes", action="store_true", help="do not ask before something is written outside")
    push.set_defaults(verb=_push)
    verify_tools.add(actions)
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
    for action in (fetch, push, export, take, gc):
        shared.common(action)
    fetch.add_argument(
        "--also", type=Path, action="append", default=[], metavar="FILE", help="another project's pipeline.toml"
    )


def _fetch(options: argparse.Namespace) -> int:
    projects = [] if options.tools or options.cluster or options.sigstore else [options.config, *options.also]
    configs = [Config.load(path) for path in projects]
    wanted = [Inputs.of(config).with_containers() for config in configs]
    places = mirrors.named([each for config in configs for each in config.inputs.mirrors], os.environ)
    wanted += [Inputs.of_tools()] if options.tools else []
    wanted += [Inputs.of_cluster()] if options.cluster else []
    wanted += [Inputs.of_sigstore()] if options.sigstore else []
    store, say = shared.the_store(options), shared.say(options)
    for entry in store.entries():
        if not store.intact(entry.digest):
            say(f"{entry.path.name} was altered in the store: it is fetched anew if a lock names it")
    with tempfile.NamedTemporaryFile(prefix="fetch-", suffix=".log") as log:
        tools = Toolbox(
            store=store,
            locked={},
            declared=frozenset(PROGRAMS),
            log=Path(log.name),
            environment=network_environment(),
        )
        with in_use(store), downloads(options) as (told, count):
            step = partial(
                fill,
                tools=tools,
                store=store,
                say=told,
                has=store.intact,
                mirrors=places,
                watch=mirrors.DownloadWatch(count),
            )
            fetched = sum(len(run_async(partial(step, each)).names()) for each in wanted)
    there = {digest for each in wanted for digest in each.listing(store).digests()}
    print(f"{len(there)} inputs are in {store.root}, {fetched or 'none'} of them fetched now")
    return 0


def _push(options: argparse.Namespace) -> int:
    store, config, place = shared.the_store(options), Config.load(options.config), place_of(options.to)
    if isinstance(place, Static):
        raise UsageError(
            f"{place.name} cannot be written to", remedy="name oci://HOST/NAME, or a directory to copy there"
        )
    with in_use(store):
        offer = Offer.of(config, store)
        if isinstance(place, Repository):
            signs = "" if options.unsigned else f", and signs: {shared.LOG}"
            shared.asked(options, f"pushes to {place.name}{signs}.")
            where = f"oci://{_to_registry(place, offer, store, config, signed=not options.unsigned)}"
        else:
            write(offer, store, Path(options.to))
            where = options.to
    print(f"{len(offer.items)} inputs, {_megabytes(offer.size)}, are at {where}")
    return 0


def _to_registry(place: Repository, offer: Offer, store: Store, config: Config, *, signed: bool) -> Reference:
    with tempfile.TemporaryDirectory(prefix="push-") as scratch, login(os.environ) as found:
        work, locked = Path(scratch), Inputs.of_tools().locked()
        tools = Toolbox(store, locked, frozenset({"oras", "cosign"}), work / "log.txt", network_environment())
        tools.secrets += found.secrets
        plain = is_loopback(place.host)
        registry = Registry(tools, place.host, place.repository, plain, found.environment, writable=True)
        signer = release_signer(tools, config.sign) if signed else None

        async def push() -> Reference:
            await require_own_realm(registry, found, config.registry.realm)
            return await push_inputs(offer, store, registry, signer, work=work, now=datetime.now(UTC))

        return run_async(push)


def _export(options: argparse.Namespace) -> int:
    store = shared.the_store(options)
    wanted = set(Inputs.of(Config.load(options.config)).with_containers().listing(store).digests())
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
    locks = (Inputs.of(Config.load(options.config)).with_containers(), Inputs.of_cluster(), Inputs.of_sigstore())
    keep = {digest for lock in locks for digest in lock.named()}
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


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
