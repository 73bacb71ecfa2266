"""Release a small image from a machine that can be killed: `python -m tests.release.machine`, a line for each run.

Each line of its input names a checkout and an environment. It starts a process for it, in which everything that a
release imports is there already, says the process's number, and how it ended. What comes before `attest` stands in.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from shipseal.engine.run import Run
from shipseal.engine.stage import Context, Stage
from shipseal.engine.table import TABLE
from shipseal.engine.world import choose
from shipseal.errors import ShipsealError
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store, default_root
from shipseal.project.config import Config
from tests import upstream


async def image(context: Context) -> str:
    """Write the image of the stand-in, for this project's registry."""
    told = await upstream.image(context)
    path = context.out / "image.json"
    path.write_text(path.read_text().replace(upstream.NAME, context.config.image.repository))
    return told


async def scan(context: Context) -> str:
    """Write what the stand-in has found, or what the project's `matches.json` says instead, by no sample."""
    told = await upstream.scan(context)
    matches = context.config.root / "matches.json"
    if matches.exists():
        report = {**upstream.GRYPE, "matches": json.loads(matches.read_bytes())}
        context.write_json("grype.json", dict.fromkeys(upstream.PLATFORMS, report))
    path = context.out / "database.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sample": False}))
    return told


PLATFORMS = upstream.PLATFORMS = ("linux/amd64",)  # a release that is killed costs as much as there is to sign
OWN = {"image": image, "scan": scan}
ROWS: tuple[Stage, ...] = (
    *(replace(row, own=OWN.get(row.name, row.own)) for row in upstream.BEFORE),
    *(row for row in TABLE if row.name in {"attest", "publish", "verify", "promote"}),
)


async def release(root: Path, store: Store) -> None:
    """Run the table as `release` does, one stage after another; what is kept of a run that was killed is kept."""
    config = Config.load(root / "pipeline.toml")
    run = Run(root / ".run", config, store, Inputs.of_tools().locked(), choose("release", config, agreed=True))
    run.begin()
    for row in ROWS:
        if run.kept(row) is None:
            await run.perform(row)
    run.end()


def one(root: Path, environment: Mapping[str, str]) -> int:
    """Release once; return the exit code, and leave what went wrong beside the checkout."""
    store = Store(default_root(os.environ))
    os.environ.update(environment)
    with root.with_suffix(".said").open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        try:
            anyio.run(release, root, store)
        except ShipsealError as failure:
            said.write(failure.explain())
            return failure.exit_code
    return 0


def say(name: str, value: int) -> None:
    """Tell whoever has started this."""
    sys.stdout.write(f"{json.dumps({name: value})}\n")
    sys.stdout.flush()


def main() -> None:
    """Answer each line of the input."""
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        process = os.fork()
        if not process:
            code = 1
            try:
                upstream.LAYER = order["image"] or upstream.LAYER
                code = one(Path(order["root"]), order["environment"])
            finally:
                os._exit(code)
        say("process", process)
        _, status = os.waitpid(process, 0)
        say("code", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
