"""What the verbs about released images share: their options, what they work with, and how they tell."""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shipseal import terminal_text
from shipseal.cli import options as shared
from shipseal.cli.log_in import ask
from shipseal.cli.progress import progress
from shipseal.engine.run import Event
from shipseal.engine.world import choose
from shipseal.locked.inputs import Inputs
from shipseal.locked.store_cleaning import in_use
from shipseal.project.config import Config
from shipseal.released.release_context import TOOLS, ReleaseContext
from shipseal.tools import loopback
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox


@contextmanager
def ground(options: argparse.Namespace, config: Config, *, agreed: bool) -> Iterator[ReleaseContext]:
    """Give what a verb works with, for as long as the block runs; its files are gone afterwards.

    Args:
        options: of the verb, which is named by them.
        config: the project.
        agreed: whether the registry may be written to, and signatures made.
    """
    config.require({"policy"})
    loopback.bring_up()
    browser = ask(config.sign, may_ask=agreed and not options.yes)
    store, began = shared.the_store(options), time.monotonic()
    with (
        in_use(store),
        tempfile.TemporaryDirectory(prefix=f"shipseal-{options.name}-") as scratch,
        progress(options) as show,
    ):
        work = Path(scratch)
        tools = Toolbox(store, Inputs.of_tools().locked(), TOOLS, work / "log.txt", network_environment())

        def say(text: str) -> None:
            show(Event(options.name, "progress", text, time.monotonic() - began))

        world = choose("release", config, agreed=agreed, browser=browser)
        yield ReleaseContext(config, tools, world, work, datetime.now(UTC), say, store, show)


def tell(options: argparse.Namespace, event: Mapping[str, Any], lines: Iterable[str]) -> None:
    """Print a result; what others have written is in it, and is shown as such."""
    print(json.dumps(event) if options.json else "\n".join(map(terminal_text.line, lines)))
