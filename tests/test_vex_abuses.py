"""What somebody may try, so that a vulnerability is excused which is there: each is refused, or without effect."""

import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.documents.image import ImageDocument
from shipseal.documents.smoke import TraceDocument
from shipseal.errors import ConfigError, VerificationFailed
from shipseal.image import contents
from shipseal.judging import image_holdings
from shipseal.judging.advisories import Knowledge, read_facts
from shipseal.judging.claims import Claim, ClaimState, match_statements
from shipseal.judging.drafts import draft
from shipseal.judging.following import follow, together
from shipseal.judging.image_holdings import Holdings, Trace
from shipseal.judging.openvex import publish
from shipseal.judging.tiers import Reachability
from shipseal.judging.vex import VexStatus, read
from shipseal.oci.layout import Layout
from shipseal.scanning.findings import Finding
from shipseal.statements.builders import PredicateType, SignerIdentity
from tests import measured
from tests import test_verification as consumer
from tests.holdings import AMD64, CALLER, FUNCTION, INDEX, LIBRARY, MAIN, MODULE, SEEN, TAR, WITH_TAR, followed, known
from tests.stages.images import SmallImage, blob, tar
from tests.statements import NOW, finding, parsed, rules, statement

ALIASED = finding("GHSA-aaaa-bbbb-cccc", aliases=("CVE-2026-1",))
LOADED = replace(WITH_TAR, trace=Trace(AMD64, frozenset({TAR}), frozenset(), frozenset(), "3 requests"))
IMAGE = measured.image(f"registry.example/a@{INDEX}", {"linux/amd64": (AMD64, [str(LIBRARY)])})
ACCEPTED: dict[str, Any] = {
    "justification": "vulnerable_code_not_in_execute_path",
    "conditions": [{"not_imported": "tarfile"}, {"not_opened": "tarfile"}],
}


with zipfile.ZipFile(_written := io.BytesIO(), "w") as _archive:
    _archive.writestr("tarfile.py", "code")
    _archive.comment = b"PK\x05\x06 is how an archive ends"
ARCHIVE = _written.getvalue()


def judged(
    *stated: dict[str, Any], holdings: Holdings = WITH_TAR, known: Knowledge | None = None, found: Finding | None = None
) -> tuple[Claim, ...]:
    """Return what people state and what follows, as the stage joins them."""
    findings = [found or finding()]
    documents = {"policy/vex/test.json": parsed(*stated)} if stated else {}
    claims = match_statements(documents, holdings.packages, holdings.imports, holdings.paths, NOW, holdings=holdings)
    return together(claims, follow(findings, known or Knowledge(), holdings), findings, NOW)


def excused(claims: tuple[Claim, ...], found: Finding | None = None) -> bool:
    return any(claim.excuses(found or finding()) for claim in claims)


def test_what_holds_is_excused_so_that_the_rest_of_this_file_means_something() -> None:
    assert excused(judged(statement()))
    assert excused(judged(statement(**ACCEPTED)))
    assert excused(judged(known=known(FUNCTION)))


@pytest.mark.parametrize(
    ("stated", "state"),
    [
        ({"products": [{"@id": "pkg:deb/debian/libc6"}]}, ClaimState.NOT_IN_IMAGE),
        ({"products": [{"@id": "pkg:deb/debian/zlib1g@9"}]}, ClaimState.NOT_IN_IMAGE),
        ({"products": [{"@id": "pkg:pypi/zlib1g"}]}, ClaimState.NOT_IN_IMAGE),
        ({"products": [{"@id": f"pkg:oci/sample@{INDEX}"}]}, ClaimState.NOT_IN_IMAGE),
        ({"vulnerability": {"name": "CVE-2026-2"}}, ClaimState.APPLIED),
        ({"valid_until": "2026-11-24"}, ClaimState.EXPIRED),
        ({"timestamp": "2026-12-01T00:00:00Z"}, ClaimState.NOT_YET_VALID),
        ({"conditions": [{"no_file": "*libz*"}]}, ClaimState.REFUTED),
        ({"status": "under_investigation", "justification": None}, ClaimState.APPLIED),
    ],
    ids=[
        *("another package", "another version", "another type", "an image as product", "another vulnerability"),
        *("expired", "from the future", "against its own condition", "a status that excuses nothing"),
    ],
)
def test_a_statement_that_does_not_fit_has_no_effect(stated: dict[str, Any], state: ClaimState) -> None:
    claims = judged(statement(**stated))
    assert ([claim.state for claim in claims], excused(claims)) == ([state], False)


