"""`plan`: what a release would write outside, where and as whom, before it does. It writes nothing.

What the image is, and where the tags are, is known when the image of the run directory still is what a release would
build; what is to be signed, when it has been judged there today. A release scans and judges anew.
"""

import argparse
import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.digest import Digest
from shipseal.distribution.moving import Moves
from shipseal.documents.attest import EffectsDocument, Kind
from shipseal.documents.image import ImageDocument
from shipseal.documents.run_start import BegunRun
from shipseal.engine.run import Run
from shipseal.engine.schedule import wanted
from shipseal.engine.stage import Context, Stage
from shipseal.engine.table import RECORDED, TABLE
from shipseal.engine.world import choose
from shipseal.errors import UsageError
from shipseal.evidence.effects import NONE, counted
from shipseal.evidence.foreseeing import Foreseen, foresee, look_there, of_image
from shipseal.locked.inputs import Inputs
from shipseal.oci.layout import Layout
from shipseal.project.config import Config, Sign
from shipseal.signing.services import services_of
from shipseal.signing.signer import Signer, release_signer
from shipseal.tools.toolbox import Toolbox

_TOOLS = frozenset({"oras", "cosign"})
_MISSING = {
    "": (),
    "image": ("tag       known when the image is built: run `shipseal release --to image`",),
    "admit": ("sign      known when it is judged: run `shipseal release --to test,smoke,admit`",),
    "signer": ("sign      what is known when somebody can sign: each statement is compared with what is signed",),
}


@dataclass(frozen=True)
class ReleasePlan:
    """What a release would write.

    Args:
        repository: where it would push.
        digest: what it would push; None where nothing is built yet.
        tags: which tags would move, and which stay.
        signer: who would sign, in words.
        logs: where every signature would be written down.
        effects: each thing that would be there afterwards.
        missing: the stage up to which something has to be run before all is known, or "signer"; "" where all is known.
    """

    repository: str
    digest: Digest | None
    tags: Moves
    signer: str
    logs: tuple[str, ...]
    effects: EffectsDocument = NONE
    missing: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "event": "plan",
            "repository": self.repository,
            "digest": str(self.digest) if self.digest else None,
            "signer": self.signer,
            "tags": {name: str(at) if at else None for name, at in self.tags.before.items()},
            "stay": dict(self.tags.stay),
            "logs": list(self.logs),
            "effects": self.effects.as_json()["effects"],
            "missing": self.missing,
        }

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        yield f"push      {self.repository}@{self.digest or '(not built yet)'}"
        yield f"sign      as {self.signer}"
        for log in self.logs:
            yield f"log       {log}, where the signer's identity stays for good"
        for name, at in self.tags.before.items():
            there = "there already" if at and at == self.digest else f"from {at}" if at else "new"
            yield f"tag       {name} ({there})"
        for name, newer in self.tags.stay.items():
            yield f"stays     {name} (at {newer}, which is newer)"
        yield from (each.line() for each in self.effects.effects if each.kind is not Kind.TAG)
        yield from _MISSING[self.missing]
        yield f"effects   {', '.join(counted(self.effects)) or 'none: all of it is there already'}"
        yield "nothing was written"


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("plan", help="what a release would write outside, before it does", description=__doc__)
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Ask the registry what it has, and print the plan."""
    config = Config.load(options.config)
    with tempfile.TemporaryDirectory(prefix="plan-") as scratch:
        plan = run_async(lambda: _plan(options, config, Path(scratch)))
    print(json.dumps(plan.as_json()) if options.json else "\n".join(plan.lines()))
    return 0


def _kept(release: Run, rows: Sequence[Stage]) -> bool:
    """Say whether a release would keep what is there of some rows, were it this run that goes on."""
    return all((release.directory / row.name).is_dir() if row.always_run else release.kept(row) for row in rows)


async def _plan(options: argparse.Namespace, config: Config, scratch: Path) -> ReleasePlan:
    release = shared.open_run(options, "release", TABLE)
    tools = Toolbox(shared.the_store(options), Inputs.of_tools().locked(), _TOOLS, scratch / "log.txt")
    where, services = config.image.repository, services_of(config.sign.signing_config)
    async with choose("release", config).registry(tools, None) as registry:
        if not _kept(release, wanted(TABLE, "image")):
            await registry.tags()  # whether it lets this login in
            _, signer = await _foreseen(tools, config.sign, None)
            return ReleasePlan(where, None, Moves({}, {}), signer, services.logs, missing="image")
        image = ImageDocument.parse((release.directory / "image" / "image.json").read_bytes())
        layout = Layout.of_image(release.directory / "image" / "layout", image.digest)
        there = await look_there(registry, image, layout, scratch, latest=config.registry.latest)
    context = await _judged(release, tools, scratch)
    see = (lambda signer: foresee(context, image, layout, signer, there, scratch)) if context else None
    foreseen, signer = await _foreseen(tools, config.sign, see)
    missing = "" if foreseen else "signer" if context else "admit"
    effects = foreseen.effects if foreseen else of_image(where, image, layout, there)
    return ReleasePlan(where, image.digest, there.moves, signer, services.logs, effects, missing)


async def _judged(release: Run, tools: Toolbox, scratch: Path) -> Context | None:
    """Return what the stage that signs would see, with today's facts; None where the image is not judged yet."""
    with suppress(OSError, ValueError):
        earlier = BegunRun.model_validate_json((release.directory / BegunRun.NAME).read_bytes())
        release = replace(release, run_id=earlier.run_id)  # live stages are kept inside one run
    rows = {row.name: row for row in TABLE}
    if not _kept(release, [rows[name] for name in RECORDED if name != "facts"]):
        return None
    copy = replace(release, directory=scratch / "run")
    (scratch / "run").mkdir()
    for name in RECORDED:
        if name != "facts":
            (copy.directory / name).symlink_to(release.directory / name)
    await copy.perform(rows["facts"])
    out = scratch / "attest"
    out.mkdir()
    now = datetime.now(UTC)
    shared_parts = (copy.config, copy.store, tools, copy.world)
    return Context(rows["attest"], copy.directory, out, *shared_parts, now, lambda _: None)


async def _foreseen(
    tools: Toolbox, sign: Sign, see: Callable[[Signer], Awaitable[Foreseen]] | None
) -> tuple[Foreseen | None, str]:
    """Return what a release by this signer would do, where anybody can know, and who that is in words."""
    async with AsyncExitStack() as stack:
        try:
            signer = await stack.enter_async_context(release_signer(tools, sign))
        except UsageError as error:
            return None, f"nobody yet: {error.what}"
        identity = signer.promise({}).who.identity
        words = f"{identity}, a key of your own" if signer.key else f"{identity}, certified by {signer.authority}"
        return (await see(signer) if see else None), words
