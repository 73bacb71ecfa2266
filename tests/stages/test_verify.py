"""The verify stage reads the registry as a stranger would, and lets nothing pass that was touched."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.distribution.referrers import EMPTY, attach
from shipseal.engine.record import Record, products
from shipseal.engine.run import Run
from shipseal.engine.stage import Stage
from shipseal.engine.world import choose
from shipseal.errors import ConfigError, RemoteFailed, VerificationFailed
from shipseal.local.signer import SUBJECT
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.project.config import HOME, Config
from shipseal.stages.attest import attest
from shipseal.statements.builders import PredicateType
from tests import upstream
from tests.conftest import NOW, PIPELINE_TOML


def perform(run: Run, *stages: Stage) -> None:
    async def every() -> None:
        for stage in stages:
            await run.perform(stage)

    anyio.run(every)


@pytest.fixture(scope="module")
def template(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a run in which the image has been published; no test touches it."""
    return upstream.performed(tmp_path_factory.mktemp("project"), store, locked, upstream.ATTEST, upstream.PUBLISH)


@pytest.fixture
def run(template: Run, tmp_path: Path) -> Run:
    """Give a copy of it."""
    return upstream.copy(template, tmp_path / "run")


def image(run: Run) -> Any:
    return json.loads((run.directory / "image" / "image.json").read_bytes())


def registry(run: Run) -> Path:
    return run.directory / "publish" / "registry" / "acme" / "sample"


def blob(run: Run, content: Callable[[bytes], bool]) -> Path:
    """Return the one blob of the registry with some content."""
    (found,) = (path for path in (registry(run) / "blobs" / "sha256").iterdir() if content(path.read_bytes()))
    return found


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def record_again(run: Run, stage: str) -> None:
    """Make a stage's record fit what is there now: what follows must not rely on the records."""
    directory = run.directory / stage
    record = json.loads((directory / "record.json").read_bytes())
    record["products"] = {name: str(digest) for name, digest in products(directory).items()}
    (directory / "record.json").write_text(json.dumps(record))


def refused(run: Run) -> VerificationFailed:
    record_again(run, "publish")
    record_again(run, "attest")
    with pytest.raises(VerificationFailed) as failure:
        perform(run, upstream.VERIFY)
    assert failure.value.exit_code == 6
    assert not (run.directory / "verify").exists()
    return failure.value


def verification(run: Run) -> Any:
    return json.loads((run.directory / "verify" / "verification.json").read_bytes())


def test_what_was_published_is_accepted_by_both(run: Run) -> None:
    perform(run, upstream.VERIFY)
    found = verification(run)
    assert found["digest"] == image(run)["digest"]
    assert found["verifiers"] == ["sigstore-python", "cosign"]
    assert len(found["statements"]) == 12
    assert {each["signer"] for each in found["statements"]} == {SUBJECT}
    assert all(each["signed_at"].endswith("Z") for each in found["statements"])
    assert len(found["required"]) == 5 + 3 * 2
    assert found["refused"] == {}
    assert found["slsa_build_level"] == 1


def test_cosign_is_really_asked_for_all_that_it_accepts_on_every_subject(run: Run) -> None:
    perform(run, upstream.VERIFY)
    asked = [
        command.arguments for command in Record.read(run.directory / "verify").commands if command.tool == "cosign"
    ]
    subjects = [image(run)["digest"], *(entry["digest"] for entry in image(run)["platforms"].values())]
    # What was fetched, and no registry: to Cosign what it cannot reach is not there.
    judged, looked = (
        [arguments for arguments in asked if ("--local-image" in arguments) is here] for here in (True, False)
    )
    assert {arguments[-2] for arguments in judged} == {"--local-image"}
    assert sorted(arguments[-1].rpartition("/")[2] for arguments in judged) == sorted(subjects)
    assert {tuple(arguments[:3]) for arguments in judged} == {("verify", "--output", "text")}
    assert sorted(arguments[0] for arguments in looked) == ["tree", "verify"], (
        "which is who finds it, and judges nothing"
    )


def test_the_summary_speaks_of_the_image_and_lists_what_was_looked_at(run: Run) -> None:
    perform(run, upstream.VERIFY)
    summary = json.loads((run.directory / "verify" / "summary.json").read_bytes())
    digests = {f"sha256:{subject['digest']['sha256']}" for subject in summary["subject"]}
    assert digests == {image(run)["digest"], *(entry["digest"] for entry in image(run)["platforms"].values())}
    assert summary["predicate"]["verificationResult"] == "PASSED"
    assert len(summary["predicate"]["inputAttestations"]) == 12


