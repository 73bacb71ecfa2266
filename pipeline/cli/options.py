"""The options that several verbs share, and what they name."""

import argparse
import os
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from pipeline.engine import run_directory as place
from pipeline.engine.run import Run
from pipeline.engine.stage import Stage
from pipeline.engine.world import Rehearse, choose
from pipeline.errors import UsageError
from pipeline.locked import store
from pipeline.locked.inputs import Inputs
from pipeline.locked.store import Store
from pipeline.project.config import Config
from pipeline.project.reads import FILENAME
from pipeline.tools import loopback


def common(verb: argparse.ArgumentParser) -> None:
    """Add --config, --store and --json."""
    verb.add_argument("--config", type=Path, default=Path(FILENAME), metavar="FILE", help="default: ./pipeline.toml")
    without_project(verb)


def without_project(verb: argparse.ArgumentParser) -> None:
    """Add --store and --json."""
    verb.add_argument(
        "--store", type=Path, metavar="DIR", help="where inputs lie, readable is enough; default: the user's cache"
    )
    verb.add_argument("--json", action="store_true", help="for machines, on standard output: docs/json.md")


def cluster(verb: argparse.ArgumentParser) -> None:
    """Add --kubeconfig and --context."""
    verb.add_argument("--kubeconfig", type=Path, metavar="FILE", help="in place of what is configured")
    verb.add_argument("--context", metavar="NAME", help="in place of [deploy] context")


def configured(options: argparse.Namespace) -> Config:
    """Read the configuration, with the context that the options name in place of its own."""
    config = Config.load(options.config)
    if named := getattr(options, "context", None):
        return config.model_copy(update={"deploy": config.deploy.model_copy(update={"context": named})})
    return config


def run_directory(verb: argparse.ArgumentParser) -> None:
    """Add --run-dir."""
    verb.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="where stages write; default: .run beside pipeline.toml"
    )


def judged_as_of(verb: argparse.ArgumentParser) -> None:
    """Add --as-of."""
    verb.add_argument(
        "--as-of", metavar="TIME", help="judge dates as of then (RFC 3339), to see what will expire; only in a dry run"
    )


def _time(text: str) -> datetime:
    """Read a time as RFC 3339 writes it, with its offset; raise `UsageError` for anything else."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise UsageError(f"{text} is no time", do="write one like 2027-06-01T00:00:00Z")
    return time.astimezone(UTC)


def the_store(options: argparse.Namespace) -> Store:
    """Return the store that the options name."""
    return Store(options.store or store.default_root(os.environ))


def agreement(verb: argparse.ArgumentParser) -> None:
    """Add --yes."""
    verb.add_argument("--yes", action="store_true", help="do not ask before something is written outside")


def agreed(options: argparse.Namespace, rows: Collection[Stage], repository: str) -> bool:
    """Say whether this user agrees to what stages of a release write outside, asking unless told not to.

    Raises:
        UsageError: one of them does, and nobody at a terminal agrees; an identity stays in a public log for good.
    """
    if not any(row.writes for row in rows):
        return False
    if options.yes:
        return True
    changes = " It changes the configured cluster." if any(row.name == "deploy" for row in rows) else ""
    print(
        f"This pushes to {repository}, and signs: the signer's identity goes into a public log, for good.{changes}",
        file=sys.stderr,
    )
    if not sys.stdin.isatty() or input("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was written outside", do="agree, or say --yes where nobody can be asked")
    return True


def open_run(
    options: argparse.Namespace,
    world: str,
    table: tuple[Stage, ...],
    *,
    agreed: bool = False,
    rehearsed: Rehearse | None = None,
) -> Run:
    """Return the run that the options name, with the credentials that its stages declare."""
    config = configured(options)
    as_of = _time(options.as_of) if getattr(options, "as_of", None) else None
    if as_of and world != "dry-run":
        raise UsageError("a release is judged as of now", do="leave --as-of out, or make a dry run")
    loopback.bring_up()
    names = {name for stage in table for name in stage.secrets}
    return Run(
        directory=place.checked(config.root, options.run_dir),
        config=config,
        store=the_store(options),
        locked=Inputs.of_tools().locked(),
        world=choose(
            world, config, agreed=agreed, kubeconfig=getattr(options, "kubeconfig", None), rehearsed=rehearsed
        ),
        as_of=as_of,
        secrets={name: os.environ[name] for name in names if os.environ.get(name)},
    )
