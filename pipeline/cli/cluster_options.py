"""What the verbs that speak to the configured cluster share: their options, and the context that they work in."""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.attestation.deployment import Receipt
from pipeline.attestation.roots import public_root
from pipeline.cli import options as shared
from pipeline.cli.progress import progress
from pipeline.engine.run import Event
from pipeline.engine.schedule import wanted
from pipeline.engine.stage import Context
from pipeline.engine.table import TABLE
from pipeline.engine.world import choose
from pipeline.locked.inputs import Inputs
from pipeline.locked.store_cleaning import in_use
from pipeline.rollout.verified import Published
from pipeline.tools import loopback
from pipeline.tools.environment import network_environment
from pipeline.tools.toolbox import Toolbox

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
    store, began = shared.the_store(options), time.monotonic()
    secrets = {name: os.environ[name] for name in ROW.secrets if os.environ.get(name)}
    with (
        nullcontext() if quiet else in_use(store),
        tempfile.TemporaryDirectory(prefix="pipeline-deploy-") as scratch,
        progress(as_json=options.json) as show,
    ):
        out = Path(scratch) / ROW.name
        out.mkdir()
        locked = Inputs.of_tools().locked()
        environment, declared = network_environment(), frozenset(ROW.tools)
        tools = Toolbox(store, locked, declared, out / "log.txt", environment, tuple(secrets.values()))
        world = choose("release", config, agreed=agreed, kubeconfig=options.kubeconfig)

        def say(text: str) -> None:
            if not quiet:
                show(Event(ROW.name, "progress", text, time.monotonic() - began))

        yield Context(ROW, Path(scratch), out, config, store, tools, world, datetime.now(UTC), say, secrets)


def published(context: Context) -> Published:
    """Return where released images are, and the policy that they are verified by."""
    policy, directory = context.world.policy()
    return Published(None, policy, policy.root(None, public_root(), directory))


def told(receipt: Receipt) -> tuple[dict[str, Any], list[str]]:
    """Return what is said of a deployment, to machines and to people."""
    lines = [
        f"deployed  {receipt.image}",
        f"receipt   {receipt.sequence} in {receipt.where.namespace}, signed and attached to the image",
        *(f"pod       {pod.name} on {pod.node or 'no node'}: {pod.match}" for pod in receipt.pods),
    ]
    if not receipt.proven:
        lines.append("UNPROVEN  not every pod was seen to run the verified image")
    return {"event": "deployed", "receipt": receipt.predicate()}, lines