def test_it_needs_nothing_of_the_run_but_the_registry_and_the_trust_root(run: Run) -> None:
    for stage in ("facts", "build", "sbom", "scan"):
        shutil.rmtree(run.directory / stage)
    for name in ("statements", "bundles", "layout"):
        shutil.rmtree(run.directory / "attest" / name)
    record_again(run, "attest")
    perform(run, upstream.VERIFY)
    assert len(verification(run)["statements"]) == 12


def test_one_flipped_byte_in_a_layer_is_refused(run: Run) -> None:
    layer = blob(run, lambda data: data == b"a layer for linux/arm64")
    flip(layer)
    assert refused(run).what == f"a layer for linux/arm64 was altered: sha256:{layer.name}"


def test_one_flipped_byte_in_a_bundle_is_refused(run: Run) -> None:
    bundle = Digest.of_file(run.directory / "attest" / "bundles" / "provenance.sigstore.json")
    flip(registry(run) / "blobs" / "sha256" / bundle.hex)
    assert refused(run).what == f"an attestation of the image was altered: {bundle}"


def test_one_flipped_byte_in_a_manifest_is_refused(run: Run) -> None:
    for digest in (image(run)["platforms"]["linux/arm64"]["digest"], image(run)["digest"]):
        manifest = registry(run) / "blobs" / "sha256" / digest.removeprefix("sha256:")
        before = manifest.read_bytes()
        manifest.write_bytes(before.replace(b"sha256:", b"sha256;", 1))
        assert "altered" in refused(run).what
        manifest.write_bytes(before)


@pytest.mark.parametrize(
    ("place", "value", "accepted_by"),
    [
        # Cosign does not read what kind of entry a bundle says that it has; sigstore-python does.
        (("kindVersion", "kind"), "something", "Cosign"),
        # sigstore-python passes over a line feed in base64; Cosign does not.
        (("inclusionProof", "rootHash"), "\n", "sigstore-python"),
    ],
)
def test_a_bundle_that_only_one_verifier_accepts_is_refused_with_who_does(
    run: Run, place: tuple[str, str], value: str, accepted_by: str
) -> None:
    def alter(bundle: bytes) -> bytes:
        document = json.loads(bundle)
        (entry,) = document["verificationMaterial"]["tlogEntries"]
        entry[place[0]][place[1]] += value
        return json.dumps(document).encode()

    republish(run, "provenance", alter)
    failure = refused(run)
    assert failure.what.startswith("the two verifiers disagree about https://slsa.dev/provenance/v1 on sha256:")
    assert failure.why[0].startswith(f"{accepted_by} accepts the statement sha256:")


def test_one_flipped_byte_between_two_stages_is_refused_with_the_files_name(run: Run) -> None:
    flip(blob(run, lambda data: data == b"a layer for linux/arm64"))
    with pytest.raises(VerificationFailed, match=r"publish/registry/.* was altered after the stage had finished"):
        perform(run, upstream.VERIFY)


def test_a_missing_layer_is_refused(run: Run) -> None:
    blob(run, lambda data: data == b"a layer for linux/amd64").unlink()
    record_again(run, "publish")
    with pytest.raises(RemoteFailed, match="did not do"):
        perform(run, upstream.VERIFY)


def republish(run: Run, name: str, change: Callable[[bytes], bytes | None]) -> None:
    """Publish again with one bundle changed or left out, every digest put right: what a registry's owner can do."""
    attested = run.directory / "attest"
    digests = [image(run)["digest"], *(entry["digest"] for entry in image(run)["platforms"].values())]
    shutil.rmtree(attested / "layout")
    layout = Layout(run.directory / "image" / "layout").copy_to(attested / "layout")
    index, platforms = layout.image(Digest.parse(digests[0]))
    layout.put(EMPTY)
    for path in sorted((attested / "bundles").iterdir()):
        own = path.name.removesuffix(".sigstore.json")
        bundle = change(path.read_bytes()) if own == name else path.read_bytes()
        statement = (attested / "statements" / f"{own}.json").read_text()
        for subject in (index, *(each.descriptor for each in platforms)):
            if bundle is not None and str(subject["digest"]).removeprefix("sha256:") in statement:
                referrer = attach(bundle, json.loads(statement)["predicateType"], subject, NOW)
                layout.put(bundle)
                layout.put(referrer.manifest)
                layout.list_more([referrer.descriptor])
    record_again(run, "attest")
    perform(run, upstream.PUBLISH)


