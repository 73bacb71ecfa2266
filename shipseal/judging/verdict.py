"""Say what a verdict is: the answer, and all of its reasons. Pure."""

from dataclasses import dataclass

from shipseal.documents.verdict import BareReason, VerdictReason, WithoutVex


@dataclass(frozen=True)
class Verdict:
    """The answer, and all of its reasons.

    Args:
        denied: what may not ship.
        excused: what would be denied or noted, but for a VEX statement or a waiver.
        noted: findings that the rules let pass.
        notices: what people must hear, whatever the answer is.
    """

    denied: tuple[VerdictReason, ...]
    excused: tuple[VerdictReason, ...]
    noted: tuple[VerdictReason, ...]
    notices: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """Whether the image may ship."""
        return not self.denied

    @property
    def bare(self) -> WithoutVex:
        """Return it without its words, as it is told of a verdict that is not the one that counts."""
        denied = tuple(BareReason(code=each.code, finding=each.finding, package=each.package) for each in self.denied)
        return WithoutVex(allowed=self.allowed, denied=denied)
