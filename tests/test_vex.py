"""A VEX statement excuses only with a reason, evidence and an end, for the package and the image that it fits."""

from datetime import datetime
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.documents.vex import RecordedClaim
from shipseal.errors import ConfigError, VerificationFailed
from shipseal.judging.claims import OURS, Claim, ClaimState, describe, match_statements, restore
from shipseal.judging.openvex import cross_check, for_scanner, publish
from shipseal.judging.vex import read
from shipseal.project.config import HOME
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding, Report, ReportDatabase
from tests import measured
from tests.statements import NOW, document, finding, parsed, rules, statement

ZLIB = Purl.parse("pkg:deb/debian/zlib1g@1.2?arch=amd64")
INDEX, AMD64, ARM64 = (Digest("sha256", digit * 64) for digit in "abc")
IMAGE = measured.image(
    f"registry.example/acme/sample@{INDEX}",
    {
        "linux/amd64": (AMD64, ["pkg:deb/debian/zlib1g@1.2?arch=amd64"]),
        "linux/arm64": (ARM64, ["pkg:deb/debian/other@1?arch=arm64"]),
    },
)


def held(*statements: dict[str, Any], **changes: Any) -> tuple[Claim, ...]:
    values: dict[str, Any] = {"imports": {}, "files": ["lib/libz.so.1"], "now": NOW, **changes}
    return match_statements({"policy/vex/test.json": parsed(*statements)}, [ZLIB], **values)


def states(*statements: dict[str, Any], **changes: Any) -> list[ClaimState]:
    return [claim.state for claim in held(*statements, **changes)]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"justification": None}, "takes a justification and an impact_statement"),
        ({"impact_statement": None}, "takes a justification and an impact_statement"),
        ({"justification": "will_not_fix"}, "justification"),
        ({"evidence": None}, "not having seen something is none"),
        ({"status": "fixed", "evidence": None}, "takes evidence"),
        ({"status": "affected"}, "action_statement"),
        ({"valid_until": None}, "valid_until"),
        ({"valid_untill": "2027-01-01"}, "did you mean valid_until"),
        ({"products": []}, "products"),
        ({"products": [{"@id": "zlib1g"}]}, "not a package URL"),
        ({"products": [{"@id": "pkg:deb/debian/zlib1g?arch=amd64"}]}, "without qualifiers"),
        ({"conditions": [{}]}, "exactly one of no_file and no_import"),
    ],
)
def test_a_statement_that_says_too_little_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(statement(**changes))
    assert complaint in refused.value.explain()


def test_an_end_too_far_away_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"from 2026-11-01 to 2036-01-01"):
        parsed(statement(valid_until="2036-01-01"))


def test_an_end_before_the_beginning_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"from 2026-11-01 to 2026-10-31"):
        parsed(statement(valid_until="2026-10-31"))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"statements": 1}', document()])
def test_what_is_no_vex_document_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read(text, rules(), "policy/vex/test.json")


def test_another_version_of_openvex_is_refused() -> None:
    with pytest.raises(ConfigError, match="asks for something that cannot be"):
        read(document(statement(), **{"@context": "https://openvex.dev/ns/v9"}), rules(), "test.json")


def test_a_statement_holds_on_its_last_day_and_not_on_the_next() -> None:
    assert states(statement(valid_until="2026-11-25")) == [ClaimState.APPLIED]
    assert states(statement(valid_until="2026-11-24")) == [ClaimState.EXPIRED]


def test_a_statement_from_the_future_does_not_hold_yet() -> None:
    assert states(statement(timestamp="2026-12-01T00:00:00Z")) == [ClaimState.NOT_YET_VALID]


def test_a_statement_about_a_package_that_is_not_there_says_nothing() -> None:
    assert states(statement(products=[{"@id": "pkg:deb/debian/zlib1g@9"}])) == [ClaimState.NOT_IN_IMAGE]


def test_a_statement_is_refuted_by_a_file_that_should_not_be_there() -> None:
    (claim,) = held(statement(conditions=[{"no_file": "*libz.so*"}]))
    assert (claim.state, claim.refuted_by) == (ClaimState.REFUTED, ("the image has lib/libz.so.1",))


