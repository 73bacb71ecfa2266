"""What was verified is what is applied and what runs: a first deploy, its updates, and what is left of each."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipseal.digest import Digest
from shipseal.local.sigstore import ISSUER
from shipseal.locked.store import Store
from shipseal.rollout.preflight import STEPS
from tests.cluster.checkout import NAME
from tests.cluster.conftest import MakeGround
from tests.cluster.ground import Ground, killed_at
from tests.cluster.said import DEPLOYMENT, RENDERED_SET, predicates, receipt
from tests.commands import Ended
from tests.release.projects import IDENTITY, REPOSITORY
from tests.release.watching import Seen as Started
from tests.release.watching import seen as started

pytestmark = pytest.mark.timeout(600)
SOMEBODYS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "somebodys"}, "data": {"kept": "yes"}}


@dataclass(frozen=True)
class Seen:
    """How a deploy ended, and what was there just after that."""

    ended: Ended
    images: set[str]
    replicas: int
    receipts: dict[str, dict[str, str]]

    @property
    def newest(self) -> Any:
        """The newest receipt."""
        return receipt(self.receipts[max(self.receipts)])


@dataclass(frozen=True)
class Story:
    """A ground, and its deploys in order: of `a`, scaled, of `b`, of `b` again, and of `a` with one object fewer.

    The first was watched as it started programs; another of the last kind was killed before it removed anything.
    """

    ground: Ground
    started: Started
    first: Seen
    update: Seen
    again: Seen
    back: Seen


@pytest.fixture(scope="module")
def story(make_ground: MakeGround, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Give the story, told to its end."""
    ground = make_ground(tmp_path_factory.mktemp("story") / "greetings")
    a, b = ground.releases.a, ground.releases.b
    ground.kubectl("create", "-f", "-", given=SOMEBODYS)
    log = tmp_path_factory.mktemp("started") / "log"
    first = seen(ground, ground.traced(log).deploy(to=a))
    ground.kubectl("scale", f"deployment/{NAME}", "--replicas=5")
    ground.checkout.with_run_of(ground.releases.project)
    update = seen(ground, ground.deploy("--json"))
    again = seen(ground, ground.deploy(to=b))
    base = ground.checkout.root / "k8s" / "base" / "kustomization.yaml"
    ground.checkout.save("k8s/base/kustomization.yaml", base.read_text().replace("  - pdb.yaml\n", ""))
    killed_at(ground, "prune: ")
    assert ground.kubectl.read("poddisruptionbudgets")["items"]
    ground.kubectl("delete", "lease", "deploy")
    yield Story(ground, started(log), first, update, again, seen(ground, ground.deploy(to=a)))
    ground.leave()


def seen(ground: Ground, ended: Ended) -> Seen:
    return Seen(ended, ground.images(), ground.replicas(), ground.receipts())


def test_the_first_deploy_begins_with_three_replicas_of_the_image(story: Story) -> None:
    assert story.first.replicas == 3
    assert story.first.images == {story.ground.releases.a}
    assert f"deployed  {story.ground.releases.reference(story.ground.releases.a)}" in story.first.ended.stdout


def test_each_step_is_said_in_order(story: Story) -> None:
    said = [line.split(maxsplit=2)[2].partition(":")[0] for line in story.first.ended.stderr.splitlines() if line]
    assert [word for word in said if word in STEPS] == list(STEPS)


def test_without_a_digest_the_image_that_was_promoted_here_is_deployed(story: Story) -> None:
    assert story.update.images == {story.ground.releases.b}
    event = json.loads(story.update.ended.stdout.splitlines()[-1])
    assert event["event"] == "deployed"
    assert event["receipt"] == story.update.newest


def test_a_later_deploy_leaves_the_number_of_the_autoscaler_alone(story: Story) -> None:
    assert [story.update.replicas, story.again.replicas, story.back.replicas] == [5, 5, 5]
    assert len(story.update.newest["pods"]) == 5


