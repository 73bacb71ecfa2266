"""What does not become healthy is rolled back to what today's policy takes; where there is nothing, that is said."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.checkout import NAME
from tests.cluster.conftest import MakeGround
from tests.cluster.ground import Ground, killed_at
from tests.cluster.releases import OTHER_SIGNER
from tests.cluster.said import receipt

NOTHING_WRONG = {"refusals": 0, "drift": 0, "waits": 0, "pods_equal": 3, "pods_different": 0, "pods_unproven": 0}
pytestmark = pytest.mark.timeout(600)


def newest(ground: Ground) -> Any:
    receipts = ground.receipts()
    return receipt(receipts[max(receipts)])


def figures(file: Path) -> dict[str, float]:
    """Return what `status` has written of what stands, by the names that alerts read."""
    found = re.findall(r"^shipseal_(\w+)\{([^}]*)\} (\S+)$", file.read_text(), re.MULTILINE)
    dated = {"status_timestamp_seconds", "deploy_receipt_timestamp_seconds", "trust_root_end_timestamp_seconds"}
    assert dated <= {name for name, _, _ in found}
    told = [(name, re.findall(r'match="(\w+)"', labels), float(value)) for name, labels, value in found]
    return {"_".join([name, *match]): value for name, match, value in told if not name.endswith(("_seconds", "_info"))}


@pytest.fixture(scope="module")
def stuck(make_ground: MakeGround, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give a ground where `a` ran, and then an image whose signer the policy no longer names."""
    ground = make_ground(tmp_path_factory.mktemp("stuck") / "greetings")
    before = ground.checkout.project.policy.read_text()
    ground.checkout.trust(OTHER_SIGNER)
    ground.deploy(to=ground.releases.a)
    ground.deploy(to=ground.releases.other)
    assert ground.images() == {ground.releases.other}
    ground.checkout.save(ground.checkout.project.policy, before)
    ground.checkout.annotate_pods(ready="never")
    yield ground
    ground.leave()


def test_a_stuck_update_is_rolled_back_past_a_newer_receipt_whose_image_is_refused_by_now(
    stuck: Ground, tmp_path: Path
) -> None:
    releases = stuck.releases
    said = stuck.deploy(to=releases.b, code=7).output
    assert f"passed over receipt 2 ({releases.reference(releases.other)})" in said
    assert f"rolled back to {releases.reference(releases.a)}, healthy by receipt 3" in said
    assert "container app waits, ImagePullBackOff: Back-off pulling image" in said
    assert f"Deployment {NAME}: ProgressDeadlineExceeded" in said
    assert stuck.images() == {releases.a}
    assert len(stuck.pods()) == 3
    assert newest(stuck)["image"] == releases.reference(releases.a)
    assert newest(stuck)["rollback"]["image"] == releases.reference(releases.b)
    file = tmp_path / "status.prom"
    status = json.loads(stuck.status("--json", "--metrics", str(file)).stdout.splitlines()[-1])
    assert status["receipt"] == newest(stuck)
    assert status["drift"] == status["refused"] == status["waits"] == []
    assert figures(file) == {**NOTHING_WRONG, "deploy_receipt_sequence": 3}
    assert stat.S_IMODE(file.stat().st_mode) == 0o644  # whoever collects it is another user


def test_where_no_earlier_image_passes_that_is_said_and_what_was_healthy_runs_on(stuck: Ground, tmp_path: Path) -> None:
    """After the test above; of its receipts only the one of the refused image is left."""
    releases = stuck.releases
    stuck.kubectl("delete", "configmap", "deploy-receipt-000001", "deploy-receipt-000003")
    said = stuck.deploy(to=releases.b, code=7).output
    assert "not rolled back: no earlier receipt may be applied again" in said
    assert f"receipt 2 ({releases.reference(releases.other)})" in said
    assert stuck.images() == {releases.a}
    assert stuck.kubectl.read("deployment", NAME)["status"]["availableReplicas"] == 3
    assert list(stuck.receipts()) == ["deploy-receipt-000002"]
    file = tmp_path / "status.prom"
    standing = stuck.status("--metrics", str(file), code=6).output
    assert f"image     {releases.reference(releases.other)}, which no longer verifies" in standing
    assert figures(file)["deploy_receipt_sequence"] == 2
    assert figures(file)["refusals"] > 0