@pytest.mark.parametrize(
    ("imports", "state"),
    [
        ({"usr/bin/known": frozenset({"sscanf"})}, ClaimState.APPLIED),
        ({"usr/bin/other": frozenset({"printf"})}, ClaimState.APPLIED),
        ({"usr/bin/other": frozenset({"sscanf"})}, ClaimState.REFUTED),
        ({"usr/bin/other": None}, ClaimState.REFUTED),
    ],
)
def test_a_statement_is_refuted_by_an_import_that_nobody_looked_at(imports: Any, state: ClaimState) -> None:
    condition = {"no_import": "*scanf", "unless": ["usr/bin/known"]}
    assert states(statement(conditions=[condition]), imports=imports) == [state]


def test_two_statements_about_one_thing_are_refused() -> None:
    with pytest.raises(ConfigError, match="two VEX statements speak of CVE-2026-1 in zlib1g"):
        held(statement(), statement(status="under_investigation"))


@pytest.mark.parametrize(
    "products",
    [
        ["pkg:deb/debian/zlib1g", "pkg:deb/debian/zlib1g@1.2"],
        ["pkg:deb/debian/zlib1g@1.2", "pkg:deb/debian/zlib1g"],
        ["pkg:deb/debian/zlib1g", "pkg:deb/debian/zlib1g"],
    ],
)
def test_a_statement_that_names_a_package_twice_is_one_statement_about_it(products: list[str]) -> None:
    (claim,) = held(statement(products=[{"@id": each} for each in products]))
    assert (claim.state, claim.product) == (ClaimState.APPLIED, Purl.parse(products[0]))


def test_a_version_that_is_not_there_beside_one_that_is_says_nothing() -> None:
    named = [{"@id": "pkg:deb/debian/zlib1g@1.2"}, {"@id": "pkg:deb/debian/zlib1g@9"}]
    assert states(statement(products=named)) == [ClaimState.APPLIED, ClaimState.NOT_IN_IMAGE]


@pytest.mark.parametrize(
    ("until", "sample", "state"),
    [("2026-11-20", "2026-11-20", ClaimState.APPLIED), ("2026-11-20", "2026-11-21", ClaimState.EXPIRED)],
)
def test_what_held_on_the_day_of_a_sample_holds_by_it(until: str, sample: str, state: ClaimState) -> None:
    day = datetime.fromisoformat(f"{sample}T00:00:00Z")
    claims = match_statements({"a.json": parsed(statement(valid_until=until))}, [ZLIB], {}, (), NOW, day)
    assert [claim.state for claim in claims] == [state]


def test_an_expired_statement_contradicts_nothing() -> None:
    assert states(statement(), statement(valid_until="2026-11-24")) == [ClaimState.APPLIED, ClaimState.EXPIRED]


@pytest.mark.parametrize("name", ["CVE-2026-1", "GHSA-aaaa-bbbb-cccc"])
def test_a_statement_speaks_of_a_finding_by_any_name(name: str) -> None:
    (claim,) = held(statement(vulnerability={"name": name}))
    assert claim.excuses(finding("GHSA-aaaa-bbbb-cccc", aliases=("CVE-2026-1",)))


@pytest.mark.parametrize(("status", "excuses"), [("fixed", True), ("affected", False), ("under_investigation", False)])
def test_only_not_affected_and_fixed_excuse(status: str, excuses: bool) -> None:
    (claim,) = held(statement(status=status, justification=None, action_statement="upgrade"))
    assert claim.excuses(finding()) is excuses


def test_a_claim_is_written_and_read_back_unchanged() -> None:
    (claim,) = held(statement(conditions=[{"no_file": "*libz.so*"}]))
    written = describe(claim, NOW).model_dump_json()
    assert restore(RecordedClaim.model_validate_json(written)) == Claim(
        **{**vars(claim), "packages": (Purl.parse(str(ZLIB)),)}
    )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("policy/vex/test.json", "correct, renew or remove the statement"),
        (f"{OURS}policy/vex/test.json", "write vex/test.json in the directory that [policy] directory names"),
    ],
)
def test_a_project_that_has_never_heard_of_a_statement_is_told_of_no_file_of_its_own(source: str, told: str) -> None:
    (claim,) = held(statement())
    assert told in Claim(**{**vars(claim), "source": source}).remedy


