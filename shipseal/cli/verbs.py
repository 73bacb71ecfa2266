"""Name what a verb is added to. Pure."""

import argparse
from typing import TypeAlias

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The verbs of a command, or the actions of a verb."""
