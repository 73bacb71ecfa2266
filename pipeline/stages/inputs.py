"""Row zero, beside `facts`: have everything that the locks name in the store, and say what it is."""

import anyio.to_thread

from pipeline.engine.stage import Context
from pipeline.locked.fetch import fill
from pipeline.locked.inputs import Inputs


async def inputs(context: Context) -> str:
    """Write inputs.json: name, version, file name and digest of every wheel, Debian package and tool.

    What the store lacks is fetched; with everything there, no network is needed and nothing is written outside.
    """
    wanted = Inputs.of(context.config)
    fetched = await fill(wanted, context.tools, context.store, context.say, context.store.has)
    listing = await anyio.to_thread.run_sync(wanted.listing, context.store)
    context.write_json("inputs.json", listing)
    counts = [
        f"{len({entry['digest'] for entries in listing['wheels'].values() for entry in entries})} wheels",
        f"{len({entry['digest'] for entries in listing['debian'].values() for entry in entries})} Debian packages",
        f"{len(listing['tools'])} tools",
    ]
    return ", ".join(counts) + (f", {len(fetched.names())} of them fetched now" if fetched else ", all from the store")
