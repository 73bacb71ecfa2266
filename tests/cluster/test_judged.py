"""Everything below k8s/ is judged by others: each finding is excused with a reason, and each excuse is needed."""

from pathlib import Path

import pytest

from shipseal.deploying.manifests import Manifest, dump
from tests.cluster import judges
from tests.cluster.judges import CHECKOV, KUBE_SCORE, VERSIONS, Excuses, Finding
from tests.cluster.manifests import apply
from tests.cluster.running import Kubectl

Sets = dict[str, list[Manifest]]


@pytest.fixture(scope="module")
def sets(kustomize: Path) -> Sets:
    """Give what somebody applies, by the directories below k8s/."""
    return judges.rendered(kustomize)


@pytest.fixture(scope="module")
def excuses() -> Excuses:
    """Give the file of excuses."""
    return Excuses.read()


@pytest.fixture(scope="module")
def found(sets: Sets, excuses: Excuses, tmp_path_factory: pytest.TempPathFactory) -> set[Finding]:
    """Give everything that is found."""
    assert KUBE_SCORE.exists(), "kube-score is missing: run `make .venv-judges/ok`"
    assert CHECKOV.exists(), "checkov is missing: run `make .venv-terraform/ok`"
    directory = tmp_path_factory.mktemp("rendered")
    for number, manifests in enumerate(sets.values()):
        (directory / f"{number}.yaml").write_bytes(dump(manifests))
    everything = [each for manifests in sets.values() for each in manifests]
    return {
        *judges.checkov(directory),
        *(finding for manifests in sets.values() for finding in judges.kube_score(manifests)),
        *(
            finding
            for each in everything
            if (each.body["apiVersion"], each.kind) not in excuses.others
            for version in VERSIONS
            for finding in judges.misfits(each, version)
        ),
    }


def test_every_directory_that_is_applied_is_judged(sets: Sets) -> None:
    assert {"overlays/production", "overlays/recovery", "platform", "platform/admission"} <= sets.keys()
    assert [name for name, manifests in sets.items() if not manifests] == []


def test_no_finding_is_without_an_excuse(found: set[Finding], excuses: Excuses) -> None:
    unexcused = sorted(found - excuses.findings.keys())
    assert unexcused == [], "\n".join(map(str, unexcused))


def test_no_excuse_is_for_something_that_nobody_has_found(found: set[Finding], excuses: Excuses) -> None:
    assert sorted(excuses.findings.keys() - found) == []


def test_kinds_that_kubernetes_does_not_have_are_listed_and_there(sets: Sets, excuses: Excuses) -> None:
    there = {(each.body["apiVersion"], each.kind) for manifests in sets.values() for each in manifests}
    assert excuses.others.keys() - there == set()


def test_the_server_warns_of_nothing(sets: Sets, excuses: Excuses, kubectl: Kubectl) -> None:
    """It warns of what is deprecated, and of fields that it drops; its own defaults and checks apply."""
    for manifests in sets.values():
        known = [each for each in manifests if (each.body["apiVersion"], each.kind) not in excuses.others]
        here = [
            {**each.body, "metadata": {**each.body["metadata"], "namespace": kubectl.namespace}}
            if each.namespace
            else dict(each.body)
            for each in known
        ]
        said = apply(kubectl.within(""), here, "--dry-run=server", manager="judge") if here else []
        assert len(said) == len(here)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_wrong_is_seen(version: str) -> None:
    pod = {"containers": [{"name": "app", "image": "app"}], "serviceAccount": "app"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"}, "spec": pod}
    assert [Finding(f"deprecated in {version}", ".spec.serviceAccount", "Pod app")] == [
        *judges.misfits(Manifest(body), version)
    ]
    [unknown] = judges.misfits(Manifest({**body, "spec": {**pod, "serviceAcount": "app"}}), version)
    assert "serviceAcount" in unknown.check
    [gone] = judges.misfits(Manifest({**body, "apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget"}), version)
    assert gone.check == "no policy/v1beta1 PodDisruptionBudget"
    assert {each.check.partition(":")[0] for each in judges.kube_score([Manifest(body)])} > {"container-resources"}
