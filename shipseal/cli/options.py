"""The options that several verbs share, and what they name."""

import argparse
import os
import sys
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

from shipseal.engine import run_directory as place
from shipseal.engine.run import Run
from shipseal.engine.stage import Stage
from shipseal.engine.world import Rehearse, choose
from shipseal.errors import UsageError
from shipseal.locked import store
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.project.config import Config
from shipseal.project.reads import FILENAME
from shipseal.signing.browser import Browser
from shipseal.tools import loopback

LOG = "the signer's identity goes into a public log, for good"


def common(verb: argparse.ArgumentParser) -> None:
    """Add --config, --store, --json and --quiet."""
    verb.add_argument("--config", type=Path, default=Path(FILENAME), metavar="FILE", help="default: ./pipeline.toml")
    without_project(verb)


def without_project(verb: argparse.ArgumentParser) -> None:
    """Add --store, --json and --quiet."""
    verb.add_argument(
        "--store", type=Path, metavar="DIR", help="where inputs lie, readable is enough; default: the user's cache"
    )
    verb.add_argument("--json", action="store_true", help="for machines, on standard output: docs/json.md")
    verb.add_argument("--quiet", "-q", action="store_true", help="no progress: the result, and what goes wrong")


def say(options: argparse.Namespace) -> Callable[[str], None]:
    """Return what tells of progress in a line on standard error, or, if that is asked for, tells nothing."""
    if options.quiet:
        return lambda _: None
    return lambda text: print(text, file=sys.stderr, flush=True)


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
        raise UsageError(f"{text} is not a valid time", remedy="write one like 2027-06-01T00:00:00Z")
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
    changes = " It changes the configured cluster." if any(row.name == "deploy" for row in rows) else ""
    return asked(options, f"pushes to {repository}, and signs: {LOG}.{changes}")


def asked(options: argparse.Namespace, what: str) -> bool:
    """Ask whether to do something outside, unless told not to; raise `UsageError` where nobody at a terminal agrees."""
    if options.yes:
        return True
    print(f"This {what}", file=sys.stderr)
    if not sys.stdin.isatty() or input("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was written outside", remedy="agree, or say --yes where nobody can be asked")
    return True


def open_run(
    options: argparse.Namespace,
    world: str,
    table: tuple[Stage, ...],
    *,
    agreed: bool = False,
    rehearsed: Rehearse | None = None,
    browser: Browser | None = None,
) -> Run:
    """Return the run that the options name, with the credentials that its stages declare."""
    config = configured(options)
    as_of = _time(options.as_of) if getattr(options, "as_of", None) else None
    if as_of and world != "dry-run":
        raise UsageError("a release is judged as of now", remedy="leave --as-of out, or make a dry run")
    loopback.bring_up()
    names = {name for stage in table for name in stage.secrets}
    return Run(
        directory=place.checked(config.root, options.run_dir),
        config=config,
        store=the_store(options),
        locked=Inputs.of_tools().locked(),
        world=choose(
            world,
            config,
            agreed=agreed,
            kubeconfig=getattr(options, "kubeconfig", None),
            rehearsed=rehearsed,
            browser=browser,
        ),
        as_of=as_of,
        secrets={name: os.environ[name] for name in names if os.environ.get(name)},
    )
