"""`init`: look at somebody's project, and write what the pipeline needs to know of it, each line with its reason.

Nothing that is there is overwritten, and all is written or nothing. To decide, nothing of the project is run or
imported; then its image is made and started once, to see what it needs besides.
"""

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.first_image import advice, learn, waivers, without_excuse
from shipseal.cli.verbs import Verbs
from shipseal.disk import write, write_new
from shipseal.errors import UsageError
from shipseal.locked import pythons
from shipseal.project.config import HOME
from shipseal.project.reads import DEFAULT_POLICY, FILENAME
from shipseal.scaffold import config_writer
from shipseal.scaffold.choosing import choose
from shipseal.scaffold.config_writer import Learned
from shipseal.scaffold.detection import look
from shipseal.scaffold.plan import ScaffoldPlan, plan
from shipseal.terminal_text import line
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox

_WAIVERS = "waivers.toml"
_POLICY = ("rules.toml", "verification.toml", _WAIVERS)


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("init", help="write pipeline.toml, locks and a policy for a project", description=__doc__)
    verb.add_argument("root", nargs="?", type=Path, default=Path(), metavar="DIR", help="the project; default: here")
    verb.add_argument(
        "--callable", default="", metavar="MODULE:NAME", help="the application, where several look like one"
    )
    verb.add_argument("--yes", action="store_true", help="do not ask before anything is written")
    shared.without_project(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Decide, ask, lock, write, make and start the image to see what it needs, and say what to type next."""
    root = options.root.resolve()
    found = look(root)
    decided = plan(found.files, found.modules, found.tests, found.origin, options.callable, pythons.offered())
    pythons.require_newer(decided.python)
    _require_free(root, decided)
    text = config_writer.configuration(decided, Learned())
    if not options.json:
        print(text)
    if not options.yes:
        _ask()
    with tempfile.NamedTemporaryFile(prefix="init-", suffix=".log") as log:
        tools = Toolbox(shared.the_store(options), {}, frozenset({"python"}), Path(log.name), network_environment())
        locks = run_async(lambda: choose(tools, decided, shared.say(options)))
    files = _files(decided, text, locks)
    write_new(root, files)
    options.config, options.run_dir = root / FILENAME, None
    try:
        learned, remarks = learn(options, decided)
    except Exception:
        shared.say(options)(f"all is written, {FILENAME} too: put right what follows, and go on with `dry-run`")
        raise
    against = without_excuse(root, options.config)
    write(root / "policy" / _WAIVERS, waivers(files[f"policy/{_WAIVERS}"], against, datetime.now(UTC)))
    _end(options, files, learned, [*remarks, *advice(against)])
    return 0


def _end(options: argparse.Namespace, files: dict[str, str], learned: Learned, remarks: list[str]) -> None:
    if options.json:
        shown = {"written": sorted(files), "extra_packages": dict(learned.packages), "writable": learned.writable}
        print(json.dumps({"event": "init", **shown, "to_do": remarks}))
        return
    print("\n".join(f"wrote  {name}" for name in sorted(files)))
    print("".join(f"\nto do: {line(each)}\n" for each in remarks), end="")
    print(f"\nnext: commit them, and type `shipseal dry-run`{_there(options.root)}")


def _names(decided: ScaffoldPlan) -> list[str]:
    locks = [f"{path}.{ending}" for path in config_writer.LOCKS.values() for ending in ("in", "lock")]
    return [FILENAME, *locks, *(f"policy/{name}" for name in _POLICY), *decided.more]


def _require_free(root: Path, decided: ScaffoldPlan) -> None:
    if there := [name for name in _names(decided) if (root / name).exists()]:
        raise UsageError(
            f"{there[0]} is there already, and nothing is overwritten",
            why=there[1:],
            remedy="change it, or move it away first",
        )


def _files(decided: ScaffoldPlan, text: str, locks: dict[str, str]) -> dict[str, str]:
    policy = {name: (HOME / DEFAULT_POLICY / name).read_text(encoding="utf-8") for name in _POLICY}
    return {
        FILENAME: text,
        **{f"{config_writer.LOCKS[name]}.in": asked for name, asked in config_writer.requirements(decided).items()},
        **{f"{config_writer.LOCKS[name]}.lock": lock for name, lock in locks.items()},
        **{f"policy/{name}": each for name, each in config_writer.policy(policy, decided).items()},
        **decided.more,
    }


def _ask() -> None:
    if not sys.stdin.isatty() or input("Lock and write this? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was written", remedy="agree, or say --yes where nobody can be asked")


def _there(root: Path) -> str:
    return "" if root == Path() else f" in {root}"