def test_a_quota_that_is_used_up_is_named_and_what_ran_before_runs_on(trial: Ground) -> None:
    """A dry run of the server does not find it: pods are made later, by the controllers."""
    releases, patch = trial.releases, ("patch", "resourcequota", NAME, "--type=merge")
    trial.kubectl(*patch, '--patch={"spec":{"hard":{"pods":"3"}}}')
    try:
        said = trial.deploy(to=releases.b, code=7).output
    finally:
        trial.kubectl(*patch, '--patch={"spec":{"hard":{"pods":"24"}}}')
    assert f"exceeded quota: {NAME}, requested: pods=1, used: pods=3, limited: pods=3" in said
    assert f"ResourceQuota {NAME}: pods is used up, 3 of 3" in said
    assert f"rolled back to {releases.reference(releases.a)}" in said


def test_pods_that_say_they_run_another_image_end_a_deploy_and_get_no_receipt(ground: Ground) -> None:
    releases, others = ground.releases, f"sha256:{'c' * 64}"
    ground.checkout.annotate_pods(runs=others)
    said = ground.deploy(to=releases.a, code=6).output
    assert "3 of 3 pods run another image than the one that was verified" in said
    assert f"runs {releases.reference(others)}" in said
    assert "verified: sha256:" in said
    assert ground.receipts() == {}


def test_an_edited_receipt_is_refused_before_anything_is_applied(trial: Ground) -> None:
    """Whoever may write ConfigMaps may write anything; it counts for its signature alone."""
    releases, name = trial.releases, max(trial.receipts())
    kept = trial.kubectl.read("configmap", name)
    kept["metadata"] = {"name": name, "namespace": trial.namespace}
    rendered = list(yaml.safe_load_all(kept["data"]["rendered.yaml"]))
    [deployment] = [each for each in rendered if each["kind"] == "Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = releases.reference(releases.other)
    edited = {**kept, "data": {**kept["data"], "rendered.yaml": yaml.safe_dump_all(rendered)}}
    generation = trial.kubectl.read("deployment", NAME)["metadata"]["generation"]
    trial.kubectl("replace", "--force", "-f", "-", given=edited)
    try:
        for verb, *words in (("deploy", "--to", releases.b), ("rollback",)):
            said = trial.run(verb, "--yes", *words, code=6).output
            assert f"ConfigMap {trial.namespace}/{name} is not a receipt that anybody signed" in said
            assert "its rendered.yaml is another than the one that was signed" in said
            assert "find out who edited it" in said
    finally:
        trial.kubectl("replace", "--force", "-f", "-", given=kept)
    assert generation == trial.kubectl.read("deployment", NAME)["metadata"]["generation"]


def test_whoever_asks_for_it_leaves_an_update_that_is_stuck(ground: Ground) -> None:
    """One whose deploy was killed, so that nothing was rolled back: what is left is what was applied last."""
    releases = ground.releases
    ground.deploy(to=releases.a)
    ground.checkout.annotate_pods(ready="never")
    killed_at(ground, "wait: ", releases.b)
    ground.kubectl("delete", "lease", "deploy")
    ground.rollback()
    assert ground.kubectl.read("deployment", NAME)["status"].get("unavailableReplicas", 0) == 0
    assert newest(ground)["image"] == releases.reference(releases.a)


def test_a_set_that_was_deployed_before_is_what_the_newest_receipt_names_when_it_is_deployed_again(
    trial: Ground, healthy: Ground
) -> None:
    """Though no pod of it is another: only its Service was something else in between."""
    image = trial.releases.a
    trial.checkout.patch("affinity.yaml", {"spec": {"sessionAffinity": "ClientIP"}}, kind="Service", version="v1")
    healthy.deploy(to=image)
    before = newest(healthy)["manifests"]
    trial.deploy(to=image)
    assert before != newest(trial)["manifests"]
    healthy.deploy(to=image)
    assert before == newest(healthy)["manifests"]
    healthy.status()


def test_a_rollback_that_is_not_healthy_either_is_told_as_what_it_is(ground: Ground) -> None:
    """What is asked answers nobody any longer: the earlier set was applied all the same, and runs."""
    releases = ground.releases
    ground.deploy(to=releases.a)
    ground.checkout.configure(probe="http://127.0.0.1:1/", timeout_seconds=10)
    said = ground.deploy(to=releases.b, code=7).output
    assert f"receipt 1 ({releases.reference(releases.a)}) was applied again, and is not healthy either" in said
    assert "not rolled back" not in said
    assert ground.images() == {releases.a}
    assert list(ground.receipts()) == ["deploy-receipt-000001"]