def test_rubbish_that_somebody_attached_stops_nobody_and_is_on_record(run: Run) -> None:
    attested, receipt = Layout(run.directory / "attest" / "layout"), run.directory / "publish" / "receipt.json"
    own = json.loads(receipt.read_bytes())["bundles"]
    index, _ = attested.image(Digest.parse(image(run)["digest"]))
    rubbish = attach(b"rubbish", PredicateType.PROVENANCE, index, NOW)
    manifests = [json.loads(rubbish.manifest) for _ in range(3)]
    manifests[1].update(layers=[])
    manifests[2]["layers"] *= 2
    attested.put(b"rubbish")
    for manifest in manifests:
        data = json.dumps(manifest).encode()
        attested.list_more([{**rubbish.descriptor, "digest": str(attested.put(data)), "size": len(data)}])
    record_again(run, "attest")
    perform(run, upstream.PUBLISH)
    receipt.write_text(json.dumps({**json.loads(receipt.read_bytes()), "bundles": own}))  # this run did not sign it
    record_again(run, "publish")
    perform(run, upstream.VERIFY)
    found = verification(run)
    assert (len(found["statements"]), len(found["refused"])) == (12, 3)


def alter_payload(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    def change(bundle: bytes) -> bytes:
        document = json.loads(bundle)
        payload = base64.b64decode(document["dsseEnvelope"]["payload"])
        assert before in payload
        document["dsseEnvelope"]["payload"] = base64.b64encode(payload.replace(before, after, 1)).decode()
        return json.dumps(document).encode()

    return change


def test_an_sbom_with_one_byte_changed_and_every_digest_put_right_is_refused(run: Run) -> None:
    republish(run, "sbom-cyclonedx-linux-arm64", alter_payload(b"waitress", b"Waitress"))
    failure = refused(run)
    assert failure.what.endswith("does not satisfy the policy dry-run")
    assert "cyclonedx for linux/arm64: nothing that an allowed signer signed says so" in failure.why
    assert any("was refused: sigstore-python refuses the signature" in line for line in failure.why)


def test_a_verdict_that_was_turned_is_refused(run: Run) -> None:
    republish(run, "verdict", alter_payload(b'"allowed":true', b'"allowed":null'))
    assert any(line.startswith("verdict for the image") for line in refused(run).why)


def test_an_image_that_lost_a_piece_of_evidence_is_refused(run: Run) -> None:
    republish(run, "vex", lambda _: None)
    assert refused(run).why == ("openvex for the image: nothing that an allowed signer signed says so",)


def test_evidence_of_another_authority_is_refused(run: Run) -> None:
    """The trust root of one run says nothing about another, though every name is the same."""
    perform(run, Stage("attest", attest, needs=upstream.ATTEST.needs, tools=("cosign",), uncached=True))
    assert any("and 11 more were refused: sigstore-python refuses" in line for line in refused(run).why)


def use_policy(run: Run, tmp_path: Path, change: Callable[[str], str]) -> None:
    root = tmp_path / "elsewhere"
    (root / "policy").mkdir(parents=True)
    (root / "pipeline.toml").write_text(PIPELINE_TOML)
    text = (HOME / "policy" / "verification.toml").read_text()
    (root / "policy" / "verification.toml").write_text(change(text))
    run.config = Config.load(root / "pipeline.toml")
    run.world = choose("dry-run", run.config)


def test_a_signer_that_the_policy_does_not_name_is_refused(run: Run, tmp_path: Path) -> None:
    use_policy(run, tmp_path, lambda text: text.replace(SUBJECT, "https://dry-run.invalid/somebody-else"))
    assert "does not satisfy the policy" in refused(run).what


def test_a_local_trust_root_is_refused_under_the_production_policy(run: Run) -> None:
    """What a dry run left, judged as a release would be, with records that say it was one."""
    for record in run.directory.glob("*/record.json"):
        record.write_text(record.read_text().replace('"world": "dry-run"', '"world": "release"'))
    run.world = choose("release", run.config)
    failure = refused(run)
    assert failure.what.startswith("the policy production does not trust")
    assert failure.why == ('its trust-root is "public"',)


def test_a_policy_file_that_is_broken_is_the_users_to_correct(run: Run, tmp_path: Path) -> None:
    use_policy(run, tmp_path, lambda text: text.replace("[require]", "[require"))
    with pytest.raises(ConfigError, match=r"verification\.toml cannot be read"):
        perform(run, upstream.VERIFY)
