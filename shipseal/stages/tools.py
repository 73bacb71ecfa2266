"""Row zero too, beside `inputs`: have every locked tool in the store, and say where it came from.

To build them takes minutes, and what needs none of them need not wait: the service is built, tested and made an image
meanwhile.
"""

import os

import anyio.to_thread

from shipseal.engine.stage import Context
from shipseal.locked import mirrors
from shipseal.locked.fetch import fill
from shipseal.locked.inputs import Inputs
from shipseal.locked.mirrors import DownloadWatch
from shipseal.locked.store import BUILT


async def tools(context: Context) -> str:
    """Write tools.json: version, digest and origin of every tool. What the store lacks a mirror has, or it is built."""
    wanted, store = Inputs.of_tools(), context.store
    places = mirrors.named(context.config.inputs.mirrors, os.environ)
    wrong: list[str] = []
    watch = DownloadWatch(context.count, wrong.append)
    fetched = await fill(wanted, context.tools, store, context.say, store.has, places, watch=watch)
    listing = await anyio.to_thread.run_sync(wanted.verified_tools, store)
    listing.write(context)
    if not fetched:
        return f"{len(listing.root)} tools, all from the store"
    built = sum(listing.root[tool.name].source == BUILT for tool in fetched.tools)
    came = f"{len(listing.root)} tools, {len(fetched.tools)} of them fetched now, and {built or 'none'} of these built"
    return "; ".join((came, *wrong))