def test_a_receipt_says_who_what_where_by_which_verification_and_which_pods(story: Story) -> None:
    said, ground = story.first.newest, story.ground
    assert said["sequence"] == 1
    assert said["deployer"] == f"{ground.namespace}-ann"
    assert said["image"] == ground.releases.reference(ground.releases.a)
    uid = ground.kubectl.within("").read("namespace", "kube-system")["metadata"]["uid"]
    assert said["where"] == {"uid": uid, "version": "1.35", "namespace": ground.namespace}
    assert said["verification"]["policy"] == "production"
    assert len(said["verification"]["bundles"]) == 8
    assert [pod["match"] for pod in said["pods"]] == ["equal"] * 3
    assert {pod["imageId"].rpartition("@")[2] for pod in said["pods"]} == {ground.releases.a}
    rendered = story.first.receipts["deploy-receipt-000001"]["rendered.yaml"].encode()
    assert said["manifests"]["digest"] == str(Digest.of(rendered))


def test_the_same_again_changes_nothing_and_leaves_no_second_receipt(story: Story) -> None:
    assert list(story.update.receipts) == ["deploy-receipt-000001", "deploy-receipt-000002"]
    assert story.again.receipts == story.update.receipts
    assert "nothing changes" in story.again.ended.stderr


def test_an_image_that_ran_before_gets_another_receipt(story: Story) -> None:
    assert list(story.back.receipts) == [f"deploy-receipt-00000{number}" for number in (1, 2, 3)]
    assert story.back.newest["image"] == story.first.newest["image"]


def test_what_the_cluster_holds_is_attached_to_the_images_and_nothing_is_there_twice(story: Story) -> None:
    releases, here = story.ground.releases, story.ground.namespace
    for image, deployed, rendered in ((releases.a, [1, 3], 2), (releases.b, [2], 1)):
        said = predicates(releases.project.registry, image, DEPLOYMENT)
        assert sorted(each["sequence"] for each in said if each["where"]["namespace"] == here) == deployed
        sets = [each["digest"] for each in predicates(releases.project.registry, image, RENDERED_SET)
                if each["namespace"] == here]  # fmt: skip
        assert len(sets) == len(set(sets)) == rendered


def test_an_object_that_left_the_set_is_removed_and_nobody_elses_is(story: Story) -> None:
    assert f"removing PodDisruptionBudget {story.ground.namespace}/{NAME}" in story.back.ended.stderr
    assert story.ground.kubectl.read("poddisruptionbudgets")["items"] == []
    assert story.ground.kubectl.read("configmap", "somebodys")["data"] == SOMEBODYS["data"]


def test_the_manager_of_deploys_owns_the_image_and_not_the_number_of_replicas(story: Story) -> None:
    fields = story.ground.kubectl.read("deployment", NAME, "--show-managed-fields")["metadata"]["managedFields"]
    spec = {each["manager"]: each["fieldsV1"].get("f:spec", {}) for each in fields if "subresource" not in each}
    assert "f:template" in spec["supply-chain-pipeline"]
    assert "f:replicas" not in spec["supply-chain-pipeline"]


def test_the_lease_is_given_back(story: Story) -> None:
    assert story.ground.kubectl.read("lease", "deploy")["spec"].get("holderIdentity", "") == ""


def secrets(ground: Ground) -> dict[str, str]:
    """Return what nobody may see: the key of whoever deploys, and the tokens of whoever signs."""
    user = json.loads(ground.kubeconfig.read_text())["users"][0]["user"]
    tokens = {f"token {number}": each.rpartition(".")[2] for number, each in enumerate(ground.checkout.project.tokens)}
    return {"key": user["client-key-data"], "the key itself": key_of(user["client-key-data"]), **tokens}


def key_of(data: str) -> str:
    return "".join(base64.b64decode(data).decode().splitlines()[1:-1])


def test_no_secret_is_in_a_file_or_in_what_is_printed(story: Story) -> None:
    any_of_them = re.compile("|".join(map(re.escape, secrets(story.ground).values())).encode())
    places = (story.ground.checkout.root, story.ground.checkout.project.home)
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if any_of_them.search(path.read_bytes())] == []
    assert not any_of_them.search(story.first.ended.output.encode())


