"""Say what failed, why, and what to do; and carry the exit code that tells a machine the same. Pure.

One base, flat subclasses named for whose fault it is. docs/troubleshooting.md has the table of exit codes.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import ClassVar

from shipseal.terminal_text import line

_NO_SPACE = "no space left on device"  # strerror(3) of ENOSPC, in glibc and in musl


class FailureReason(StrEnum):
    """Why a program did not do what it should, for code that goes on differently: no text decides that."""

    MISSING = "it is not there"
    ALTERED = "its bytes are others than those that were named"
    EXITED = "it ended with a code that says so"
    TIMED_OUT = "it took too long"
    NO_SPACE = "it says that the disk is full"

    @classmethod
    def said(cls, lines: Iterable[str]) -> "FailureReason":
        """Return why a program that ended has failed, by its last words: they may be the system's for a full disk."""
        return cls.NO_SPACE if any(_NO_SPACE in line.lower() for line in lines) else cls.EXITED


class ShipsealError(Exception):
    """Base of every failure that the pipeline foresees.

    Args:
        what: one line that says what failed, with the thing's own name.
        why: the evidence, one line each (a tool's last words, the findings denied).
        remedy: what the reader can do about it, in one line.
        reason: what code may go by, where there is more than one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, what: str, *, why: str | Sequence[str] = (), remedy: str = "", reason: FailureReason | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.why: tuple[str, ...] = (why,) if isinstance(why, str) else tuple(why)
        self.remedy = remedy
        self.reason = reason
        self.stage = ""

    def explain(self) -> str:
        """Return the failure as people read it: what, then stage, why and remedy, each only where there is one."""
        lines = [f"error: {line(self.what)}"]
        if self.stage:
            lines.append(f"  stage  {self.stage}")
        for index, reason in enumerate(self.why):
            lines.append(f"  {'why' if index == 0 else '   '}    {line(reason)}")
        if self.remedy:
            lines.append(f"  remedy {line(self.remedy)}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """Return the failure as machines read it; the keys are those of `explain`."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "stage": self.stage,
            "why": list(self.why),
            "remedy": self.remedy,
            "exit_code": self.exit_code,
        }


class UsageError(ShipsealError):
    """You asked for something that cannot be."""

    exit_code = 2


class ConfigError(ShipsealError):
    """A file that you wrote asks for something that cannot be."""

    exit_code = 2


class PolicyDenied(ShipsealError):
    """The facts are in, and the answer is no."""

    exit_code = 3


class ToolFailed(ShipsealError):
    """A pinned tool is missing, altered, failed or ran too long."""

    exit_code = 4

    @property
    def ran(self) -> bool:
        """Whether it was started: then what it was started for is at fault, and not the tool."""
        return self.reason in {FailureReason.EXITED, FailureReason.TIMED_OUT, FailureReason.NO_SPACE}


class RemoteFailed(ShipsealError):
    """A registry, Sigstore or cluster did not answer as it should."""

    exit_code = 5


class VerificationFailed(ShipsealError):
    """A signature, digest or identity does not match."""

    exit_code = 6


class SubjectFailed(ShipsealError):
    """The project under build is at fault: its tests, its syntax, its rollout."""

    exit_code = 7


class Stopped(BaseException):
    """SIGTERM arrived. Like `KeyboardInterrupt`, it is no `Exception`; an argument says what was kept."""


_NOTE = "in the stage "

# When several stages fail together the exit code is the first of these that is among them: a bug before everything,
# then what may be an attack, then the verdict, then whose turn it is to act.
_PRECEDENCE = (1, 6, 3, 7, 5, 4, 2)


def exit_code(failures: Iterable[BaseException]) -> int:
    """Return the exit code for failures that arrived together (1 for anything that is not a `ShipsealError`)."""
    codes = {failure.exit_code if isinstance(failure, ShipsealError) else 1 for failure in failures}
    return next((code for code in _PRECEDENCE if code in codes), 0)


def flatten(failure: BaseException) -> list[BaseException]:
    """Return the leaves of an exception group, in order; a plain exception is its own only leaf."""
    if isinstance(failure, BaseExceptionGroup):
        return [leaf for inner in failure.exceptions for leaf in flatten(inner)]
    return [failure]


def set_stage(failure: BaseException, stage: str) -> None:
    """Say in which stage a failure arose, unless that is known: a bug keeps it as the note that tracebacks show."""
    if isinstance(failure, ShipsealError):
        failure.stage = failure.stage or stage
    elif not _stage_of(failure):
        failure.add_note(f"{_NOTE}{stage}")


def as_shipseal_error(failure: BaseException) -> ShipsealError:
    """Return a failure as it is told: itself, or for a bug the words for that, with its stage and exit code 1."""
    if isinstance(failure, ShipsealError):
        return failure
    bug = ShipsealError(
        f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__,
        why="this is a bug in the pipeline",
        remedy="report it with the traceback",
    )
    bug.stage = _stage_of(failure)
    return bug


def _stage_of(bug: BaseException) -> str:
    notes = [note for note in getattr(bug, "__notes__", ()) if note.startswith(_NOTE)]
    return notes[0].removeprefix(_NOTE) if notes else ""
