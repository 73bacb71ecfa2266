"""Besides deploying: see whether one may, write the digest into git, publish the set, excuse an image, rehearse."""

import io
import json
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.locked.store import Store
from shipseal.statements.deployment import Receipt, of_bundle
from tests.cluster.checkout import OVERLAY
from tests.cluster.ground import Ground
from tests.cluster.running import processes_of

pytestmark = pytest.mark.timeout(600)

FILE = OVERLAY / "kustomization.yaml"


def waiver(image: str, until: datetime) -> str:
    day = datetime.now(UTC).date()
    return (
        f'[[deploy]]\nimage = "{image}"\nowner = "ann"\nreason = "the signer moves house, and comes back next week"\n'
        f"since = {min(day, until.date())}\nuntil = {until.date()}\n"
    )


def changed(ground: Ground) -> list[str]:
    """Return the lines that a checkout has otherwise than its last commit."""
    words = ["git", "diff", "--unified=0", "--", str(FILE)]
    done = subprocess.run(words, cwd=ground.checkout.root, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def test_whether_one_may_deploy_is_told_and_nothing_is_written(ground: Ground) -> None:
    ended = ground.deploy("--check", "--json", SIGSTORE_ID_TOKEN="")
    uid = ground.kubectl.within("").read("namespace", "kube-system")["metadata"]["uid"]
    checked = json.loads(ended.stdout.splitlines()[-1])
    assert (uid, "1.35") == (checked["uid"], checked["version"])
    assert ground.kubectl.read("leases")["items"] == []


def test_doctor_names_a_right_that_is_missing(ground: Ground) -> None:
    lesser = ground.deployer_without("poddisruptionbudgets")
    said = ground.checkout.project.run("doctor", "--kubeconfig", str(lesser)).output
    assert "cluster" in said
    assert f"patch poddisruptionbudgets.policy in {ground.namespace}" in said
    assert "may deploy there" in ground.checkout.project.run("doctor", "--kubeconfig", str(ground.kubeconfig)).output


def test_the_digest_is_written_as_a_change_for_review_and_nothing_else_is(ground: Ground) -> None:
    image = ground.releases.a
    ground.deploy("--write", to=image, SIGSTORE_ID_TOKEN="")
    added = changed(ground)
    assert {line[0] for line in added} == {"+"}
    assert len(added) == 4
    assert added[-1] == f"+    digest: {image}"
    assert "is named there already" in ground.deploy("--write", to=image, SIGSTORE_ID_TOKEN="").stdout
    ground.deploy("--write", to=ground.releases.b, SIGSTORE_ID_TOKEN="")
    assert changed(ground)[-1] == f"+    digest: {ground.releases.b}"
    assert len(changed(ground)) == 4
    assert ground.receipts() == {}


def test_an_image_that_does_not_pass_is_written_nowhere(ground: Ground) -> None:
    ground.deploy("--write", to=ground.releases.other, code=6, SIGSTORE_ID_TOKEN="")
    assert changed(ground) == []


def test_where_git_names_another_image_than_runs_the_deploy_and_the_status_say_so(ground: Ground) -> None:
    ground.deploy("--write", to=ground.releases.b)
    ended = ground.deploy(to=ground.releases.a)
    assert f"the overlay in git names {ground.releases.reference(ground.releases.b)}" in ended.stderr
    assert {ground.releases.a} == ground.images()
    said = ground.status().stdout
    assert f"git       names {ground.releases.reference(ground.releases.b)}, which is not what runs" in said


def test_the_set_is_published_with_its_signature_and_is_the_one_that_a_deploy_applies(
    ground: Ground, store: Store, locked: dict[str, Digest]
) -> None:
    ended = ground.deploy("--publish", "--json", to=ground.releases.a)
    artifact = json.loads(ended.stdout.splitlines()[-1])["artifact"]
    assert ground.kubectl.read("deployments")["items"] == []

    def ask(*words: str) -> bytes:
        command: list[str | Path] = [store.get(locked["oras"]), *words]
        return subprocess.run(command, check=True, capture_output=True).stdout

    listed = json.loads(ask("discover", "--plain-http", "--format", "json", artifact))["referrers"]
    kinds = [each["annotations"]["dev.sigstore.bundle.predicateType"] for each in listed]
    assert kinds == ["https://supply-chain-pipeline.example/rendered-set/v1"]
    [layer] = json.loads(ask("manifest", "fetch", "--plain-http", artifact))["layers"]
    blob = f"{artifact.partition('@')[0]}@{layer['digest']}"
    packed = io.BytesIO(ask("blob", "fetch", "--plain-http", "--output", "-", blob))
    with tarfile.open(fileobj=packed) as archive:
        [file] = archive.getmembers()
        content = archive.extractfile(file)
        assert content is not None
        published = content.read()
    ground.deploy(to=ground.releases.a)
    [kept] = ground.receipts().values()
    assert published.decode() == kept["rendered.yaml"]


def test_an_image_that_no_longer_passes_is_deployed_by_a_waiver_that_the_receipt_names(ground: Ground) -> None:
    other, policy = ground.releases.other, ground.checkout.project.policy.parent
    ground.deploy(to=other, code=6)
    ground.checkout.save(policy / "waivers.toml", waiver(other, datetime.now(UTC) + timedelta(days=2)))
    ended = ground.deploy(to=other)
    assert "deployed by a waiver of ann" in ended.stderr
    [kept] = ground.receipts().values()
    receipt = of_bundle(kept["receipt.sigstore.json"].encode())
    assert receipt.verification.waiver.startswith("ann, until ")
    assert receipt.proven


def test_a_waiver_that_has_ended_excuses_nothing(ground: Ground) -> None:
    other, policy = ground.releases.other, ground.checkout.project.policy.parent
    ground.checkout.save(policy / "waivers.toml", waiver(other, datetime.now(UTC) - timedelta(days=1)))
    ground.deploy(to=other, code=6)
    assert ground.receipts() == {}


def test_a_dry_run_rehearses_the_deploy_on_a_cluster_of_its_own_and_leaves_none(ground: Ground) -> None:
    ended = ground.checkout.project.run("dry-run", "--cluster", "--as-of", datetime.now(UTC).isoformat())
    assert ended.code == 0, ended.output
    assert "the nodes of the cluster: played by kwok" in ended.stdout
    assert "and the configured cluster: a dry run asks for none of them" in ended.stdout
    run = ground.checkout.project.run_dir
    receipt = Receipt.read(json.loads((run / "deploy" / "deployment.json").read_bytes()))
    assert receipt.proven
    assert [pod.match for pod in receipt.pods] == ["equal"] * 3
    assert receipt.deployer == "deployer"
    assert json.loads((run / "deploy" / "receipt.json").read_bytes())["state"] == "deployed"
    assert processes_of(ground.checkout.project.home / "tmp") == {}
    assert ground.kubectl.read("deployments")["items"] == []
