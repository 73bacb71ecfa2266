"""`store verify-tools`: build the locked tools from source again, and compare them with the lock and with mirrors."""

import argparse
import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.errors import RemoteFailed, ShipsealError, VerificationFailed
from shipseal.locked.fetch import PROGRAMS
from shipseal.locked.inputs import TOOLS, Inputs
from shipseal.locked.mirror_places import place
from shipseal.locked.store_cleaning import in_use
from shipseal.relocking.tool_check import ToolComparison, chosen, compare
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox


def add(actions: Verbs) -> None:
    """Describe the action."""
    verify = actions.add_parser(
        "verify-tools",
        help="build the locked tools from source again, and compare",
        description="Build locked tools from source with empty caches, and compare each with the lock and with what "
        "mirrors give. All of them take some twenty minutes of two cores, and some GB below $TMPDIR meanwhile.",
    )
    verify.add_argument("tools", nargs="*", metavar="TOOL", help="of tools.lock.toml; default: all")
    verify.add_argument(
        "--mirror", action="append", default=[], metavar="PLACE", help="oci://…, https://… or a directory"
    )
    verify.add_argument(
        "--platform", metavar="OS/ARCHITECTURE", help="what they are built for; default: this machine's"
    )
    verify.set_defaults(verb=run)
    shared.without_project(verify)


def run(options: argparse.Namespace) -> int:
    """Compare, and say of each tool what came of it; exit code 6 where one differs."""
    locked, store = Inputs.of_tools(), shared.the_store(options)
    inputs = replace(locked, tools=chosen(locked, options.tools), platform=options.platform or locked.platform)
    places = [place(text) for text in options.mirror]
    for tool in inputs.tools:
        tool.digest(inputs.platform)  # which says where there is none, before anything is built
    with tempfile.NamedTemporaryFile(prefix="verify-tools-", suffix=".log") as log, in_use(store):
        tools = Toolbox(store, {}, frozenset(PROGRAMS), Path(log.name), network_environment())
        found = run_async(partial(compare, inputs, tools, store, TOOLS, places, shared.say(options)))
    if options.json:
        print(json.dumps({"event": "tools", "platform": inputs.platform, "tools": [_as_json(each) for each in found]}))
    else:
        print("\n".join(line for each in found for line in _lines(each)))
    if failures := list(_failures(found)):
        raise ExceptionGroup("tools", failures)
    return 0


def _lines(compared: ToolComparison) -> list[str]:
    name = f"{compared.tool.name} {compared.tool.version} for {compared.platform}"
    same = compared.built == compared.locked
    lines = [f"{name}: built from source it is {'what the lock names' if same else 'OTHER BYTES'}"]
    for each in compared.given:
        told = f"not compared: {each.why}"
        if each.digest:
            told = "gives the same" if each.digest == compared.locked else "gives OTHER BYTES"
        lines.append(f"  {each.mirror}: {told}")
    return lines


def _as_json(compared: ToolComparison) -> dict[str, Any]:
    mirrors = [
        {"mirror": each.mirror, "digest": str(each.digest) if each.digest else None, "why": each.why}
        for each in compared.given
    ]
    return {
        "name": compared.tool.name,
        "version": compared.tool.version,
        "locked": str(compared.locked),
        "built": str(compared.built),
        "mirrors": mirrors,
    }


def _failures(found: list[ToolComparison]) -> list[ShipsealError]:
    failures: list[ShipsealError] = []
    if lines := [line for each in found for line in each.differences()]:
        remedy = (
            "use none of these bytes; if the lock is what is wrong, make it again by `update-locks tools`, for review"
        )
        failures.append(
            VerificationFailed(f"{len(lines)} of the tools are not what the lock names", why=lines, remedy=remedy)
        )
    silent = [
        f"{each.tool.name} from {given.mirror}: {given.why}"
        for each in found
        for given in each.given
        if given.listed and not given.digest
    ]
    if silent:
        failures.append(RemoteFailed("a mirror does not give what it lists", why=silent, remedy="put it there again"))
    return failures
