"""What the tests of deploys stand on is what they take it for."""

from pathlib import Path

import pytest

from tests.cluster.checkout import NAME, OVERLAY
from tests.cluster.ground import Ground
from tests.cluster.manifests import apply, build
from tests.cluster.releases import OTHER_SIGNER

ABSENT = "sha256:" + "f" * 64


def test_the_third_image_is_verified_once_the_policy_names_who_signed_it(ground: Ground) -> None:
    project, image = ground.checkout.project, ground.releases.reference(ground.releases.other)
    assert project.run("verify", image, "--policy", project.policy).code == 6
    ground.checkout.trust(OTHER_SIGNER)
    assert project.run("verify", image, "--policy", project.policy).code == 0


def test_the_manifests_are_admitted_for_whoever_deploys_and_pods_are_played_as_they_say(
    ground: Ground, kustomize: Path
) -> None:
    def deployed() -> None:
        objects = build(kustomize, ground.checkout.root / OVERLAY)
        [deployment] = [each for each in objects if each["kind"] == "Deployment"]
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = ground.releases.reference(ground.releases.a)
        apply(ground.deployer, objects)

    deployed()
    ground.deployer("rollout", "status", f"deployment/{NAME}", "--timeout=20s")
    assert ground.images() == {ground.releases.a}
    ground.checkout.annotate_pods(runs=ABSENT)
    deployed()
    ground.deployer("rollout", "status", f"deployment/{NAME}", "--timeout=20s")
    assert ground.images() == {ABSENT}
    ground.checkout.annotate_pods(ready="never")
    deployed()
    ground.deployer("rollout", "status", f"deployment/{NAME}", "--timeout=20s", code=1)
    assert ground.images() == {ABSENT}
    assert not ground.receipts()


@pytest.mark.parametrize("resource", ["deployments", "namespaces"])
def test_one_rule_can_be_taken_from_a_deployer(ground: Ground, resource: str) -> None:
    lesser = ground.kubectl.of(ground.deployer_without(resource))
    place = "--namespace=kube-system" if resource == "namespaces" else f"--namespace={ground.namespace}"
    named = "namespaces/kube-system" if resource == "namespaces" else resource
    lesser("auth", "can-i", "get", named, place, code=1)
    lesser("auth", "can-i", "get", "configmaps")
    ground.deployer("auth", "can-i", "get", named, place)
