"""`cluster`: a Kubernetes cluster on loopback until Ctrl-C, to deploy to; its nodes are played by kwok.

The control plane is the real one (etcd, API server with admission, controllers, scheduler), built from its lock when it
is first asked for. A node of kwok is none: it starts no container and pulls no image, asks no probe, carries no traffic
and holds to no network policy; it reports what a kubelet would, and a test may make it report something else.
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.engine import world
from shipseal.errors import RemoteFailed, Stopped, UsageError
from shipseal.locked.fetch import PROGRAMS, fill
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.locked.store_cleaning import in_use
from shipseal.tools import loopback
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox

_NODES = "its nodes are played by kwok: no container runs, no image is pulled, no probe asked, no network policy holds"
_ZONE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a label's value, kubernetes.io
_MOST = 100  # nodes; each is a lease that is renewed
_FASTEST = 15  # times; the autoscaler's shortest period is then a second


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("cluster", help="a Kubernetes cluster on loopback, until Ctrl-C", description=__doc__)
    shared.without_project(verb)
    verb.add_argument("--nodes", type=int, default=4, metavar="N", help="default: 4, in the zones in turn")
    verb.add_argument("--zones", default="zone-a,zone-b", metavar="A,B", help="default: zone-a,zone-b")
    verb.add_argument(
        "--autoscaler",
        type=int,
        default=0,
        metavar="TIMES",
        help="with a metrics-server, and an autoscaler that is TIMES faster than usual: 1 to 15",
    )
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> NoReturn:
    """Keep a cluster until a signal comes; raise `RemoteFailed` when it ends by itself."""
    zones = options.zones.split(",")
    if not all(map(_ZONE.fullmatch, zones)):
        raise UsageError(f"not names of zones: {options.zones}", remedy="write them like zone-a,zone-b")
    if not 1 <= options.nodes <= _MOST:
        raise UsageError(f"a cluster has no {options.nodes} nodes", remedy=f"ask for 1 to {_MOST}")
    if not 0 <= options.autoscaler <= _FASTEST:
        raise UsageError(f"no autoscaler is {options.autoscaler} times faster", remedy=f"ask for 1 to {_FASTEST}")
    loopback.bring_up()
    store, inputs = shared.the_store(options), Inputs.of_cluster()
    try:
        with in_use(store), tempfile.TemporaryDirectory(prefix="shipseal-cluster-") as scratch:
            log = Path(scratch) / "log.txt"
            fetch_cluster(store, shared.say(options))
            tools = Toolbox(store, locked := inputs.locked(), frozenset(locked), log)
            name = run_async(partial(_keep, tools, Path(scratch), zones, options))
            said = log.read_text(encoding="utf-8").rpartition(f"$ {name} ")[2].partition("\n$ ")[0]
            raise RemoteFailed(
                f"{name} of the local cluster has ended, and the cluster with it",
                why=tools.last_words(said.encode()),
                remedy="run this again",
            )
    except (KeyboardInterrupt, Stopped) as stopped:
        raise type(stopped)("nothing of the cluster is left") from None


def fetch_cluster(store: Store, say: Callable[[str], None]) -> None:
    """Have the programs of a cluster in a store: fetched and built, where they are not there."""
    with in_use(store), tempfile.TemporaryDirectory(prefix="shipseal-fetch-") as scratch:
        tools = Toolbox(store, {}, frozenset(PROGRAMS), Path(scratch) / "log.txt", network_environment())
        run_async(partial(fill, Inputs.of_cluster(), tools, store, say, store.has))


async def _keep(tools: Toolbox, scratch: Path, zones: list[str], options: argparse.Namespace) -> str:
    """Start a cluster, say how to use it, and wait; return the name of the server that ended first."""
    started = time.monotonic()
    asked = {"zones": zones, "nodes": options.nodes, "autoscaler": options.autoscaler}
    async with world.loopback_cluster(tools, scratch, **asked) as running:
        seconds = time.monotonic() - started
        if options.json:
            ready = {"event": "cluster", "kubeconfig": str(running.kubeconfig), "kubectl": str(running.kubectl)}
            print(json.dumps({**ready, "seconds": round(seconds, 3)}), flush=True)
        else:
            print(f"KUBECONFIG={running.kubeconfig} {running.kubectl} get nodes", flush=True)
            shared.say(options)(f"ready in {seconds:.1f} s, until Ctrl-C; {_NODES}")
        return await running.first_to_end()
