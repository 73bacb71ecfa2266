"""Say what an attack is: a name, what it does to a copy, which gate looks at that, and what must refuse it."""

from collections.abc import Callable
from dataclasses import dataclass

from shipseal.attacks.refusal import Refusal
from shipseal.attacks.target import Copy
from shipseal.statements.builders import PredicateType
from shipseal.verification.trust import Policy

Expected = Refusal | Callable[[Policy], Refusal]
"""What refuses an attack; where that depends on it, by the policy of the project."""


@dataclass(frozen=True)
class Attack:
    """One way to tamper with a run.

    Args:
        name: how it is asked for.
        did: what was done, in words.
        gate: what looks at the copy: a stage, `replay`, or `kept`.
        expected: what refuses it.
        tamper: does it to a copy.
        needs: the kinds of statements that the policy has to ask for: what it does not ask for, nobody misses.
    """

    name: str
    did: str
    gate: str
    expected: Expected
    tamper: Callable[[Copy], object]
    needs: tuple[PredicateType, ...] = ()

    def refusal(self, policy: Policy) -> Refusal:
        """Return what refuses it under a policy."""
        return self.expected if isinstance(self.expected, Refusal) else self.expected(policy)

    def missing(self, policy: Policy) -> tuple[PredicateType, ...]:
        """Return the kinds that it needs and a policy does not ask for."""
        return tuple(kind for kind in self.needs if kind not in policy.require)


@dataclass(frozen=True)
class Control:
    """A copy that has to pass: untouched, or with something about it that must stop nobody.

    Args:
        name: what it is called.
        did: what was done, in words.
        gate: what looks at the copy.
        change: does it.
    """

    name: str
    did: str
    gate: str
    change: Callable[[Copy], object] = lambda _: None
