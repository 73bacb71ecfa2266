"""Say what is known of an image besides its findings, as far as rules ask for it, and judge that. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shipseal.documents.sbom import CycloneDxDocument
from shipseal.documents.verdict import VerdictReason
from shipseal.judging.catalogue import BY_CODE
from shipseal.judging.licences import declared, satisfied
from shipseal.judging.rules import LicenceRules, Rules
from shipseal.purl import Purl


@dataclass(frozen=True)
class LicensedPackage:
    """A package of the image as its SBOM has it; `licence` is None where it names none that SPDX knows."""

    purl: Purl
    licence: str | None
    words: str


@dataclass(frozen=True)
class Tests:
    """How the suite went in the started image.

    Args:
        passed: how many tests passed; 0 where it was not run.
        of_this_image: whether what was started is a manifest of the image that is judged.
    """

    __test__ = False  # to pytest
    passed: int
    of_this_image: bool


@dataclass(frozen=True)
class Observed:
    """What is known of an image. What no rule asks for need not be known.

    Args:
        packages: every package, once.
        base: the names of its packages of the distribution.
        tests: how its tests went; None where nobody knows.
        dirty: whether the files differ from the commit; None where nobody knows.
    """

    packages: tuple[LicensedPackage, ...] = ()
    base: tuple[str, ...] = ()
    tests: Tests | None = None
    dirty: bool | None = None
    captured: Mapping[str, str] = field(default_factory=dict)


def packages(sboms: Iterable[CycloneDxDocument]) -> tuple[LicensedPackage, ...]:
    """Return the packages of CycloneDX documents, each once over all of them."""
    found: dict[tuple[str, str], LicensedPackage] = {}
    for component in (each for sbom in sboms for each in sbom.components):
        if not component.purl:
            continue
        purl = Purl.parse(component.purl.partition("?")[0])
        licence, words = declared(component.licenses)
        found.setdefault((str(purl), words), LicensedPackage(purl, licence, words))
    return tuple(found[key] for key in sorted(found))


def denials(observed: Observed, rules: Rules) -> Iterator[VerdictReason]:
    """Yield why an image may not ship, whatever its findings are. A rule that is not set yields nothing."""
    yield from _licences(observed.packages, rules.licences)
    if rules.base.packages:
        allowed = set(rules.base.packages)
        for name in sorted(set(observed.base) - allowed):
            yield _reason("base-package", name, f"the image holds {name}, which is not in [base] packages")
    if rules.tests.minimum_passed is not None:
        yield from _tests(observed.tests, rules.tests.minimum_passed)
    if rules.source.clean and observed.dirty is not False:
        state = "differ from the commit" if observed.dirty else "were compared with no commit"
        yield _reason("source-dirty", "", f"the files of the project {state}")


def _licences(every: Iterable[LicensedPackage], rules: LicenceRules) -> Iterator[VerdictReason]:
    allow, deny = frozenset(rules.allow), frozenset(rules.deny)
    if not (allow or deny or rules.unknown):
        return
    clarified = [(Purl.parse(purl), expression) for purl, expression in rules.clarified.items()]
    for package in every:
        licence = next((said for about, said in clarified if about.covers(package.purl)), package.licence)
        name = f"{package.purl.name} {package.purl.version}"
        if licence is None:
            if rules.unknown == "deny":
                said = f"says {package.words[:200]!r}" if package.words else "says nothing"
                yield _reason("licence-unknown", name, f"{name} has a licence that nobody knows: its SBOM {said}")
        elif not satisfied(licence, lambda one: one in allow if allow else one not in deny):
            yield _reason("licence", name, f"{name} is under {licence}, which [licences] does not allow")


def _tests(tests: Tests | None, least: int) -> Iterator[VerdictReason]:
    if tests is None:
        yield _reason("tests", "", "nobody knows whether tests have passed in this image")
    elif not tests.of_this_image:
        yield _reason("tests", "", "the tests ran in another image than this one")
    elif tests.passed < least:
        yield _reason("tests", "", f"{tests.passed} tests have passed in this image; rules.toml asks for {least}")


def _reason(code: str, package: str, message: str) -> VerdictReason:
    return VerdictReason.of_image(code, package, message, BY_CODE[code].remedy)
