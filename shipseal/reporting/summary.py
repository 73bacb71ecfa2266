"""Sum up a run: one line a stage, then what was real, what was a local stand-in, and what was not run. Pure.

Pure: what `evidence` found in a run directory in, lines out. "Not run" is a value with a reason, and nothing here says
more than the evidence does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import assert_never

from shipseal.documents.deploy import DeployDocument, DeployState
from shipseal.documents.image import ImageDocument
from shipseal.documents.previous_image import EarlierImage
from shipseal.documents.scan import DatabaseDocument
from shipseal.documents.smoke import Emulated, SmokeDocument
from shipseal.errors import ShipsealError
from shipseal.reporting.documents import Documents


class StageOutcome(Enum):
    """How a stage ended, as far as its directory and the failures of this run tell."""

    DONE = "done"
    KEPT = "kept"
    DENIED = "denied"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Row:
    """One stage: how it ended, how many seconds it took (`None` when it did not finish), and its most telling fact."""

    stage: str
    outcome: StageOutcome
    seconds: float | None
    text: str


@dataclass(frozen=True)
class Fact:
    """A sentence, and the file of the run directory, as `STAGE/FILE`, that supports it; empty where none does."""

    text: str
    source: str = ""


@dataclass(frozen=True)
class Timing:
    """When a stage began and ended, and which stages it had to wait for."""

    started: datetime
    finished: datetime
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunSummary:
    """What is to be said of a run.

    Args:
        world: `dry-run` or `release`; empty when the directory does not tell.
        run_id: the identity of the run; empty when the directory does not tell.
        rows: every stage of the table, in its order.
        documents: what stages wrote.
        failures: what ended the run, if anything did.
        products: the digest of every product of the finished stages, by `STAGE/FILE`.
        as_of: the time that dates were judged against, RFC 3339; empty when that was the time of the run.
        timings: of the finished stages whose records tell it.
        policy: where the project keeps who may sign what, as somebody in its directory would type it.
        before: the image of the last release's run, where somebody has named that run.
    """

    world: str
    run_id: str
    rows: tuple[Row, ...]
    documents: Documents
    failures: tuple[ShipsealError, ...]
    products: Mapping[str, str]
    as_of: str = ""
    timings: Mapping[str, Timing] = field(default_factory=dict)
    policy: str = "policy"
    before: EarlierImage | None = None

    def finished(self, stage: str) -> bool:
        """Say whether a stage has left its evidence."""
        return any(row.stage == stage and row.outcome in {StageOutcome.DONE, StageOutcome.KEPT} for row in self.rows)

    @property
    def sample(self) -> bool | None:
        """Whether the vulnerability database was the sample, for which one that nobody knows is taken; or `None`."""
        database = self.documents.get(DatabaseDocument)
        return database.sample if database else True if DatabaseDocument in self.documents else None

    @property
    def locally_signed(self) -> bool:
        """Whether the signatures there are come from the local test authority."""
        return self.world != "release" and self.finished("attest")


def lines(summary: RunSummary) -> list[str]:
    """Return the summary as a terminal shows it."""
    width = max((len(row.stage) for row in summary.rows), default=0)
    shown = [
        f"{row.stage:<{width}}  {_seconds(row.seconds):>8}  {row.outcome.value:<10}  {row.text}".rstrip()
        for row in summary.rows
    ]
    for title, facts in (
        ("real", real(summary)),
        ("local stand-in", stand_ins(summary)),
        ("not run", not_run(summary)),
    ):
        shown += ["", f"{title}:", *(f"  {fact}" for fact in facts or ("nothing",))]
    return shown


def real(summary: RunSummary) -> list[str]:
    """Return what was done by the real thing, as a release does it."""
    return [fact.text for fact in really(summary)]


def stand_ins(summary: RunSummary) -> list[str]:
    """Return what a local stand-in did, and what that means."""
    return [fact.text for fact in stood_in(summary)]


def not_run(summary: RunSummary) -> list[str]:
    """Return what was not done, each with its reason."""
    return [fact.text for fact in left_undone(summary)]


def really(summary: RunSummary) -> list[Fact]:
    """Return what was done by the real thing, each with the file that shows it."""
    facts = [Fact(fact, f"{stage}/record.json") for stage, fact in _REAL if summary.finished(stage)]
    if _deployed(summary):
        said = "the API server of Kubernetes, which admitted and applied what was rendered"
        facts.append(Fact(said, "deploy/receipt.json"))
    return [*facts, *_runtime(summary, real=True), *_database(summary, sample=False)]


def stood_in(summary: RunSummary) -> list[Fact]:
    """Return what a local stand-in did, each with the file that shows it."""
    facts = [*_runtime(summary, real=False), *_database(summary, sample=True)]
    if summary.world == "release":
        return facts
    if _rehearsed(summary):
        said = (
            "the nodes of the cluster: played by kwok, which reports what a kubelet would; no container ran, no image "
            "was pulled, no probe was asked and no network policy held"
        )
        facts.append(Fact(said, "deploy/receipt.json"))
    return facts + [Fact(fact, f"{stage}/record.json") for stage, fact in _STAND_INS if summary.finished(stage)]


def left_undone(summary: RunSummary) -> list[Fact]:
    """Return what was not done, each with the file that shows it, where anything does."""
    waiting = [row for row in summary.rows if row.outcome in {StageOutcome.NOT_RUN, StageOutcome.UNFINISHED}]
    facts = [Fact(f"{row.stage}: {row.text}") for row in waiting]
    if summary.world != "release":
        remote = "the public Sigstore, the configured registry and"
        cluster = "the configured cluster" if _rehearsed(summary) else "a cluster"
        facts.append(Fact(f"{remote} {cluster}: a dry run asks for none of them", "run.json"))
    return facts + list(_platforms(summary))


def warnings(summary: RunSummary) -> list[str]:
    """Return what every output must say first: another day's dates, the sample database, signatures of no worth."""
    said = []
    if summary.as_of:
        said.append(f"Dates were judged as of {summary.as_of}, not of the day of this run.")
    if summary.sample:
        said.append("The vulnerability database is a SAMPLE of a few advisories: what it does not find may be there.")
    if summary.locally_signed:
        said.append("Signed by a local test authority: nobody else trusts these signatures, and nobody should.")
    return said


