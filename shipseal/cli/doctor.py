"""`doctor`: what is there, what is missing and what to do about it. Writes nothing.

The exit code is 4 when something is missing without which a dry run cannot work, else 0.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.doctor import host, project
from shipseal.doctor.host import CheckResult, CheckState
from shipseal.errors import ShipsealError, ToolFailed
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.project.config import Config
from shipseal.scanning.grype import IDENTITY
from shipseal.tools.toolbox import Toolbox

_PATIENCE = 5  # seconds for a cluster to answer: nobody waits a minute for a line about it


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("doctor", help="what this machine lacks, with the remedy", description=__doc__)
    shared.cluster(verb)
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Look at everything, and print a line for each thing."""
    found = list(_everything(options))
    if options.json:
        lines = [
            {"name": each.name, "state": each.state.value, "what": each.what, "remedy": each.remedy} for each in found
        ]
        print(json.dumps(lines, indent=2))
    else:
        width = max(len(each.name) for each in found)
        for each in found:
            print(f"{each.name:<{width}}  {each.state.value:<7}  {each.what}")
            if each.remedy:
                print(f"{'':<{width}}  {'':<7}  do: {each.remedy}")
    return ToolFailed.exit_code if any(each.state is CheckState.MISSING for each in found) else 0


def _everything(options: argparse.Namespace) -> Iterator[CheckResult]:
    config, found = project.configuration(options.config)
    shelf = shared.the_store(options)
    root = options.config.resolve().parent
    yield found
    yield from host.python()
    yield from _guarded("inputs", lambda: host.store(shelf, config))
    yield from host.disk((options.run_dir or root / ".run").resolve(), shelf)
    # Nothing is kept of what these programs say.
    tools = Toolbox(store=shelf, locked={}, declared=frozenset({"bwrap"}), log=Path(os.devnull))
    yield from run_async(lambda: project.programs(tools, root))
    if config:
        yield from project.database(config, datetime.now(UTC))
        yield from _scanner(config, shelf)
        yield from project.network(config)
        yield from project.credentials(config, os.environ)
        yield from _cluster(options, config)


def _scanner(config: Config, shelf: Store) -> Iterator[CheckResult]:
    """Ask the locked Grype about the database, where both are there; what is missing has been told."""
    locked, directory = Inputs.of_tools().locked(), config.scan.database
    if directory is None or not (directory / IDENTITY).is_file() or not shelf.has(locked["grype"]):
        return
    with tempfile.TemporaryDirectory(prefix="shipseal-doctor-") as scratch:
        tools = Toolbox(store=shelf, locked=locked, declared=frozenset({"grype"}), log=Path(os.devnull))
        yield from run_async(lambda: project.scanner(tools, directory, Path(scratch)))


def _cluster(options: argparse.Namespace, config: Config) -> Iterator[CheckResult]:
    """Ask the cluster of deploys whether it lets us do what a deploy does; without one that is no harm."""
    if not config.deploy.manifests:
        return
    from shipseal.cli import cluster_options  # noqa: PLC0415 - httpx is slow, and `--help` need not wait for it
    from shipseal.rollout.orders import look  # noqa: PLC0415 - the same

    try:
        with cluster_options.context(options, agreed=False, quiet=True) as context:
            seen = run_async(lambda: look(context, patience=_PATIENCE))
        what = f"Kubernetes {seen.cluster.version}, {seen.cluster.uid}: {seen.user} may deploy there"
        yield CheckResult("cluster", CheckState.THERE, what)
    except ShipsealError as error:
        why = f": {'; '.join(error.why)}" if error.why else ""
        yield CheckResult("cluster", CheckState.OPTIONAL, f"{error.what}{why}", error.remedy)


def _guarded(name: str, look: Callable[[], Iterator[CheckResult]]) -> Iterator[CheckResult]:
    """Turn a failure of looking into something that was found."""
    try:
        yield from look()
    except ShipsealError as error:
        yield CheckResult(name, CheckState.MISSING, error.what, error.remedy)
