"""Say what a verdict is: the answer, and all of its reasons. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reason:
    """One line of a verdict: which rule spoke, about what, in words, what can be done about it, and its last day.

    Args:
        code: of the rule, as `judging/catalogue.py` has it; or `vex`, `waiver`, `noted`.
        finding: the scanner's id; empty where it is about the image.
        package: its name and version.
        message: in words.
        remedy: what can be done.
        until: the last day (ISO 8601) of the exception by which something is excused, and else empty.
        provider: whose advisory it is, and of when that one's data is; empty where it is about the image.
    """

    code: str
    finding: str
    package: str
    message: str
    remedy: str = ""
    until: str = ""
    provider: str = ""


@dataclass(frozen=True)
class Verdict:
    """The answer, and all of its reasons.

    Args:
        denied: what may not ship.
        excused: what would be denied or noted, but for a VEX statement or a waiver.
        noted: findings that the rules let pass.
        notices: what people must hear, whatever the answer is.
    """

    denied: tuple[Reason, ...]
    excused: tuple[Reason, ...]
    noted: tuple[Reason, ...]
    notices: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """Whether the image may ship."""
        return not self.denied

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as `assess/verdict.json` keeps it."""
        kinds = {"denied": self.denied, "excused": self.excused, "noted": self.noted}
        told = {kind: [dict(vars(reason)) for reason in reasons] for kind, reasons in kinds.items()}
        return {"allowed": self.allowed, **told, "notices": list(self.notices)}


def reasons(verdict: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return every reason of a verdict as JSON keeps it, with what became of it, in the order of the verdict."""
    return [(kind, each) for kind in ("denied", "excused", "noted") for each in verdict[kind]]
