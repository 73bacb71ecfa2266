"""`cluster`: a Kubernetes cluster on loopback until Ctrl-C, to deploy to; its nodes are played by kwok.

The control plane is the real one (etcd, API server with admission, controllers, scheduler), built from its lock when it
is first asked for. A node of kwok is none: it starts no container and pulls no image, asks no probe, carries no traffic
and holds to no network policy; it reports what a kubelet would, and a test may make it report something else.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.engine import world
from pipeline.errors import RemoteFailed, Stopped, UsageError
from pipeline.locked.fetch import PROGRAMS, fill
from pipeline.locked.inputs import Inputs
from pipeline.locked.store import Store
from pipeline.locked.store_cleaning import in_use
from pipeline.tools import loopback
from pipeline.tools.environment import network_environment
from pipeline.tools.toolbox import Toolbox

_NODES = "its nodes are played by kwok: no container runs, no image is pulled, no probe asked, no network policy holds"
_ZONE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a label's value, kubernetes.io
_MOST = 100  # nodes; each is a lease that is renewed


def add(verbs: Any) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("cluster", help="a Kubernetes cluster on loopback, until Ctrl-C", description=__doc__)
    shared.without_project(verb)
    verb.add_argument("--nodes", type=int, default=4, metavar="N", help="default: 4, in the zones in turn")
    verb.add_argument("--zones", default="zone-a,zone-b", metavar="A,B", help="default: zone-a,zone-b")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> NoReturn:
    """Keep a cluster until a signal comes; raise `RemoteFailed` when it ends by itself."""
    zones = options.zones.split(",")
    if not all(map(_ZONE.fullmatch, zones)):
        raise UsageError(f"not names of zones: {options.zones}", do="write them like zone-a,zone-b")
    if not 1 <= options.nodes <= _MOST:
        raise UsageError(f"a cluster has no {options.nodes} nodes", do=f"ask for 1 to {_MOST}")
    loopback.bring_up()
    store, inputs = shared.the_store(options), Inputs.of_cluster()
    try:
        with in_use(store), tempfile.TemporaryDirectory(prefix="pipeline-cluster-") as scratch:
            log = Path(scratch) / "log.txt"
            fetch_cluster(store)
            tools = Toolbox(store, locked := inputs.locked(), frozenset(locked), log)
            name = run_async(partial(_keep, tools, Path(scratch), zones, options))
            said = log.read_text(encoding="utf-8").rpartition(f"$ {name} ")[2].partition("\n$ ")[0]
            raise RemoteFailed(
                f"{name} of the local cluster has ended, and the cluster with it",
                why=tools.last_words(said.encode()),
                do="run this again",
            )
    except (KeyboardInterrupt, Stopped) as stopped:
        raise type(stopped)("nothing of the cluster is left") from None


def fetch_cluster(store: Store) -> None:
    """Have the programs of a cluster in a store: fetched and built, where they are not there."""
    with in_use(store), tempfile.TemporaryDirectory(prefix="pipeline-fetch-") as scratch:
        tools = Toolbox(store, {}, frozenset(PROGRAMS), Path(scratch) / "log.txt", network_environment())
        run_async(partial(fill, Inputs.of_cluster(), tools, store, _say, store.has))


async def _keep(tools: Toolbox, scratch: Path, zones: list[str], options: argparse.Namespace) -> str:
    """Start a cluster, say how to use it, and wait; return the name of the server that ended first."""
    started = time.monotonic()
    async with world.loopback_cluster(tools, scratch, zones=zones, nodes=options.nodes) as running:
        seconds = time.monotonic() - started
        if options.json:
            ready = {"event": "cluster", "kubeconfig": str(running.kubeconfig), "kubectl": str(running.kubectl)}
            print(json.dumps({**ready, "seconds": round(seconds, 3)}), flush=True)
        else:
            print(f"KUBECONFIG={running.kubeconfig} {running.kubectl} get nodes", flush=True)
            _say(f"ready in {seconds:.1f} s, until Ctrl-C; {_NODES}")
        return await running.first_to_end()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
