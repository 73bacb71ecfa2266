"""Hold what a process says: all that can be an answer, and of what is more its beginning and its end. Pure."""

from dataclasses import dataclass, field

from shipseal.errors import ToolFailed

ANSWER = 64 << 20
"""Bytes of an output that somebody reads; what says more is not what was asked for."""
SHOWN = 1 << 20
"""Bytes of one that people read."""


@dataclass
class Held:
    """An output in memory: all of it, or its two ends where it has more than `limit` bytes.

    `stops`: whoever says more than that is stopped.
    """

    limit: int
    stops: bool = False
    beginning: bytearray = field(default_factory=bytearray)
    end: bytearray = field(default_factory=bytearray)
    cut: bool = False

    @property
    def full(self) -> bool:
        """Whether whoever said it has to be stopped."""
        return self.stops and self.cut

    def extend(self, chunk: bytes) -> None:
        """Take what has been said next."""
        room = max(0, self.limit // 2 - len(self.beginning))
        self.beginning += chunk[:room]
        self.end += chunk[room:]
        if len(self.end) > self.limit // 2:
            self.cut = True
            del self.end[: -(self.limit // 4) or None]

    def ends(self) -> bytes:
        """Return it as people read it: at most 1 MiB, half of that from either end."""
        if len(self.beginning) + len(self.end) <= SHOWN:
            return bytes(self)
        half = SHOWN // 2
        return bytes(self.beginning[:half]) + bytes(self.end[-half:] or self.beginning[-half:])

    def for_log(self) -> bytes:
        """Return it as a log has it: of content that somebody asked for within bounds it is only how much there was."""
        if not self.stops:
            return self.ends()
        more = " and more" if self.cut else ""
        return f"[{len(self.beginning) + len(self.end)} bytes{more}]\n".encode() if self.beginning else b""

    def __bytes__(self) -> bytes:
        """Return what was said, or what is held of it."""
        return bytes(self.beginning + self.end) if self.end else bytes(self.beginning)


@dataclass(frozen=True)
class Completed:
    """What a finished process left behind."""

    name: str
    code: int
    output: Held
    errors: Held

    @property
    def stdout(self) -> bytes:
        """All that it said on its standard output; raise `ToolFailed` where that is more than what can be an answer."""
        if self.output.cut:
            raise ToolFailed(
                f"{self.name} said more than {ANSWER >> 20} MB",
                remedy="the stage's log.txt has the command, and the beginning of what it said",
            )
        return bytes(self.output)

    @property
    def stderr(self) -> bytes:
        """What it said on its standard error: all, or the beginning and the end."""
        return bytes(self.errors)

    @property
    def said(self) -> bytes:
        """What people read of it: its output, or its errors where it had none."""
        return self.output.ends() or self.errors.ends()
