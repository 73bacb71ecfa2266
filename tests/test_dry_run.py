"""The whole dry run, once, with the real tools, in a process without any network: what it leaves, and what it says."""

import fcntl
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.distribution.referrers import BUNDLE_TYPE
from shipseal.engine.table import TABLE
from shipseal.locked.store import Store
from tests.commands import Ended, flip, pipeline, read, stages

ALL = {stage.name for stage in TABLE}


@pytest.fixture
def copy(finished: tuple[Path, Ended], tmp_path: Path) -> Path:
    """Give a copy of the project with its finished run, to be changed at will."""
    return Path(shutil.copytree(finished[0], tmp_path / "greetings", symlinks=True))


def test_it_ends_well_offline_and_every_stage_has_finished(finished: tuple[Path, Ended]) -> None:
    root, ended = finished
    assert ended.code == 0, ended.output
    assert stages(root / ".run") == ALL


def test_it_prints_the_image_by_digest_and_that_digest_is_everywhere(finished: tuple[Path, Ended]) -> None:
    root, ended = finished
    digest = read(root / ".run", "image/image.json")["digest"]
    assert f"image   docker.io/example/greetings@{digest}" in ended.stdout
    assert read(root / ".run", "publish/receipt.json")["reference"].endswith(digest)
    assert read(root / ".run", "verify/verification.json")["digest"] == digest
    assert read(root / ".run", "promote/tags.json")["digest"] == digest
    assert f"docker.io/example/greetings@{digest}" in (root / ".run" / "deploy" / "rendered.yaml").read_text()


def test_it_says_what_was_real_what_stood_in_and_what_was_not_run(finished: tuple[Path, Ended]) -> None:
    _, ended = finished
    assert re.search(r"^real:$.*^local stand-in:$.*^not run:$", ended.stdout, re.MULTILINE | re.DOTALL)
    assert "SAMPLE" in ended.stdout
    assert "Signed by a local test authority" in ended.stdout
    assert "signed by Sigstore" not in ended.output


def test_every_statement_has_a_bundle_and_every_subject_every_statement_about_it(finished: tuple[Path, Ended]) -> None:
    run = finished[0] / ".run"
    statements = {path.stem: json.loads(path.read_bytes()) for path in (run / "attest" / "statements").iterdir()}
    assert {path.name.removesuffix(".sigstore.json") for path in (run / "attest" / "bundles").iterdir()} == set(
        statements
    )
    index = read(run, "attest/layout/index.json")
    referrers: dict[str, int] = {}
    for item in index["manifests"]:
        manifest = json.loads(
            (run / "attest/layout/blobs/sha256" / item["digest"].removeprefix("sha256:")).read_bytes()
        )
        if manifest.get("artifactType") == BUNDLE_TYPE:
            subject = manifest["subject"]["digest"]
            referrers[subject] = referrers.get(subject, 0) + 1
    expected: dict[str, int] = {}
    for statement in statements.values():
        for subject in statement["subject"]:
            digest = f"sha256:{subject['digest']['sha256']}"
            expected[digest] = expected.get(digest, 0) + 1
    assert referrers == expected
    assert len(expected) == 2


def test_nothing_in_the_run_directory_or_the_output_is_a_private_key(finished: tuple[Path, Ended]) -> None:
    root, ended = finished
    for path in (root / ".run").rglob("*"):
        assert not path.is_file() or b"PRIVATE KEY" not in path.read_bytes(), path
    assert "PRIVATE KEY" not in ended.output


def test_the_run_leaves_the_checkout_clean(finished: tuple[Path, Ended]) -> None:
    assert read(finished[0] / ".run", "facts/facts.json")["dirty"] is False


def test_a_second_run_keeps_what_is_the_same_and_gives_the_same_digest(copy: Path) -> None:
    before = read(copy / ".run", "image/image.json")["digest"]
    ended = pipeline("dry-run", "--json", cwd=copy)
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    kept = {event["stage"] for event in events if event["event"] == "kept"}
    assert ended.code == 0, ended.output
    assert kept == {"build", "test", "image", "smoke", "sbom"}
    assert read(copy / ".run", "image/image.json")["digest"] == before


def test_a_stage_can_be_run_alone_over_what_is_there(copy: Path) -> None:
    ended = pipeline("stage", "sbom", cwd=copy)
    assert ended.code == 0, ended.output
    assert "sbom" in ended.stderr


@pytest.mark.parametrize(
    ("victim", "stage", "said"),
    [
        ("image/layout/blobs/sha256/{layer}", "sbom", "image/layout/blobs/sha256/{layer} was altered"),
        ("sbom/linux-amd64/sbom.cdx.json", "scan", "sbom/linux-amd64/sbom.cdx.json was altered"),
        ("scan/grype.json", "assess", "scan/grype.json was altered"),
        ("assess/verdict.json", "admit", "assess/verdict.json was altered"),
        ("attest/bundles/provenance.sigstore.json", "publish", "attest/bundles/provenance.sigstore.json was altered"),
        ("verify/verification.json", "promote", "verify/verification.json was altered"),
    ],
)
def test_one_flipped_byte_between_two_stages_is_refused(copy: Path, victim: str, stage: str, said: str) -> None:
    layer = read(copy / ".run", "image/image.json")["platforms"]["linux/amd64"]["layers"][0]["digest"][7:]
    flip(copy / ".run" / victim.format(layer=layer))
    ended = pipeline("stage", stage, cwd=copy)
    assert ended.code == 6, ended.output
    assert said.format(layer=layer) in ended.stderr


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("layer", "a layer for linux/amd64"),
        ("bundle", "an attestation of the image"),
        ("manifest", "a manifest of the image"),
    ],
)
def test_one_flipped_byte_in_the_registry_is_refused_by_verify(copy: Path, kind: str, said: str) -> None:
    """The record is rewritten to fit, as somebody who owns the registry could: the digests have to say it."""
    run = copy / ".run"
    image = read(run, "image/image.json")["platforms"]["linux/amd64"]
    bundle = Digest.of_file(run / "attest" / "bundles" / "provenance.sigstore.json").hex
    name = {"layer": image["layers"][0]["digest"][7:], "bundle": bundle, "manifest": image["digest"][7:]}[kind]
    (victim,) = (run / "publish" / "registry").rglob(f"blobs/sha256/{name}")
    flip(victim, offset=len(victim.read_bytes()) // 2)
    record = read(run, "publish/record.json")
    record["products"][victim.relative_to(run / "publish").as_posix()] = str(Digest.of_file(victim))
    (run / "publish" / "record.json").write_text(json.dumps(record))
    ended = pipeline("stage", "verify", cwd=copy)
    assert ended.code == 6, ended.output
    assert f"error: {said} was altered: sha256:" in ended.stderr


def test_a_tool_with_one_flipped_byte_is_refused(
    copy: Path, tmp_path: Path, store_root: Path, locked: dict[str, Digest]
) -> None:
    other = tmp_path / "store"
    shutil.copytree(store_root, other, copy_function=os.link)
    syft = Store(other).get(locked["syft"])
    changed = syft.read_bytes()
    syft.unlink()
    syft.write_bytes(changed[:-1] + bytes([changed[-1] ^ 1]))
    ended = pipeline("stage", "sbom", "--store", other, cwd=copy)
    assert ended.code == 4, ended.output
    assert "syft was altered" in ended.stderr


def test_a_run_directory_in_use_is_refused(copy: Path) -> None:
    with (copy / ".run" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = pipeline("dry-run", cwd=copy)
    assert ended.code == 2
    assert "another run is using" in ended.stderr
