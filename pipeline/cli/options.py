"""The options that several verbs share, and what they name."""

import argparse
import os
from pathlib import Path

from pipeline import loopback, store
from pipeline.config import Config
from pipeline.inputs import Inputs
from pipeline.reads import FILENAME
from pipeline.run import Run
from pipeline.stage import Stage
from pipeline.store import Store
from pipeline.world import choose

Verbs = "argparse._SubParsersAction[argparse.ArgumentParser]"


def common(verb: argparse.ArgumentParser) -> None:
    """Add --config, --store and --json."""
    verb.add_argument("--config", type=Path, default=Path(FILENAME), metavar="FILE", help="default: ./pipeline.toml")
    verb.add_argument(
        "--store", type=Path, metavar="DIR", help="where inputs lie, readable is enough; default: the user's cache"
    )
    verb.add_argument("--json", action="store_true", help="one event a line on standard output, for machines")


def run_directory(verb: argparse.ArgumentParser) -> None:
    """Add --run-dir."""
    verb.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="where stages write; default: .run beside pipeline.toml"
    )


def the_store(options: argparse.Namespace) -> Store:
    """Return the store that the options name."""
    return Store(options.store or store.default_root(os.environ))


def open_run(options: argparse.Namespace, world: str, table: tuple[Stage, ...]) -> Run:
    """Return the run that the options name, with the credentials that its stages declare."""
    config = Config.load(options.config)
    loopback.bring_up()
    names = {name for stage in table for name in stage.secrets}
    return Run(
        directory=(options.run_dir or config.root / ".run").resolve(),
        config=config,
        store=the_store(options),
        locked=Inputs.of_tools().locked(),
        world=choose(world, config),
        secrets={name: os.environ[name] for name in names if os.environ.get(name)},
    )
