"""What the verbs that speak to the configured cluster share: their options, and the context that they work in."""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shipseal import terminal_text
from shipseal.cli import options as shared
from shipseal.cli.log_in import ask
from shipseal.cli.progress import progress
from shipseal.engine.run import Event
from shipseal.engine.schedule import wanted
from shipseal.engine.stage import Context
from shipseal.engine.table import TABLE
from shipseal.engine.world import choose
from shipseal.locked.inputs import Inputs
from shipseal.locked.store_cleaning import in_use
from shipseal.rollout.preflight import Published
from shipseal.signing.roots import public_root
from shipseal.statements.deployment import Receipt
from shipseal.tools import loopback
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox

ROW = wanted(TABLE, "deploy")[-1]


def add(verb: argparse.ArgumentParser) -> None:
    """Add --kubeconfig and --context, and what all verbs of a project have."""
    shared.cluster(verb)
    shared.common(verb)


@contextmanager
def context(options: argparse.Namespace, *, agreed: bool, quiet: bool = False) -> Iterator[Context]:
    """Give a context for as long as the block runs; what is written into its directory is gone afterwards.

    Args:
        options: of the verb.
        agreed: whether the registry may be written to.
        quiet: whether nothing is said of what goes on, and nothing left in the store: `doctor` writes nothing.
    """
    config = shared.configured(options)
    config.require(ROW.reads)
    loopback.bring_up()
    browser = ask(config.sign, may_ask=agreed and not options.yes)
    store, began = shared.the_store(options), time.monotonic()
    secrets = {name: os.environ[name] for name in ROW.secrets if os.environ.get(name)}
    with (
        nullcontext() if quiet else in_use(store),
        tempfile.TemporaryDirectory(prefix="shipseal-deploy-") as scratch,
        progress(options) as show,
    ):
        out = Path(scratch) / ROW.name
        out.mkdir()
        locked = Inputs.of_tools().locked()
        environment, declared = network_environment(), frozenset(ROW.tools)
        tools = Toolbox(store, locked, declared, out / "log.txt", environment, tuple(secrets.values()))
        world = choose("release", config, agreed=agreed, kubeconfig=options.kubeconfig, browser=browser)

        def say(text: str) -> None:
            if not quiet:
                show(Event(ROW.name, "progress", text, time.monotonic() - began))

        yield Context(ROW, Path(scratch), out, config, store, tools, world, datetime.now(UTC), say, secrets)


def published(context: Context) -> Published:
    """Return where released images are, and the policy that they are verified by."""
    policy, directory = context.world.policy()
    return Published(None, policy, policy.root(None, public_root(), directory))


def deployed_event(receipt: Receipt) -> tuple[dict[str, Any], list[str]]:
    """Return what is said of a deployment, to machines and to people."""
    lines = [
        f"deployed  {receipt.image}",
        f"receipt   {receipt.sequence} in {receipt.where.namespace}, signed and attached to the image",
        *(f"pod       {pod.name} on {pod.node or 'no node'}: {pod.match}" for pod in receipt.pods),
    ]
    if not receipt.proven:
        lines.append("UNPROVEN  not every pod was seen to run the verified image")
    return {"event": "deployed", "receipt": receipt.predicate()}, lines


def tell(options: argparse.Namespace, event: Mapping[str, Any], lines: Iterable[str]) -> None:
    """Print a result; names and values in it are the cluster's own words, and are shown as such."""
    print(json.dumps(event) if options.json else "\n".join(map(terminal_text.line, lines)))