@pytest.mark.parametrize(
    ("stated", "complaint"),
    [
        ({"justification": None}, "not_affected takes a justification"),
        ({"impact_statement": None}, "not_affected takes a justification and an impact_statement"),
        ({"justification": "will_not_fix"}, "justification: 'will_not_fix' is none of"),
        ({"justification": "won't fix, low priority"}, "is none of 'component_not_present'"),
        ({"status": "will_not_fix"}, "status: 'will_not_fix' is none of"),
        ({"evidence": None}, "takes evidence: not having seen something is none"),
        ({"valid_until": None}, "valid_until"),
        ({"seen": [{"tier": "E0", "on": str(INDEX), "says": "it is not there"}]}, "there is no such key"),
    ],
    ids=[
        *("no justification", "no reason", "won't fix as a justification", "won't fix in words"),
        *("won't fix as a status", "no evidence", "no end", "evidence of a machine, made by hand"),
    ],
)
def test_a_statement_that_says_what_nobody_may_say_is_refused(stated: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(statement(**stated))
    assert complaint in refused.value.explain()


def test_two_statements_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="two VEX statements speak of CVE-2026-1"):
        judged(statement(), statement(status="affected", action_statement="upgrade"))


def test_an_alias_is_no_way_past_another_statement() -> None:
    """Neither names the other's id; only the finding knows that they are one."""
    by_alias = statement(vulnerability={"name": "GHSA-aaaa-bbbb-cccc"}, status="affected", action_statement="upgrade")
    with pytest.raises(ConfigError, match="two VEX statements speak of GHSA-aaaa-bbbb-cccc in zlib1g, by different"):
        judged(statement(), by_alias, found=ALIASED)


def test_an_alias_is_no_way_past_what_a_person_says_of_it() -> None:
    affected = statement(vulnerability={"name": "CVE-2026-1"}, status="affected", action_statement="upgrade")
    claims = judged(affected, found=ALIASED, known=known(FUNCTION))
    assert ([claim.source for claim in claims], excused(claims, ALIASED)) == (["policy/vex/test.json"], False)


@pytest.mark.parametrize("valid_until", ["2026-11-24", "2027-02-01"])
def test_a_machine_does_not_excuse_what_a_person_relied_on_and_no_longer_can(valid_until: str) -> None:
    """Somebody looks again, and takes the statement back first."""
    lapsed = statement(valid_until=valid_until, conditions=[{"no_file": "*libz*"}])
    assert not excused(judged(lapsed, known=known(FUNCTION)))


def test_what_the_service_loads_is_not_absent_whoever_says_so() -> None:
    (claim, made) = judged(statement(), holdings=LOADED, known=known(MODULE))
    assert claim.state is ClaimState.REFUTED
    assert f"E2 on {AMD64}: the service opened {TAR}" in claim.refuted_by[0]
    assert made.statement.status is VexStatus.AFFECTED


def test_what_was_accepted_ends_with_the_evidence_that_it_rests_on() -> None:
    imported = {"linux/amd64": image_holdings.ImportClosure(frozenset({"tarfile"}), {})}
    for changed in (LOADED, replace(WITH_TAR, closures=imported), replace(WITH_TAR, trace=None)):
        (claim, *_) = judged(statement(**ACCEPTED), holdings=changed)
        assert claim.state is ClaimState.REFUTED


def test_a_statement_that_follows_is_about_the_finding_and_the_version_that_were_seen_and_no_other() -> None:
    (claim,) = judged(known=known(FUNCTION))
    others = [
        finding("CVE-2026-2"),
        finding(purl="pkg:deb/debian/zlib1g@1.3", version="1.3"),
        finding(purl="pkg:deb/debian/libc6@1"),
    ]
    assert [excused((claim,), each) for each in (finding(), *others)] == [True, False, False, False]


def test_a_fact_about_another_package_or_advisory_says_nothing() -> None:
    assert judged(known=known(FUNCTION, packages='["pkg:deb/debian/libc6"]')) == ()
    assert judged(known=known(FUNCTION, id='"CVE-2026-2"')) == ()


def test_a_fact_without_its_source_is_refused() -> None:
    with pytest.raises(ConfigError) as refused:
        read_facts(CALLER.replace("source =", "# source ="), "policy/advisories/test.toml")
    assert refused.value.what.startswith("policy/advisories/test.toml")
    assert refused.value.why == ("caller.0.source: it is missing",)


def test_a_test_client_that_imports_the_module_in_its_own_process_neither_excuses_nor_accuses() -> None:
    contaminated = Trace(AMD64, frozenset({MAIN}), frozenset({TAR}), frozenset(), "3 requests")
    following = followed(replace(WITH_TAR, trace=contaminated), MODULE)
    assert (following.standing, following.claim(NOW)) == (Reachability.UNKNOWN, None)


