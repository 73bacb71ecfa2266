"""Hold VEX statements against one image on one day: which of them apply, and which no longer do. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from fnmatch import fnmatchcase

from shipseal.documents.vex import Observation, RecordedClaim
from shipseal.errors import ConfigError, VerificationFailed
from shipseal.judging.image_holdings import Holdings, Imports
from shipseal.judging.tiers import opened, outside
from shipseal.judging.vex import Condition, VexFile, VexStatement
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding
from shipseal.validation import check

OURS = "the pipeline's own "
"""How the source of a statement begins that comes with the pipeline, and not with the project."""


class ClaimState(Enum):
    """How a statement stands to one image on one day. Only an applied one counts."""

    APPLIED = "applied"
    EXPIRED = "expired"
    REFUTED = "refuted"
    NOT_YET_VALID = "not-yet-valid"
    NOT_IN_IMAGE = "not-in-image"


@dataclass(frozen=True)
class Claim:
    """One statement about one package, held against an image on a day.

    Args:
        source: the name of the file, `OURS` before it where it is the pipeline's.
        author: who states it.
        statement: what is stated.
        product: the package as the statement names it.
        packages: the packages of the image that it covers.
        state: how it stands.
        refuted_by: what in the image speaks against it, if something does.
        seen: the evidence that it follows from, where a machine has made it; nothing where a person has.
    """

    source: str
    author: str
    statement: VexStatement
    product: Purl
    packages: tuple[Purl, ...]
    state: ClaimState
    refuted_by: tuple[str, ...] = ()
    seen: tuple[Observation, ...] = ()

    def covers(self, finding: Finding) -> bool:
        """Say whether it speaks of this finding."""
        return bool(self.statement.names & finding.names) and self.product.covers(finding.subject)

    def excuses(self, finding: Finding) -> bool:
        """Say whether it applies, and says that this finding is harmless here."""
        return self.state is ClaimState.APPLIED and self.statement.status.excuses and self.covers(finding)

    @property
    def remedy(self) -> str:
        """Say what to write where, for the case that it no longer holds."""
        if not self.source.startswith(OURS) or self.seen:
            return "look at its evidence again: correct, renew or remove the statement"
        name = self.source.rpartition("/")[2]
        return (
            f"write vex/{name} in the directory that [policy] directory names: it replaces the pipeline's, "
            "with what holds for this image, or with no word of this vulnerability"
        )

    def days_left(self, now: datetime) -> int:
        """Return the whole days until its end; negative when that is past."""
        return (self.statement.valid_until - now.date()).days


class Spoken:
    """Claims by the names that they go by, so that each finding meets those alone that may be about it."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        """Sort them."""
        self._named: dict[str, list[Claim]] = {}
        for claim in claims:
            for name in claim.statement.names:
                self._named.setdefault(name, []).append(claim)

    def about(self, finding: Finding) -> list[Claim]:
        """Return the claims that speak of a finding, each once, in their order."""
        near = {id(claim): claim for name in sorted(finding.names) for claim in self._named.get(name, ())}
        return [claim for claim in near.values() if claim.covers(finding)]


def match_statements(
    documents: Mapping[str, VexFile],
    packages: Iterable[Purl],
    imports: Imports,
    files: Iterable[str],
    now: datetime,
    sample: datetime | None = None,
    *,
    holdings: Holdings | None = None,
) -> tuple[Claim, ...]:
    """Hold every statement against an image.

    Args:
        documents: the VEX files, by name.
        packages: every package of the image, on any platform.
        imports: what its ELF files import.
        files: every path in the image, without the leading slash.
        now: the time to judge by.
        sample: the day of a sample database, when it is one that looked: what held on that day counts, since neither
            moves on.
        holdings: what else is known of the image; without it, what asks for that is refuted.

    Raises:
        ConfigError: two statements that apply speak of the same vulnerability in the same package.
    """
    inside = tuple(sorted({replace(package, qualifiers=()) for package in packages}))
    paths = tuple(files)
    claims = []
    for name, document in sorted(documents.items()):
        for statement in document.statements:
            refuted = tuple(why for each in statement.conditions for why in _against(each, imports, paths, holdings))
            for product, covered in _products(statement, inside):
                state = _state(statement, covered, refuted, _within(statement, now, sample))
                claims.append(Claim(name, document.author, statement, product, covered, state, refuted))
    _refuse_contradictions(claims)
    return tuple(claims)


def _products(statement: VexStatement, inside: Iterable[Purl]) -> Iterator[tuple[Purl, tuple[Purl, ...]]]:
    """Yield each product with its packages; one of whose packages another of the same statement speaks is left out.

    A package is often named with its version and without: that is one statement about it all the same.
    """
    spoken_of: set[Purl] = set()
    products = [Purl.parse(each.id) for each in statement.products]
    every = [(product, tuple(package for package in inside if product.covers(package))) for product in products]
    for product, covered in sorted(every, key=lambda each: -len(each[1])):
        if not covered or not spoken_of.issuperset(covered):
            yield product, covered
        spoken_of.update(covered)


def _against(
    condition: Condition, imports: Imports, paths: Iterable[str], holdings: Holdings | None = None
) -> list[str]:
    """Return what an image has that a condition excludes. A file that cannot be read might import anything."""
    if module := condition.not_imported or condition.not_opened:
        return _in_use(condition, module, holdings)
    if condition.no_file:
        return [f"the image has {path}" for path in paths if fnmatchcase(path, condition.no_file)]
    return [
        f"{path} imports {symbol}"
        for path, symbols in sorted(imports.items())
        if path not in condition.unless
        for symbol in sorted(symbols if symbols is not None else {"what cannot be read"})
        if symbols is None or fnmatchcase(symbol, condition.no_import)
    ]


def _in_use(condition: Condition, module: str, holdings: Holdings | None) -> list[str]:
    """Return what speaks against a module that nothing imports, or that nobody opened; not to know that does, too."""
    if holdings is None:
        return [f"nobody knows what this image does with {module}"]
    return outside(module, holdings) if condition.not_imported else opened(module, holdings)


def _within(statement: VexStatement, now: datetime, sample: datetime | None) -> datetime:
    """Return the day of the sample where a statement held then, else now."""
    held = sample is not None and statement.timestamp <= sample and sample.date() <= statement.valid_until
    return sample if sample and held else now


def _state(statement: VexStatement, covered: tuple[Purl, ...], refuted: tuple[str, ...], now: datetime) -> ClaimState:
    if not covered:
        return ClaimState.NOT_IN_IMAGE
    if now.date() > statement.valid_until:
        return ClaimState.EXPIRED
    if refuted:
        return ClaimState.REFUTED
    return ClaimState.NOT_YET_VALID if now < statement.timestamp else ClaimState.APPLIED


def _refuse_contradictions(claims: Iterable[Claim]) -> None:
    said: dict[tuple[str, Purl], Claim] = {}
    for claim in claims:
        if claim.state is not ClaimState.APPLIED:
            continue
        for key in ((name, package) for name in sorted(claim.statement.names) for package in claim.packages):
            other = said.setdefault(key, claim)
            if other is not claim:
                raise ConfigError(
                    f"two VEX statements speak of {key[0]} in {key[1].name}",
                    why=[f"{each.source} says {each.statement.status.value}" for each in (other, claim)],
                    remedy="keep the one that is true: scanners differ in which of several they believe",
                )


def describe(claim: Claim, now: datetime) -> RecordedClaim:
    """Return a claim as `vex/evidence.json` keeps it."""
    return RecordedClaim(
        source=claim.source,
        author=claim.author,
        state=claim.state.value,
        days_left=claim.days_left(now),
        product=str(claim.product),
        packages=tuple(map(str, claim.packages)),
        refuted_by=claim.refuted_by,
        seen=claim.seen,
        statement=claim.statement.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    )


def restore(recorded: RecordedClaim) -> Claim:
    """Read back what `describe` made; raise `VerificationFailed` on other words in its statement."""
    try:
        statement = check(VexStatement, recorded.statement, "statement")
    except ConfigError as error:
        raise VerificationFailed(
            f"vex/evidence.json has a claim of {recorded.source} that nobody could have made",
            why=error.why,
            remedy="run `shipseal stage vex` again, and find out who wrote it",
        ) from error
    return Claim(
        source=recorded.source,
        author=recorded.author,
        statement=statement,
        product=Purl.parse(recorded.product),
        packages=tuple(map(Purl.parse, recorded.packages)),
        state=ClaimState(recorded.state),
        refuted_by=recorded.refuted_by,
        seen=recorded.seen,
    )
