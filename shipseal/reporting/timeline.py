"""Lay the stages of a run on a time line: what ran when, what waited, and what the whole took so long for. Pure.

Lengths are in the units of the picture's own system of coordinates, WIDTH across.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from shipseal.reporting.summary import Row, RunSummary, StageOutcome, Timing

WIDTH, LABEL, RIGHT, STEP, TOP = 960, 86, 92, 22, 26
_SPAN = WIDTH - LABEL - RIGHT
_NOTABLE = 0.05  # seconds: a wait that is shorter is the scheduler's own


@dataclass(frozen=True)
class Bar:
    """A stage on the time line.

    Args:
        row: the stage, as the summary has it.
        y: its place from the top.
        x, width: its time; no width where it did not run in this run.
        ready: where the last stage that it needs had ended, when it waited after that.
        waited: for how many seconds it did.
        began: seconds after the first stage began; `None` when it did not run in this run.
        critical: whether the run would have been shorter without it.
    """

    row: Row
    y: float
    x: float = 0.0
    width: float = 0.0
    ready: float = 0.0
    waited: float = 0.0
    began: float | None = None
    critical: bool = False

    @property
    def end(self) -> float:
        """Where its bar ends."""
        return self.x + self.width


@dataclass(frozen=True)
class Timeline:
    """All of them, with a scale.

    Args:
        bars: one for each stage.
        ticks: places across, each with how many seconds it stands for.
        seconds: from the first beginning to the last end.
        critical: the stages, in order, each of which waited for the one before it.
        kept: how many stages were taken from an earlier run.
        waited: how many seconds stages that could have begun did not.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    seconds: float
    critical: tuple[str, ...]
    kept: int
    waited: float

    @property
    def height(self) -> float:
        """The height of the picture."""
        return TOP + STEP * len(self.bars) + 8


def timeline(summary: RunSummary) -> Timeline:
    """Return the time line of what this run did itself; what it kept has no place on it, and is said."""
    own = {row.stage: summary.timings[row.stage] for row in summary.rows if _ran(row, summary)}
    zero = min((each.started for each in own.values()), default=None)
    last = max((each.finished for each in own.values()), default=None)
    seconds = (last - zero).total_seconds() if zero and last else 0.0
    path = _critical(own)
    bars = tuple(_bar(row, index, own, seconds, path) for index, row in enumerate(summary.rows))
    return Timeline(
        bars=bars,
        ticks=_ticks(seconds),
        seconds=seconds,
        critical=path,
        kept=sum(row.outcome is StageOutcome.KEPT for row in summary.rows),
        waited=sum(bar.waited for bar in bars),
    )


def _ran(row: Row, summary: RunSummary) -> bool:
    return row.outcome is StageOutcome.DONE and row.stage in summary.timings


def _critical(own: Mapping[str, Timing]) -> tuple[str, ...]:
    """Walk back from the stage that ended last, each time to the one that was waited for the longest."""
    found: list[str] = []
    at = max(own, key=lambda name: own[name].finished, default=None)
    while at is not None and at not in found:
        found.append(at)
        at = max((name for name in own[at].needs if name in own), key=lambda name: own[name].finished, default=None)
    return tuple(reversed(found))


def _bar(row: Row, index: int, own: Mapping[str, Timing], seconds: float, path: tuple[str, ...]) -> Bar:
    y = TOP + STEP * index
    if row.stage not in own:
        return Bar(row, y)
    zero = min(each.started for each in own.values())
    timing = own[row.stage]
    scale = _SPAN / (seconds or 1)
    began, ended = ((each - zero).total_seconds() for each in (timing.started, timing.finished))
    ready = max(((own[name].finished - zero).total_seconds() for name in timing.needs if name in own), default=began)
    waited = began - ready if began - ready > _NOTABLE else 0.0
    x, width = LABEL + began * scale, max((ended - began) * scale, 1.5)
    return Bar(row, y, x, width, LABEL + ready * scale, waited, began, row.stage in path)


def _ticks(seconds: float) -> tuple[tuple[float, str], ...]:
    """Return some six round numbers of seconds, and where they stand."""
    if seconds <= 0:
        return ()
    rough = seconds / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough)
    return tuple(
        (LABEL + index * step / seconds * _SPAN, f"{index * step:g} s") for index in range(int(seconds / step) + 1)
    )