def test_what_was_watched_on_another_image_is_refused() -> None:
    with pytest.raises(VerificationFailed, match=r"smoke/trace\.json is about another image"):
        image_holdings.trace(TraceDocument(measured.watched("linux/amd64", Digest.of(b"another image"))), IMAGE)


def test_what_is_published_for_one_digest_names_no_other() -> None:
    (published,) = publish(judged(known=known(FUNCTION)), IMAGE, NOW).statements
    assert [product.id for product in published.products] == [f"pkg:oci/a@{INDEX}", f"pkg:oci/a@{AMD64}"]
    assert f"E3 on {INDEX}: none of the image's 2 ELF files imports crc32_combine" in published.status_notes


@pytest.mark.parametrize("signer", [None, SignerIdentity("https://stranger.invalid", "https://issuer.invalid")])
def test_a_document_that_nobody_or_a_stranger_has_signed_is_not_taken(signer: SignerIdentity | None) -> None:
    predicate = consumer.openvex(f"a@{consumer.INDEX}")
    found = [consumer.signed(PredicateType.OPENVEX, predicate, who=signer)] if signer else []
    assert "openvex for the image" in consumer.reasons(consumer.only(PredicateType.OPENVEX), *found)


def test_a_document_of_another_image_is_not_taken_though_the_right_one_has_signed_it() -> None:
    found = consumer.signed(PredicateType.OPENVEX, consumer.openvex("a@sha256:00"))
    assert "it speaks of a@sha256:00" in consumer.reasons(consumer.only(PredicateType.OPENVEX), found)


def layered(root: Path, *more: dict[str, bytes], platforms: tuple[str, ...] = ("linux/amd64",)) -> Holdings:
    """Return what a small image holds that got further layers: the last platform's image has all of them."""
    image = SmallImage(platforms=platforms).write(root)
    for files in more:
        digest, size = blob(root, tar(dict(files), directories=True))
        image["platforms"][platforms[-1]]["layers"].append(
            {"name": "more", "digest": str(digest), "diff_id": str(digest), "size": size}
        )
    document = ImageDocument.parse(json.dumps(image).encode())
    held_there = contents.read(Layout(root), document, (), {})
    return replace(held_there, offered=SEEN.offered, closures=SEEN.closures)


@pytest.mark.parametrize("more", [{}, {"usr/bin/unzip": b"\x7fELF knows PK\x05\x06 and is none itself, by far not"}])
def test_what_no_layer_has_is_absent(tmp_path: Path, more: dict[str, bytes]) -> None:
    assert followed(layered(tmp_path, more), MODULE).standing is Reachability.ABSENT


@pytest.mark.parametrize(
    ("more", "platforms"),
    [
        ([{"usr/lib/python3.11/tarfile.pyc": b"code"}], ("linux/amd64",)),
        ([{"usr/lib/python3.11/tarfile.pyc": b"code"}], ("linux/amd64", "linux/arm64")),
        ([{"opt/tarfile.py": b"code"}, {"opt/.wh.tarfile.py": b""}], ("linux/amd64",)),
        ([{"./usr/../opt//tarfile.py": b"code"}], ("linux/amd64",)),
        ([{"opt/all.zip": b"PK\x03\x04 with tarfile.py in it"}], ("linux/amd64",)),
        ([{"opt/run": b"#!/usr/bin/python3.11\n" + ARCHIVE}], ("linux/amd64",)),
    ],
    ids=[
        *("a later layer", "another platform", "one that a later layer hides", "an odd path", "in an archive"),
        "in an archive behind a program",
    ],
)
def test_what_a_layer_brings_back_is_not_absent(
    tmp_path: Path, more: list[dict[str, bytes]], platforms: tuple[str, ...]
) -> None:
    assert followed(layered(tmp_path, *more, platforms=platforms), MODULE).standing is Reachability.UNKNOWN


def test_evidence_that_somebody_puts_into_what_is_published_is_not_read_back_as_a_statement() -> None:
    """What is under `policy/vex/` is a person's, whatever it says of itself."""
    (claim,) = judged(statement(impact_statement=f"E0 on {INDEX}: the module is not there"))
    assert claim.seen == ()


def test_a_draft_that_nobody_has_accepted_is_refused() -> None:
    with pytest.raises(ConfigError):
        read(json.dumps(draft(followed(WITH_TAR, MODULE), NOW)), rules(), "draft.json")


def test_two_runs_on_different_days_publish_the_same_of_what_follows() -> None:
    (each,) = follow([finding()], known(FUNCTION), SEEN)
    claims = [each.claim(NOW), each.claim(NOW + timedelta(days=3))]
    one, other = (publish([claim], IMAGE, NOW).statements for claim in claims if claim)
    assert one == other
