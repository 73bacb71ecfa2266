"""Have the tools that are locked and those that would be look at the same sample, and say in what they differ.

The sample is the pipeline's own project: one dry run of it by the tools as they are; then `verify` alone by the new
ones, which read what the old ones have signed; then all stages again that a new tool takes part in.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from shipseal.digest import Digest
from shipseal.documents.image import ImageDocument
from shipseal.documents.sbom import CycloneDxDocument, SpdxDocument, SyftDocument
from shipseal.documents.scan import ScanDocument
from shipseal.documents.verdict import VerdictDocument
from shipseal.documents.verify import VerificationDocument
from shipseal.engine.run import Event, Run
from shipseal.engine.run_contents import RunContents
from shipseal.engine.schedule import execute, wanted
from shipseal.engine.stage import Stage
from shipseal.engine.table import TABLE
from shipseal.engine.world import choose
from shipseal.errors import ShipsealError, ToolFailed, VerificationFailed, exit_code, flatten
from shipseal.evidence.tool_answers import Answers, Things, ToolDifference, accepted, differences, found, judged, listed
from shipseal.locked import locks
from shipseal.locked.inputs import TOOLS, Inputs
from shipseal.locked.store import Store
from shipseal.locked.store_cleaning import in_use
from shipseal.platforms import Platform
from shipseal.project.config import Config
from shipseal.relocking.relock import Relocked

_STAGES = wanted(TABLE, "deploy")  # which renders the manifests, and has no cluster
_GATHERED = {"facts", "inputs", "tools"}  # what came from outside is the same
_EARLIER = "signatures that were there"


class SampleComparison:
    """What came of the comparison: nothing was compared as long as `differences` is None."""

    differences: tuple[ToolDifference, ...] | None = None

    def __init__(self, config: Config, store: Store, say: Callable[[str], None]) -> None:
        self._config, self._store, self._say = config, store, say

    async def check(self, chosen: Iterable[Relocked]) -> None:
        """Compare where the lock of the tools is another; raise `ShipsealError` where the sample does not go through.

        Raises:
            ToolFailed: a tool fails, or says what nobody can read any more.
            VerificationFailed: a new tool does not accept what both verifiers accepted before.
            PolicyDenied: by what the new tools find the sample is not admitted.
        """
        for each in chosen:
            if each.lock == TOOLS / "tools.lock.toml" and each.new != each.old:
                old, new = (_digests(text) for text in (each.old, each.new))
                with tempfile.TemporaryDirectory(prefix="sample-") as scratch, in_use(self._store):
                    directory = Path(scratch, "run")
                    self.differences = await compare(directory, self._config, self._store, old, new, say=self._say)


async def compare(
    directory: Path,
    config: Config,
    store: Store,
    old: Mapping[str, Digest],
    new: Mapping[str, Digest],
    *,
    say: Callable[[str], None],
    as_of: datetime | None = None,
) -> tuple[ToolDifference, ...]:
    """Run a project's dry run with two sets of tools in one run directory; return what they say otherwise.

    Args:
        directory: the run directory.
        config: the project.
        store: where both sets of tools lie.
        old: the sha256 of each tool as locked.
        new: the same, of those that would be.
        say: told of each stage that ends.
        as_of: the time that dates are judged against; now by default.

    Raises:
        ShipsealError: it does not go through, with one set or the other.
    """

    def run(locked: Mapping[str, Digest], whose: str) -> Run:
        def observe(event: Event) -> None:
            if event.kind == "finished":
                say(f"the sample, by the tools {whose}: {event.stage}: {event.text}")

        world = choose("dry-run", config)
        return Run(directory, config, store, locked, world, observe=observe, as_of=as_of)

    before, after = run(old, "as they are"), run(new, "as they would be")
    await _through(before, _STAGES)
    was = answers(directory)
    await _through(after, [stage for stage in _STAGES if stage.name == "verify"])
    earlier = accepted(VerificationDocument.read(RunContents(directory)), _EARLIER)
    await _through(after, [stage for stage in _STAGES if stage.name not in _GATHERED])
    return tuple(differences({**was, _EARLIER: was["signatures"]}, {**answers(directory), **earlier}))


async def _through(run: Run, stages: Iterable[Stage]) -> None:
    """Run stages; raise `ShipsealError` for what has to be told first where they fail."""
    run.begin()
    try:
        await execute(stages, run.once)
    except* ShipsealError as group:
        failures = [each for each in flatten(group) if isinstance(each, ShipsealError)]
        worst = next(each for each in failures if each.exit_code == exit_code(failures))
        why = [f"in {worst.stage or 'the run'}: {worst.what}", *worst.why]
        raise type(worst)("the sample does not go through", why=why, remedy=worst.remedy) from None
    run.end()


def answers(directory: Path) -> Answers:
    """Read what the tools have said from a run directory; raise `ToolFailed` for what has another shape."""
    told: dict[str, Things] = {}
    left = RunContents(directory)
    try:
        reports = ScanDocument.read(left).root
        for platform in sorted(ImageDocument.read(left).platforms):
            of = Platform.parse(platform).directory
            syft, cyclonedx = SyftDocument.read(left, of), CycloneDxDocument.read(left, of)
            told.update(listed(platform, syft, cyclonedx, SpdxDocument.read(left, of)))
            told.update(found(platform, reports[platform]))
        told.update(judged(VerdictDocument.read(left)))
        told.update(accepted(VerificationDocument.read(left)))
        told["manifests"] = {"rendered": {"sha256": str(Digest.of_file(directory / "deploy" / "rendered.yaml"))}}
    except (OSError, KeyError, VerificationFailed) as error:
        raise ToolFailed("what the tools say of the sample has another shape", why=str(error)) from error
    return told


def _digests(text: str) -> dict[str, Digest]:
    platform = Inputs.of_tools().platform
    return {tool.name: tool.digest(platform) for tool in locks.tools(text, "tools.lock.toml").values()}
