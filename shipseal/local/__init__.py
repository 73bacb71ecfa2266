"""Stand-ins that make a dry run work without an account or a network. Only `shipseal.engine.world` imports them.

Every name in here says that it is local: nothing that these parts say is worth anything outside the run that made it.
"""