def test_no_secret_is_on_a_command_line_and_only_who_signs_has_the_token(story: Story) -> None:
    lines = story.started.programs
    assert any("/kustomize build" in line for line in lines)
    holders: set[str] = set()
    for name, secret in secrets(story.ground).items():
        assert [line for line in lines if secret in line] == [], name
        holders |= {line for line in story.started.holding(secret) if "-m shipseal deploy" not in line}
    assert holders, "no program was given the token"
    assert [line for line in holders if "/cosign attest-blob" not in line] == []


def test_a_difference_is_said_and_nothing_is_written(story: Story, tmp_path: Path) -> None:
    ground = story.ground.beside(tmp_path / "greetings")
    before = ground.kubectl.read("deployments,configmaps,leases")["items"]
    said = ground.deploy("--diff", to=ground.releases.b, SIGSTORE_ID_TOKEN="").stdout
    assert "spec.template.spec.containers[app].image" in said
    assert ground.releases.b in said
    after = ground.kubectl.read("deployments,configmaps,leases")["items"]
    assert [each["metadata"]["resourceVersion"] for each in before] == [
        each["metadata"]["resourceVersion"] for each in after
    ]


def test_somebody_elsewhere_sees_what_runs_by_which_receipt_and_that_it_verifies(story: Story, tmp_path: Path) -> None:
    """With a checkout of the sources, the right to look, and no run of a release."""
    ground = story.ground.beside(tmp_path / "greetings")
    shutil.rmtree(ground.checkout.project.run_dir)
    (tmp_path / "home" / "tmp").mkdir(parents=True)
    said = ground.status(HOME=str(tmp_path / "home"), TMPDIR=str(tmp_path / "home" / "tmp")).stdout
    assert f"receipt   3 of {story.back.newest['deployedAt']}, signed by {IDENTITY}" in said
    assert f"image     {ground.releases.reference(ground.releases.a)}, verified now" in said
    assert said.count(": equal") == 5


def test_cosign_alone_finds_and_verifies_the_receipt(
    story: Story, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    project, image = story.ground.releases.project, story.ground.releases.a
    who = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER]
    root: list[str | Path] = ["--trusted-root", project.root / "rules" / "authority.json"]
    ended = subprocess.run(
        [store.get(locked["cosign"]), "verify-attestation", *who, *root, "--type", DEPLOYMENT,
         f"{project.registry.host}/{REPOSITORY}@{image}"],
        env={"HOME": str(tmp_path), "PATH": ""}, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) >= 2


def test_the_statement_of_the_rendered_set_names_the_set_that_was_applied(story: Story) -> None:
    applied = yaml.safe_load_all(story.back.receipts["deploy-receipt-000003"]["rendered.yaml"])
    titles = {f"{each['kind']} {each['metadata']['namespace']}/{each['metadata']['name']}" for each in applied}
    [said] = [
        each
        for each in predicates(story.ground.releases.project.registry, story.ground.releases.a, RENDERED_SET)
        if each["digest"] == story.back.newest["manifests"]["digest"]
    ]
    assert titles == set(said["objects"])
    assert len(titles) == 6


def test_an_image_that_was_never_deployed_here_is_nothing_to_roll_back_to(story: Story) -> None:
    absent = f"sha256:{'d' * 64}"
    said = story.ground.rollback("--to", absent, code=3).output
    assert "no earlier receipt may be applied again" in said
    assert "is of another image" in said
    assert list(story.ground.receipts()) == list(story.back.receipts)


def test_whoever_asks_is_rolled_back_to_the_image_before(story: Story) -> None:
    """This test and the next are the last: they change what the others look at."""
    ground = story.ground
    ground.rollback()
    assert ground.images() == {ground.releases.b}
    said = receipt(ground.receipts()["deploy-receipt-000004"])
    assert said["image"] == ground.releases.reference(ground.releases.b)
    assert said["rollback"] == {
        "image": ground.releases.reference(ground.releases.a),
        "reason": "somebody asked for it",
    }


def test_what_somebody_changed_by_hand_is_drift(story: Story) -> None:
    story.ground.kubectl("label", "service", NAME, "app=other", "--overwrite")
    said = story.ground.status(code=7).output
    assert f"drift     Service {story.ground.namespace}/{NAME}: metadata.labels.app" in said
