"""`python -m pipeline`: the command under the name that it had first. It is for a checkout; no wheel holds it."""

import sys

# As in `shipseal.__main__`: what lies where one stands is no module of ours.
if not (sys.flags.safe_path or __file__.startswith(f"{sys.path[0]}/")):
    del sys.path[0]

from shipseal.__main__ import start

sys.exit(start())
