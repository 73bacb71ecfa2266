"""Say what follows by rule from what is known of an advisory and what was seen of one image. Never more. Pure.

The weakest place decides: an advisory is about all of them. What a person states has precedence; what was seen to be
loaded speaks against a person who says that it is not there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from shipseal.documents.vex import LookedAt, Observation, SeenPart
from shipseal.errors import ConfigError
from shipseal.judging.advisories import Advisory, Knowledge
from shipseal.judging.claims import Claim, ClaimState, Spoken
from shipseal.judging.image_holdings import Holdings
from shipseal.judging.tiers import CodeFinding, Reachability, examine
from shipseal.judging.vex import Justification, Product, VexEvidence, VexStatement, VexStatus, Vulnerability
from shipseal.scanning.findings import Finding

AUTHOR = "supply-chain-pipeline"

_ORDER = tuple(Reachability)

# The table of what evidence may become; docs/vex.md has it in words. What is not here becomes nothing.
_BECOMES: dict[Reachability, tuple[VexStatus, Justification | None]] = {
    Reachability.NO_PACKAGE: (VexStatus.NOT_AFFECTED, Justification.COMPONENT_NOT_PRESENT),
    Reachability.ABSENT: (VexStatus.NOT_AFFECTED, Justification.CODE_NOT_PRESENT),
    Reachability.LACKING: (VexStatus.NOT_AFFECTED, Justification.CODE_NOT_PRESENT),
    Reachability.UNCALLED: (VexStatus.NOT_AFFECTED, Justification.CODE_NOT_IN_EXECUTE_PATH),
    Reachability.OUTSIDE: (VexStatus.UNDER_INVESTIGATION, None),  # and a proposal, which a person may accept
    Reachability.IDLE: (VexStatus.UNDER_INVESTIGATION, None),
    Reachability.LOADED: (VexStatus.AFFECTED, None),
}
_SPEAKS = frozenset({ClaimState.APPLIED, ClaimState.EXPIRED, ClaimState.REFUTED})
_DENIES_PRESENCE = frozenset({Justification.COMPONENT_NOT_PRESENT, Justification.CODE_NOT_PRESENT})


@dataclass(frozen=True)
class Following:
    """What follows for one finding.

    Args:
        finding: what the scanner found.
        source: the file of the fact about it.
        advisory: the fact.
        parts: each place of vulnerable code, as it was seen.
    """

    finding: Finding
    source: str
    advisory: Advisory
    parts: tuple[CodeFinding, ...]

    @property
    def standing(self) -> Reachability:
        """How the weakest place stands."""
        return max((part.standing for part in self.parts), key=_ORDER.index)

    @property
    def seen(self) -> tuple[Observation, ...]:
        """All evidence."""
        return tuple(dict.fromkeys(each for part in self.parts for each in part.seen))

    @property
    def proposed(self) -> bool:
        """Say whether a person may accept that the code is not in the execute path; no machine does."""
        return self.standing is Reachability.OUTSIDE

    def claim(self, now: datetime) -> Claim | None:
        """Return the statement that follows, in force for this image; None where nothing does.

        It is about bytes, which have no last day, and is made anew in each run. The end that the form asks for is the
        same for all runs of a year, so that two of them say the same.

        Args:
            now: when it is made.
        """
        if self.standing not in _BECOMES:
            return None
        status, justification = _BECOMES[self.standing]
        package = replace(self.finding.subject, qualifiers=())
        statement = VexStatement(
            vulnerability=Vulnerability(name=self.finding.id, aliases=tuple(sorted(self._aliases()))),
            products=(Product.model_validate({"@id": str(package)}),),
            status=status,
            justification=justification,
            impact_statement=self._impact() if status is VexStatus.NOT_AFFECTED else "",
            action_statement=self._action() if status is VexStatus.AFFECTED else "",
            timestamp=now,
            valid_until=date(now.year + 1, 12, 31),
            evidence=tuple(VexEvidence(url=part.code.source, says=part.code.says) for part in self.parts),
        )
        return Claim(self.source, AUTHOR, statement, package, (package,), ClaimState.APPLIED, seen=self.seen)

    def as_document(self) -> LookedAt:
        """Return what was seen, whatever followed, as `evidence.json` keeps it."""
        return LookedAt(
            finding=self.finding.id,
            package=str(self.finding.subject),
            fact=self.source,
            standing=self.standing.name.lower().replace("_", "-"),
            parts=tuple(
                SeenPart(standing=part.standing.value, seen=part.seen, against=part.against) for part in self.parts
            ),
        )

    def _aliases(self) -> set[str]:
        return {*self.finding.aliases} - {self.finding.id}

    def _impact(self) -> str:
        tiers = " and ".join(sorted({each.tier for each in self.seen}))
        return f"{self.advisory.about}; {self.standing.value} (evidence {tiers}, in status_notes)"

    def _action(self) -> str:
        where = [part.code.configuration for part in self.parts if part.code.configuration]
        only = f", which matters where {' or '.join(where)}" if where else ""
        fixed = " or ".join(self.finding.fixed_in)
        remedy = f"upgrade {self.finding.package} to {fixed}" if fixed else "take the code out, or wait for a fix"
        return f"{remedy}{only}"


def follow(findings: Iterable[Finding], known: Knowledge, holdings: Holdings) -> tuple[Following, ...]:
    """Look for the code of every finding that somebody has looked at."""
    found = []
    for finding in findings:
        if fact := known.about(finding):
            parts = tuple(examine(code, known.callers, holdings) for code in fact[1].code)
            found.append(Following(finding, *fact, parts))
    return tuple(found)


def together(
    stated: Sequence[Claim], followed: Iterable[Following], findings: Iterable[Finding], now: datetime
) -> tuple[Claim, ...]:
    """Join what people state and what follows; where both speak of a finding, the person does.

    So does one whose statement has ended or is refuted: somebody relied on it, and has to take it back first.

    Raises:
        ConfigError: two statements of people that apply speak of one finding, by whatever names.
    """
    every = tuple(followed)
    people = _refuted(stated, every)
    spoken = Spoken(people)
    _refuse_contradictions(spoken, findings)
    made = []
    for each in every:
        claim = each.claim(now)
        if claim is None:
            continue
        heard = _SPEAKS if claim.statement.status.excuses else {ClaimState.APPLIED}
        if not any(person.state in heard for person in spoken.about(each.finding)):
            made.append(claim)
    return (*people, *made)


def _refuted(stated: Sequence[Claim], followed: Iterable[Following]) -> tuple[Claim, ...]:
    """Refute statements that what was seen to be loaded is not in the image."""
    spoken, against = Spoken(stated), dict[int, list[str]]()
    for each in followed:
        if each.standing is Reachability.LOADED:
            for claim in spoken.about(each.finding):
                if claim.state is ClaimState.APPLIED and claim.statement.justification in _DENIES_PRESENCE:
                    against.setdefault(id(claim), []).extend(map(str, each.seen))
    return tuple(
        replace(claim, state=ClaimState.REFUTED, refuted_by=tuple(against[id(claim)]))
        if id(claim) in against
        else claim
        for claim in stated
    )


def _refuse_contradictions(claims: Spoken, findings: Iterable[Finding]) -> None:
    """Refuse two statements that speak of one finding under different names: an alias is no way past the other."""
    for finding in findings:
        spoken = [claim for claim in claims.about(finding) if claim.state is ClaimState.APPLIED]
        if len({id(claim.statement) for claim in spoken}) > 1:
            raise ConfigError(
                f"two VEX statements speak of {finding.id} in {finding.package}, by different names",
                why=[
                    f"{each.source} says {each.statement.status.value} of {each.statement.vulnerability.name}"
                    for each in spoken
                ],
                remedy="keep the one that is true: scanners differ in which of several they believe",
            )