def test_what_is_published_is_about_this_image_and_the_platforms_that_hold_the_package() -> None:
    (published,) = publish(held(statement()), IMAGE, NOW).statements
    products = {each.id: [part.id for part in each.subcomponents] for each in published.products}
    package = ["pkg:deb/debian/zlib1g@1.2?arch=amd64"]
    assert products == {f"pkg:oci/sample@{INDEX}": package, f"pkg:oci/sample@{AMD64}": package}


def test_what_is_published_holds_no_key_that_openvex_does_not_know() -> None:
    (published,) = publish(held(statement()), IMAGE, NOW).as_json()["statements"]
    known = {"vulnerability", "products", "status", "justification", "timestamp", "status_notes"}
    assert published.keys() == known
    assert published["status_notes"].startswith("Valid until 2027-02-01. Evidence: the part is not built")
    assert published["status_notes"].endswith(" Impact: the vulnerable part is not built")


def test_what_is_published_fits_the_text_of_openvex_and_its_schema() -> None:
    """The text recommends an impact statement beside a justification, the schema 0.2.0 refuses the two together."""
    stated = [statement(), statement(vulnerability={"name": "CVE-2026-9"}, status="fixed", justification=None)]
    first, second = publish(held(*stated), IMAGE, NOW).as_json()["statements"]
    assert ("impact_statement" in first, "impact_statement" in second) == (False, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"valid_until": "2026-11-24"},
        {"conditions": [{"no_file": "*"}]},
        {"products": [{"@id": "pkg:pypi/elsewhere"}]},
    ],
)
def test_a_statement_that_does_not_apply_is_not_published(changes: dict[str, Any]) -> None:
    claims = held(statement(**changes))
    assert publish(claims, IMAGE, NOW).statements == ()
    assert for_scanner(claims, NOW)["statements"] == []


def test_grype_is_given_one_statement_for_each_package_version() -> None:
    (given,) = for_scanner(held(statement()), NOW)["statements"]
    assert given["products"] == [{"@id": "pkg:deb/debian/zlib1g@1.2"}]


def report(found: list[Finding], suppressed: list[Finding] | None = None) -> Report:
    return Report(tuple(found), tuple(suppressed or ()), ReportDatabase("2026-11-25T00:00:00Z", "v6.1.7"))


def test_agreement_with_grype_is_counted() -> None:
    assert cross_check(held(statement()), report([finding()]), report([], [finding()])) == 1


@pytest.mark.parametrize(("suppressed", "who"), [([], "the pipeline"), ([finding(), finding("CVE-2026-2")], "Grype")])
def test_disagreement_with_grype_is_a_failure(suppressed: list[Finding], who: str) -> None:
    with pytest.raises(VerificationFailed) as failure:
        cross_check(held(statement()), report([finding(), finding("CVE-2026-2")]), report([], suppressed))
    assert f"excused by {who} only" in failure.value.explain()


def test_what_grype_leaves_out_anyway_is_no_disagreement() -> None:
    header = finding("CVE-2026-3", purl="pkg:deb/debian/linux-headers@1")
    assert cross_check(held(statement()), report([finding()], [header]), report([], [finding(), header])) == 1


def test_a_finding_known_to_us_by_its_own_alias_cannot_be_compared() -> None:
    named_otherwise = finding("GHSA-aaaa-bbbb-cccc", aliases=("CVE-2026-1",))
    assert cross_check(held(statement()), report([named_otherwise]), report([named_otherwise])) == 0


@pytest.mark.parametrize("path", sorted((HOME / "policy" / "vex").glob("*.json")), ids=lambda path: path.name)
def test_the_statements_that_we_ship_can_be_read(path: Any) -> None:
    assert read(path.read_text(), rules(), path.name).statements
