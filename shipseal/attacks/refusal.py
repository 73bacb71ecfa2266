"""Say what has refused something: as what, by which function, and on which grounds. No text counts. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType

from shipseal.errors import ShipsealError, VerificationFailed
from shipseal.statements.builders import PredicateType
from shipseal.verification.decision import Unsatisfied
from shipseal.verification.grounds import Ground, UnmetRequirement
from shipseal.verification.trust import kind_name

_OURS = "shipseal."
_HERE = "shipseal.attacks."


@dataclass(frozen=True)
class Refusal:
    """What refuses an attack.

    Args:
        error: the class of the failure.
        by: the function that has raised it, by its dotted name below the package.
        unmet: what an image lacks that does not satisfy its policy.
        bundles: the functions that have refused bundles of that image.
    """

    error: type[ShipsealError]
    by: str
    unmet: frozenset[UnmetRequirement] = frozenset()
    bundles: frozenset[str] = frozenset()

    @classmethod
    def of(cls, failure: ShipsealError) -> "Refusal":
        """Return what a failure shows of the check behind it."""
        unmet: frozenset[UnmetRequirement] = frozenset()
        refused: Mapping[str, VerificationFailed] = {}
        if isinstance(failure, Unsatisfied):
            unmet, refused = failure.unmet, failure.refused
        by = str(getattr(failure, "by", "")) or raised_in(failure)
        return cls(type(failure), by, unmet, frozenset(map(raised_in, refused.values())))

    def __str__(self) -> str:
        """Return it as a table has it."""
        unmet = ", ".join(sorted(f"{kind_name(each.kind)} {each.ground}" for each in self.unmet))
        bundles = f"a bundle refused by {', '.join(sorted(self.bundles))}" if self.bundles else ""
        more = "; ".join(filter(None, (unmet, bundles)))
        return f"{self.error.__name__} {self.error.exit_code} by {self.by}" + (f" ({more})" if more else "")


def unsatisfied(*unmet: tuple[PredicateType, Ground], bundles: Iterable[str] = ()) -> Refusal:
    """Return the refusal of an image that lacks these."""
    found = frozenset(UnmetRequirement(*each) for each in unmet)
    return Refusal(Unsatisfied, "verification.decision.decide", found, frozenset(bundles))


def raised_in(failure: BaseException) -> str:
    """Return the innermost function of the package, this room left out, that a failure has come from."""
    names = list(_functions(failure.__traceback__))
    return names[-1] if names else ""


def _functions(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.startswith(_OURS) and not module.startswith(_HERE):
            yield f"{module.removeprefix(_OURS)}.{trace.tb_frame.f_code.co_qualname}"
        trace = trace.tb_next
