"""Row zero, beside `facts`: have what the project's locks name in the store, and say what it is."""

import os
from dataclasses import replace

import anyio.to_thread

from shipseal.engine.stage import Context
from shipseal.locked import mirrors, pythons
from shipseal.locked.fetch import fill
from shipseal.locked.inputs import Inputs, packages_of
from shipseal.locked.mirrors import DownloadWatch


async def inputs(context: Context) -> str:
    """Write inputs.json: name, version, file name and digest of every wheel and Debian package, and of locked tools.

    What the store lacks is fetched, but for tools, which are there once `tools` has ended. With everything there, no
    network is needed and nothing is written outside.
    """
    pythons.require(context.config, packages_of(context.config))
    wanted = Inputs.of(context.config)
    places = mirrors.named(context.config.inputs.mirrors, os.environ)
    wrong: list[str] = []
    apart = replace(wanted, tools=())
    fetched = await fill(
        apart,
        context.tools,
        context.store,
        context.say,
        context.store.has,
        places,
        watch=DownloadWatch(context.count, wrong.append),
    )
    listing = await anyio.to_thread.run_sync(wanted.listing, context.store)
    listing.write(context)
    counts = [
        f"{len({wheel.digest for group in listing.wheels.values() for wheel in group})} wheels",
        f"{len({package.digest for group in listing.debian.values() for package in group})} Debian packages",
    ]
    came = f"{len(fetched.names())} of them fetched now" if fetched else "all from the store"
    return "; ".join((f"{', '.join(counts)}, {came}", *wrong))