def describe(outcome: StageOutcome, failure: ShipsealError | None, ended: bool) -> str:
    """Return what a row without a record says; `ended` tells whether the run has stopped on a failure."""
    match outcome:
        case StageOutcome.DENIED | StageOutcome.FAILED:
            return failure.what if failure else "failed"
        case StageOutcome.UNFINISHED:
            return "stopped before it had finished"
        case StageOutcome.NOT_RUN:
            return "the run ended before it" if ended else "not asked for"
        case StageOutcome.DONE | StageOutcome.KEPT:
            return ""
    assert_never(outcome)


_REAL: Sequence[tuple[str, str]] = (
    ("build", "the wheel, by the project's own build backend"),
    ("test", "the service's own tests, against that wheel"),
    ("image", "the image: the bytes that a release publishes"),
    ("sbom", "Syft"),
    ("scan", "Grype"),
    ("attest", "Cosign, which signed every statement"),
    ("publish", "ORAS, which pushed by digest and read everything back"),
    ("verify", "sigstore-python and Cosign, which verified independently and agreed"),
)
_SMOKE = "smoke/smoke.json"
_STAND_INS: Sequence[tuple[str, str]] = (
    ("attest", "Sigstore: signed by a local test authority; nobody else trusts these signatures"),
    ("publish", "the registry: olareg on loopback, alive only while a stage needed it"),
)


def _deployed(summary: RunSummary) -> bool:
    receipt = summary.documents.get(DeployDocument)
    return receipt is not None and receipt.state is DeployState.DEPLOYED


def _rehearsed(summary: RunSummary) -> bool:
    return summary.world != "release" and _deployed(summary)


def _database(summary: RunSummary, *, sample: bool) -> Iterator[Fact]:
    if summary.sample is not sample:
        return
    database = summary.documents.get(DatabaseDocument)
    if sample:
        said = "the vulnerability database: a SAMPLE of a few advisories, which judges nothing but the rules"
    else:
        said = f"the vulnerability database, built {database.built if database else 'at a time that nobody knows'}"
    yield Fact(said, "scan/database.json")


def _platforms(summary: RunSummary) -> Iterator[Fact]:
    """Yield the platforms of the image that `smoke` did not start."""
    image, smoke = summary.documents.get(ImageDocument), summary.documents.get(SmokeDocument)
    if image is None or smoke is None:
        return
    for platform in image.platforms:
        how = smoke.emulated.get(platform)
        if platform != smoke.platform and not isinstance(how, Emulated):
            why = f"; {how.why}" if how and how.why else ""
            yield Fact(f"smoke on {platform}: the image was started on {smoke.platform} only{why}", _SMOKE)


def _runtime(summary: RunSummary, *, real: bool) -> Iterator[Fact]:
    """Yield what the image was started by: Docker is the real thing, anything else says what it lacks."""
    smoke = summary.documents.get(SmokeDocument)
    if smoke is None:
        return
    for platform, how in smoke.emulated.items():
        if not real and isinstance(how, Emulated):
            said = f"the processor of {platform}: {how.by}, which answered {how.requests} requests"
            yield Fact(said, _SMOKE)
    if (smoke.isolation == "docker") is not real:
        return
    if real:
        yield Fact("Docker, which started the image", _SMOKE)
    else:
        yield Fact(f"the container runtime: {smoke.isolation}; isolation: {smoke.limits}", _SMOKE)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
