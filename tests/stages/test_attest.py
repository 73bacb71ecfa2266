"""The attest stage: every statement signed by the real Cosign, and hung on each manifest that it speaks of."""

import json
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.distribution.referrers import attached
from shipseal.engine.record import Record
from shipseal.engine.run import Run
from shipseal.engine.table import RECORDED
from shipseal.errors import PolicyDenied, VerificationFailed
from shipseal.local.signer import SUBJECT
from shipseal.local.sigstore import ISSUER
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.signing.verifiers import trusted_root, verify_bundle
from shipseal.statements.builders import RULES_PASSED, SignerIdentity
from tests import upstream
from tests.conftest import NOW

NAMES = {
    *("signature", "provenance", "test", "smoke", "vex", "verdict"),
    *(f"{name}-linux-{arch}" for name in ("sbom-cyclonedx", "sbom-spdx", "scan") for arch in ("amd64", "arm64")),
}


@pytest.fixture(scope="module")
def run(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a run in which everything until `attest` has finished; no test touches it."""
    return upstream.performed(tmp_path_factory.mktemp("project"), store, locked, upstream.ATTEST)


@pytest.fixture
def attested(run: Run) -> Path:
    return run.directory / "attest"


@pytest.fixture
def unsigned(run: Run, tmp_path: Path) -> Run:
    """Give a copy of it in which everything before `attest` has finished."""
    copy = upstream.copy(run, tmp_path / "run")
    shutil.rmtree(copy.directory / "attest")
    return copy


def statement(attested: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((attested / "statements" / f"{name}.json").read_bytes()))


def image(run: Run) -> Mapping[str, Any]:
    return dict(json.loads((run.directory / "image" / "image.json").read_bytes()))


def test_each_statement_is_signed_as_it_stands(attested: Path) -> None:
    assert {path.name.removesuffix(".json") for path in (attested / "statements").iterdir()} == NAMES
    root = trusted_root(attested / "trusted_root.json")
    for name in NAMES:
        bundle = (attested / "bundles" / f"{name}.sigstore.json").read_bytes()
        signed = verify_bundle(bundle, root, [SignerIdentity(SUBJECT, ISSUER)])
        assert signed.statement == (attested / "statements" / f"{name}.json").read_bytes()


def test_each_statement_names_the_index_and_the_platforms_that_it_speaks_of(attested: Path, run: Run) -> None:
    index = image(run)["digest"]
    platforms = {name: entry["digest"] for name, entry in image(run)["platforms"].items()}
    for name in NAMES:
        named = {f"sha256:{subject['digest']['sha256']}" for subject in statement(attested, name)["subject"]}
        own = {digest for platform, digest in platforms.items() if platform.replace("/", "-") in name}
        if name == "smoke":  # the image was started on this one
            own = {platforms["linux/amd64"]}
        assert named == {index, *(own or platforms.values())}


def test_each_bundle_is_a_referrer_of_each_of_its_subjects_and_nothing_else(attested: Path, run: Run) -> None:
    layout = Layout(attested / "layout")
    found: dict[Digest, set[Digest]] = {}
    for subject in (image(run)["digest"], *(entry["digest"] for entry in image(run)["platforms"].values())):
        for item in attached(layout.listed(), Digest.parse(subject), layout.read):
            found.setdefault(item.digest, set()).add(item.subject)
    for name in NAMES:
        bundle = Digest.of_file(attested / "bundles" / f"{name}.sigstore.json")
        named = {Digest("sha256", item["digest"]["sha256"]) for item in statement(attested, name)["subject"]}
        assert found.pop(bundle) == named
    assert found == {}


def test_the_image_itself_is_not_touched(attested: Path, run: Run) -> None:
    before, after = Layout(run.directory / "image" / "layout"), Layout(attested / "layout")
    digest = Digest.parse(image(run)["digest"])
    assert after.listed()[0] == before.listed()[0]
    assert after.check_image(digest) == before.check_image(digest) == 7


def test_provenance_covers_every_material_of_every_record(attested: Path, run: Run) -> None:
    named = {
        (item.get("uri"), item["digest"].get("sha256"))
        for item in statement(attested, "provenance")["predicate"]["buildDefinition"]["resolvedDependencies"]
    }
    recorded = {
        (name, digest.hex)
        for stage in RECORDED
        for name, digest in Record.read(run.directory / stage).materials.items()
    }
    assert recorded
    assert recorded <= named


def test_provenance_says_who_built_and_whether_from_a_dirty_tree(attested: Path) -> None:
    predicate = statement(attested, "provenance")["predicate"]
    source = predicate["buildDefinition"]["resolvedDependencies"][0]
    assert source["annotations"]["dirty"] is False
    assert predicate["runDetails"]["builder"]["id"] == SUBJECT
    assert ".invalid/" in SUBJECT


def test_no_path_of_this_machine_is_in_a_statement(attested: Path, run: Run) -> None:
    written = b"".join(path.read_bytes() for path in (attested / "statements").iterdir())
    assert str(run.config.root).encode() not in written
    assert str(Path.home()).encode() not in written or str(Path.home()) == "/"


def test_a_test_result_says_what_it_was_that_was_tested(attested: Path, run: Run) -> None:
    wheel = Record.read(run.directory / "build").products["wheels/sample.whl"]
    manifest = image(run)["platforms"]["linux/amd64"]["digest"]
    for name, tested, digest in (
        ("test", "tested: sample.whl", str(wheel)),
        ("smoke", "tested: the started image, linux/amd64", manifest),
    ):
        (_, found) = statement(attested, name)["predicate"]["configuration"]
        assert found == {"name": tested, "digest": {"sha256": digest.removeprefix("sha256:")}}


def test_a_signer_whom_the_policy_does_not_name_signs_nothing(unsigned: Run) -> None:
    policy = unsigned.config.policy.directory / "verification.toml"
    before = policy.read_text()
    try:
        policy.write_text(before.replace(SUBJECT, "https://dry-run.invalid/somebody-else"))
        with pytest.raises(VerificationFailed, match="the policy dry-run does not name who would sign"):
            anyio.run(unsigned.perform, upstream.ATTEST)
    finally:
        policy.write_text(before)
    assert list(unsigned.directory.glob("attest*/bundles/*")) == []


def test_the_verdict_says_which_policy_it_rests_on(attested: Path) -> None:
    predicate = statement(attested, "verdict")["predicate"]
    assert predicate["properties"] == [RULES_PASSED]
    assert predicate["verifier"]["policies"] == [
        {"name": "policy/rules.toml", "digest": {"sha256": upstream.WHEEL.hex}}
    ]


def test_the_headline_claims_no_more_than_a_local_test_authority(attested: Path) -> None:
    assert Record.read(attested).headline == ("12 statements signed by a local test authority, attached to 3 manifests")


def test_it_leaves_no_key_and_no_token(attested: Path) -> None:
    for path in attested.rglob("*"):
        if path.is_file():
            assert b"PRIVATE KEY" not in path.read_bytes()
            assert b"eyJhbGciOiJFUzI1NiI" not in path.read_bytes()


def test_an_image_that_was_altered_is_not_signed_even_if_its_record_was_put_right(unsigned: Run) -> None:
    (layer,) = (
        path
        for path in (unsigned.directory / "image" / "layout" / "blobs" / "sha256").iterdir()
        if path.read_bytes() == b"a layer for linux/arm64"
    )
    replace_product(unsigned, "image", f"layout/blobs/sha256/{layer.name}", b"A layer for linux/arm64")
    with pytest.raises(VerificationFailed, match="a layer for linux/arm64 was altered"):
        anyio.run(unsigned.perform, upstream.ATTEST)
    assert not (unsigned.directory / "attest").exists()


def test_a_scan_that_lacks_a_platform_is_not_signed(unsigned: Run) -> None:
    replace_product(unsigned, "scan", "grype.json", json.dumps({"linux/amd64": upstream.GRYPE}).encode())
    with pytest.raises(VerificationFailed, match=r"scan/grype.json has no report for linux/arm64"):
        anyio.run(unsigned.perform, upstream.ATTEST)


def replace_product(run: Run, stage: str, name: str, data: bytes) -> None:
    """Have a stage write something else, record included."""
    directory = run.directory / stage
    (directory / name).write_bytes(data)
    record = json.loads((directory / "record.json").read_bytes())
    record["products"][name] = str(Digest.of_file(directory / name))
    (directory / "record.json").write_text(json.dumps(record))


def test_a_verdict_of_the_day_before_is_not_signed(unsigned: Run) -> None:
    """A release that was interrupted goes on later: what was known then is not what is known now."""
    unsigned.clock = lambda: NOW + timedelta(hours=25)
    with pytest.raises(PolicyDenied, match="the verdict was given at 2026-11-25T12:00"):
        anyio.run(unsigned.perform, upstream.ATTEST)
    assert not [*unsigned.directory.glob("attest.part/bundles/*"), *unsigned.directory.glob("attest.signed/*")]
