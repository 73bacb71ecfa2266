"""Who reaches which cluster, and may do what there, is settled before anything is written."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shipseal.deploying.manifests import Manifest
from shipseal.deploying.platform import Right, read
from tests.cluster.ground import Ground
from tests.cluster.said import written
from tests.commands import Ended

pytestmark = pytest.mark.timeout(600)
OTHER_CLUSTER = "00000000-0000-4000-8000-000000000000"


def refused(ground: Ground, *words: str, code: int) -> Ended:
    """Deploy `b`, which is to be refused before anything is written."""
    before = written(ground)
    ended = ground.deploy(*words, to=ground.releases.b, code=code)
    assert before == written(ground)
    return ended


def test_without_any_one_rule_of_the_role_that_rule_is_named_and_nothing_is_written(ground: Ground) -> None:
    """Of each kind of rule there is one here: an object's, a thing below another, one by its name, one elsewhere.

    Who asks the cluster is tried with every rule of what is shipped, in `test_api`.
    """
    given: frozenset[Right] = read([Manifest(each) for each in ground.platform]).rights
    resources = ("leases", "pods/log", "services/proxy", "namespaces")

    def check(kubeconfig: Path) -> str:
        return ground.deploy("--check", "--kubeconfig", str(kubeconfig), code=5).output

    with ThreadPoolExecutor(len(resources)) as pool:
        every = pool.map(check, [ground.deployer_without(each) for each in resources])
        for resource, said in zip(resources, every, strict=True):
            named = {right for right in given if str(right) in said}
            assert named == {right for right in given if right.resource == resource}
    assert written(ground) == []


def test_a_deploy_without_a_right_ends_before_anything_is_written(trial: Ground) -> None:
    said = refused(trial, "--kubeconfig", str(trial.deployer_without("poddisruptionbudgets")), code=5).output
    assert "this user lacks 6 of the rights that a deploy needs" in said
    assert f"patch poddisruptionbudgets.policy in {trial.namespace}" in said
    assert "nothing was written" in said


def test_a_context_that_is_not_there_is_answered_with_those_that_are(trial: Ground) -> None:
    said = refused(trial, "--context", "staging", code=2).output
    assert "there is no context staging" in said
    assert "there are: local" in said


def test_a_kubeconfig_that_is_not_there_is_named(trial: Ground, tmp_path: Path) -> None:
    said = refused(trial, "--kubeconfig", str(tmp_path / "absent"), code=2).output
    assert f"not there: {tmp_path / 'absent'}" in said


def test_credentials_that_have_expired_are_said_to_have(trial: Ground) -> None:
    said = refused(trial, "--kubeconfig", str(trial.kubeconfig_with("old", user={"token": "old"})), code=5).output
    assert "the cluster does not let this login in" in said
    assert "its credentials have expired, or are none of this cluster's" in said


def test_an_api_server_of_another_authority_is_not_spoken_to(trial: Ground) -> None:
    other = (trial.visitors.directory / "visitors.crt").read_bytes()
    config = trial.kubeconfig_with("wrong", cluster={"certificate-authority-data": base64.b64encode(other).decode()})
    said = refused(trial, "--kubeconfig", str(config), code=5).output
    assert "certificate" in said


def test_production_is_never_deployed_to_another_cluster_than_the_one_that_is_pinned(trial: Ground) -> None:
    trial.checkout.configure(cluster_uid=OTHER_CLUSTER)
    said = refused(trial, code=6).output
    assert "is another cluster than [deploy] cluster-uid names" in said
    assert OTHER_CLUSTER in said
    own: Any = trial.kubectl.within("").read("namespace", "kube-system")["metadata"]["uid"]
    assert f"found       {own}, by the context local" in said


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.34", "the cluster is Kubernetes 1.35, and the manifests were checked against 1.34"),
        ("1.99", "there are no schemas for Kubernetes 1.99"),
    ],
)
def test_a_cluster_of_another_version_than_the_schemas_is_refused(trial: Ground, version: str, expected: str) -> None:
    trial.checkout.configure(kubernetes=version)
    assert expected in refused(trial, code=2).output


def test_a_namespace_that_is_not_there_is_named_with_who_makes_it(trial: Ground) -> None:
    """By somebody who may do everything: the cluster has no such namespace."""
    for path in (trial.checkout.root / "k8s").rglob("*.yaml"):
        path.write_text(path.read_text().replace(trial.namespace, "nobodys"))
    said = refused(trial, "--kubeconfig", str(trial.kubectl.kubeconfig), code=5).output
    assert "nobodys" in said
    assert "an administrator applies the platform first" in said
