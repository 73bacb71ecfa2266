"""Put a case together from two: each input from the one or from the other. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from shipseal.digest import Digest
from shipseal.judging.case import Matter
from shipseal.judging.claims import Claim, ClaimState
from shipseal.judging.explaining import by_evidence, held
from shipseal.judging.image_facts import Observed
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding

_CONTENTS = ("code", "lock", "base")


@dataclass(frozen=True)
class ComparedCase:
    """One of two cases.

    Args:
        matter: the case.
        packages: every package of its image, a package URL without qualifiers, and what brings it: code, lock or base.
        owners: by each file that belongs to a package, what brings it.
        digest: of its image.
        facts: the digest of each file that says where the code of an advisory is.
    """

    matter: Matter
    packages: Mapping[str, str]
    owners: Mapping[str, str]
    digest: Digest
    facts: Mapping[str, Digest]

    @cached_property
    def _statements(self) -> dict[tuple[str, Purl, str], list[Claim]]:
        found = defaultdict(list)
        for claim in self.matter.claims:
            found[_name(claim)].append(claim)
        return dict(found)

    def same(self, claim: Claim) -> list[Claim]:
        """Return how this side has held a statement, if it has the same one."""
        return [each for each in self._statements.get(_name(claim), ()) if each.statement == claim.statement]


def mixed(before: ComparedCase, after: ComparedCase, taken: frozenset[str]) -> Matter:
    """Return the first case with some of its inputs taken from the second."""

    def of(name: str) -> ComparedCase:
        return after if name in taken else before

    policy, database, clock = of("policy").matter, of("database").matter, of("clock").matter
    matter = Matter(
        reports=database.reports,
        findings=tuple(_findings(before, after, taken)),
        claims=(),
        waivers=policy.waivers,
        rules=policy.rules,
        database=replace(database.database, release=of("world").matter.database.release),
        observed=_observed(before, after, taken),
        now=clock.now,
    )
    stated, unstated = of("VEX"), before if "VEX" in taken else after
    people = [claim for claim in stated.matter.claims if not by_evidence(claim)]
    claims = [_claim(claim, stated, unstated, before, after, taken) for claim in people]
    claims += _made(before, after, taken)
    return replace(matter, claims=tuple(held(claim, matter, clock.now) for claim in claims))


def _made(before: ComparedCase, after: ComparedCase, taken: frozenset[str]) -> Iterator[Claim]:
    """Yield what evidence says of the chosen image: that of one side, and of the other what it alone had to speak of.

    Evidence comes with what brings the package, where that differs, else with all that differs of the image; and with
    the facts.
    """
    differ = {kind for kind in _CONTENTS if _of(before, kind) != _of(after, kind)}
    facts = {"VEX"} if before.facts != after.facts else set()
    for side, other in ((before, after), (after, before)):
        known = {name for finding in other.matter.findings for name in finding.names}
        for claim in filter(by_evidence, side.matter.claims):
            brought = differ & set(_kinds(claim, side)) or differ
            needed = brought | facts
            if (side is after) is bool(needed and needed <= taken) or not claim.statement.names & known:
                yield claim


def _of(side: ComparedCase, kind: str) -> set[str]:
    return {package for package, of in side.packages.items() if of == kind}


def _findings(before: ComparedCase, after: ComparedCase, taken: frozenset[str]) -> Iterator[Finding]:
    """Yield what the chosen database knows of the chosen packages, as far as either scan has looked."""
    first, second = (after, before) if "database" in taken else (before, after)
    known = [_by_package(side.matter.findings) for side in (first, second)]
    for package in sorted(_chosen(before, after, taken)):
        yield from known[0 if package in first.packages else 1].get(package, ())


def _chosen(before: ComparedCase, after: ComparedCase, taken: frozenset[str]) -> set[str]:
    return {package for kind in _CONTENTS for package in _of(after if kind in taken else before, kind)}


def _by_package(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    found = defaultdict(list)
    for finding in findings:
        found[str(finding.subject)].append(finding)
    return found


def _observed(before: ComparedCase, after: ComparedCase, taken: frozenset[str]) -> Observed:
    base = (after if "base" in taken else before).matter.observed.base
    first, second = (after, before) if "code" in taken else (before, after)
    code, other = first.matter.observed, second.matter.observed
    chosen = _chosen(before, after, taken)
    packages = {str(package.purl): package for side in (before, after) for package in side.matter.observed.packages}
    return Observed(
        packages=tuple(packages[name] for name in sorted(chosen & packages.keys())),
        base=base,
        tests=code.tests if code.tests is not None else other.tests,  # only what its rules asked for is on record
        dirty=code.dirty if code.dirty is not None else other.dirty,
    )


def _claim(
    claim: Claim,
    stated: ComparedCase,
    unstated: ComparedCase,
    before: ComparedCase,
    after: ComparedCase,
    taken: frozenset[str],
) -> Claim:
    """Hold a statement of one side against the image that was chosen, as far as the other side has held the same one.

    What speaks against it is a file; whatever brings that file brings the refutation.
    """
    image_of_after = _of_after(claim, before, after, taken)
    wanted = after if image_of_after else before
    if wanted is stated:
        return claim
    other = next(iter(unstated.same(claim)), None)
    if other is None:
        return claim
    absent = replace(claim, packages=other.packages, refuted_by=other.refuted_by)
    return replace(absent, state=ClaimState.NOT_IN_IMAGE if not other.packages else claim.state)


def _of_after(claim: Claim, before: ComparedCase, after: ComparedCase, taken: frozenset[str]) -> bool:
    """Say whether what bears on a statement comes from the second image: by who owns it, else when all of it does."""
    known = [(each, side) for side in (before, after) for each in side.same(claim)]
    speaking = [pair for pair in known if pair[0].refuted_by] or known
    kinds = {kind for each, side in speaking for kind in _kinds(each, side)}
    return bool(kinds & taken) if kinds else set(_CONTENTS) <= taken


def _kinds(claim: Claim, side: ComparedCase) -> Iterator[str]:
    """Yield what brings the files that speak against a statement; where none does, what brings its packages."""
    if claim.refuted_by:
        yield from (side.owners.get(_path(why), "code") for why in claim.refuted_by)
    else:
        yield from (side.packages[str(package)] for package in claim.packages if str(package) in side.packages)


def _path(why: str) -> str:
    has = "the image has "
    return why.removeprefix(has) if why.startswith(has) else why.partition(" imports ")[0]


def _name(claim: Claim) -> tuple[str, Purl, str]:
    return claim.source, claim.product, claim.statement.vulnerability.name
