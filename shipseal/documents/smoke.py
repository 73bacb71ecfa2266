"""What `smoke` leaves: how the started image answered, how its tests went, and which of its files were opened. Pure."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, Tag

from shipseal.documents.document import DigestText, Document, Names, Part, PlatformText, told_by


class SmokeExpected(Part):
    """What an answer had to be; `values` by where they are (JSON Pointer)."""

    status: int
    contains: str
    values: Mapping[str, object] = Field(validation_alias="json", serialization_alias="json")


class SmokeAnswer(Part):
    """How one request was answered; `wrong` has a line for each thing that was not as expected."""

    path: str
    method: str
    status: int
    expected: SmokeExpected
    body: str
    wrong: tuple[str, ...]
    passed: bool


class SuiteRun(Part):
    """How the suite went on the image's files.

    Args:
        run: that it did.
        passed: how many tests did.
        skipped: how many were.
        left_out: tests that the project leaves out, with its reasons.
        modules_not_in_the_image: what was found beside the image, for the tests alone.
        platform: where it ran.
    """

    run: Literal[True] = True
    passed: int
    skipped: int
    left_out: Mapping[str, str]
    modules_not_in_the_image: tuple[str, ...]
    platform: PlatformText


class SuiteNotRun(Part):
    """Why the suite did not run."""

    run: Literal[False] = False
    why: str


class Emulated(Part):
    """How the image of another platform was started, and what by.

    Args:
        started: that it was.
        by: the emulator.
        digest: the platform's manifest.
        requests: how many were answered.
        start_ms: from the start to the first good answer, in milliseconds.
        exit_code: how it ended after SIGTERM.
    """

    started: Literal[True] = True
    by: str
    digest: DigestText
    requests: int
    start_ms: int
    exit_code: int


class NotEmulated(Part):
    """Why the image of another platform was not started."""

    started: Literal[False] = False
    why: str


Suite = Annotated[
    Annotated[SuiteRun, Tag("=run")] | Annotated[SuiteNotRun, Tag("=not run")],
    told_by("run", True, "=run", "=not run"),
]
Elsewhere = Annotated[
    Annotated[Emulated, Tag("=started")] | Annotated[NotEmulated, Tag("=not started")],
    told_by("started", True, "=started", "=not started"),
]


class SmokeDocument(Document):
    """`smoke/smoke.json`.

    Args:
        isolation: `docker`, `bubblewrap` or `loader`.
        why: why it is not a stronger one.
        limits: what is missing from its isolation.
        platform: what was started here.
        digest: its manifest.
        requests: how each was answered.
        start_ms: from the start to the first good answer, in milliseconds.
        resident_kib: memory of the first process then, where it can be read.
        exit_code: how it ended after SIGTERM.
        suite: how the service's own tests went.
        emulated: every other platform.
        started: the manifest of each platform that was started.
    """

    STAGE: ClassVar = "smoke"
    NAME: ClassVar = "smoke.json"

    isolation: str
    why: str
    limits: str
    platform: PlatformText
    digest: DigestText
    requests: tuple[SmokeAnswer, ...]
    start_ms: int
    resident_kib: int | None
    exit_code: int
    suite: Suite
    emulated: Mapping[PlatformText, Elsewhere]
    started: Mapping[PlatformText, DigestText]


class SuiteDocument(Document):
    """`smoke/tests.json`: what a verdict rests on of `smoke.json`, which has times in it. `assess` keeps it."""

    STAGE: ClassVar = "smoke"
    NAME: ClassVar = "tests.json"

    platform: PlatformText
    digest: DigestText
    run: bool
    passed: int


class Workload(Part):
    """What the service was asked to do while its files were watched.

    Args:
        digest: of the requests, the settings and the tests.
        requests: how many.
        tests: how many have passed.
        modules: how many files with code the service has itself.
        loaded: how many of those its processes opened.
    """

    digest: DigestText
    requests: int
    tests: int
    modules: int
    loaded: int


class Watched(Part):
    """Who opened which file; the names are those whose need the service's start does not show.

    Args:
        platform: what was started.
        digest: its manifest.
        workload: what it was asked to do.
        how: by what means it was watched.
        cannot_see: what those do not show.
        files: how many were watched.
        records: how many of them are read by scanners and people, and by no program.
        opened_by_the_service: how many the service's own processes opened.
        loaded: those.
        opened_during_tests_only: what somebody opened later, while the tests ran.
        never_opened: what nobody opened.
    """

    platform: PlatformText
    digest: DigestText
    workload: Workload
    how: str
    cannot_see: tuple[str, ...]
    files: int
    records: int
    opened_by_the_service: int
    loaded: tuple[str, ...]
    opened_during_tests_only: tuple[str, ...]
    never_opened: tuple[str, ...]


NOT_WATCHED: Literal["not watched"] = "not watched"


class NotWatched(Part):
    """Why nobody knows what was opened."""

    how: Literal["not watched"] = NOT_WATCHED
    why: str


Opened = Annotated[
    Annotated[Watched, Tag("=watched")] | Annotated[NotWatched, Tag("=not watched")],
    told_by("how", NOT_WATCHED, "=not watched", "=watched"),
]


class TraceDocument(Names[Opened]):
    """`smoke/trace.json`."""

    STAGE: ClassVar = "smoke"
    NAME: ClassVar = "trace.json"
