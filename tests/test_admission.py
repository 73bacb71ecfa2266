"""Manifests that would weaken a cluster are refused before one sees them, each weakness by its own words."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from pipeline.deploying.admission import problems, require
from pipeline.deploying.manifests import Manifest
from pipeline.digest import Digest
from pipeline.errors import SubjectFailed

CONTAINER: dict[str, Any] = {
    "name": "app",
    "image": f"docker.io/example/app@{Digest.of(b'image')}",
    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "app", "namespace": "shop"},
    "spec": {
        "template": {
            "metadata": {"labels": {"app": "shop", "tier": "web"}},
            "spec": {
                "automountServiceAccountToken": False,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [CONTAINER],
            },
        }
    },
}
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "app", "namespace": "shop"},
    "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80, "nodePort": 30080}]},
}
AUTOSCALER: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "app", "namespace": "shop"},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "app"}},
}

Change = Callable[[dict[str, Any]], object]


def judged(*bodies: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in problems([Manifest(body) for body in bodies])]


def changed(body: dict[str, Any], change: Change) -> dict[str, Any]:
    copy = deepcopy(body)
    change(copy)
    return copy


def pod(body: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = body["spec"]["template"]["spec"]
    return spec


def container(body: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = pod(body)["containers"][0]
    return first


def test_a_deployment_with_its_service_and_its_autoscaler_is_in_order() -> None:
    assert judged(DEPLOYMENT, SERVICE, AUTOSCALER) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda d: container(d).update(image="docker.io/example/app:latest"),
            "image 'docker.io/example/app:latest' is not by digest",
        ),
        (lambda d: container(d).pop("image"), "image '' is not by digest"),
        (lambda d: pod(d).pop("securityContext"), "runAsNonRoot is not true"),
        (lambda d: container(d)["securityContext"].update(runAsNonRoot=False), "runAsNonRoot is not true"),
        (lambda d: container(d)["securityContext"].update(runAsUser=0), "runAsUser is 0"),
        (
            lambda d: pod(d)["securityContext"].update(seccompProfile={"type": "Unconfined"}),
            "seccompProfile is neither",
        ),
        (lambda d: container(d)["securityContext"].update(privileged=True), "privileged is true"),
        (
            lambda d: container(d)["securityContext"].pop("allowPrivilegeEscalation"),
            "allowPrivilegeEscalation is not false",
        ),
        (lambda d: container(d)["securityContext"].pop("readOnlyRootFilesystem"), "readOnlyRootFilesystem is not true"),
        (lambda d: container(d)["securityContext"].update(capabilities={"drop": ["NET_RAW"]}), "does not hold ALL"),
        (
            lambda d: container(d)["securityContext"].update(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
            "holds more than NET_BIND_SERVICE",
        ),
        (lambda d: container(d)["resources"]["requests"].pop("cpu"), "resources.requests.cpu is missing"),
        (lambda d: container(d)["resources"]["requests"].pop("memory"), "resources.requests.memory is missing"),
        (lambda d: container(d)["resources"].pop("limits"), "resources.limits.memory is missing"),
        (lambda d: container(d).pop("readinessProbe"), "without a readinessProbe"),
        (lambda d: d["metadata"].pop("namespace"), "names no namespace"),
        (lambda d: pod(d).update(hostNetwork=True), "hostNetwork"),
        (lambda d: pod(d).update(hostPID=True), "hostPID"),
        (lambda d: pod(d).update(hostIPC=True), "hostIPC"),
        (
            lambda d: pod(d).update(volumes=[{"name": "root", "hostPath": {"path": "/"}}]),
            "volume root is a directory of the node",
        ),
        (
            lambda d: pod(d).update(volumes=[{"name": "share", "nfs": {"server": "files", "path": "/"}}]),
            "volume share is of a kind that the standard forbids: nfs",
        ),
        (
            lambda d: pod(d)["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
            "sysctl kernel.msgmax is none",
        ),
        (
            lambda d: container(d).update(ports=[{"containerPort": 8080, "hostPort": 80}]),
            "hostPort 80 is a port of the node",
        ),
        (
            lambda d: container(d)["readinessProbe"]["httpGet"].update(host="169.254.169.254"),
            "readinessProbe.httpGet.host has the node ask 169.254.169.254",
        ),
        (
            lambda d: container(d).update(lifecycle={"preStop": {"httpGet": {"port": 80, "host": "elsewhere"}}}),
            "lifecycle.preStop.httpGet.host has the node ask elsewhere",
        ),
        (
            lambda d: pod(d)["securityContext"].update(appArmorProfile={"type": "Unconfined"}),
            "appArmorProfile is neither",
        ),
        (
            lambda d: container(d)["securityContext"].update(seLinuxOptions={"type": "spc_t"}),
            "seLinuxOptions are others",
        ),
        (
            lambda d: pod(d)["securityContext"].update(seLinuxOptions={"user": "system_u"}),
            "seLinuxOptions are others",
        ),
        (lambda d: container(d)["securityContext"].update(procMount="Unmasked"), "procMount is not Default"),
        (
            lambda d: pod(d)["securityContext"].update(windowsOptions={"hostProcess": True}),
            "windowsOptions.hostProcess is true",
        ),
        (lambda d: pod(d).pop("automountServiceAccountToken"), "gets a token for the cluster"),
    ],
)
def test_each_weakness_of_a_deployment_is_named(change: Change, expected: str) -> None:
    found = judged(changed(DEPLOYMENT, change))
    assert any(expected in line for line in found), found


def test_what_the_standard_allows_is_in_order() -> None:
    def allowed(body: dict[str, Any]) -> None:
        pod(body)["volumes"] = [
            {"name": "scratch", "emptyDir": {}},
            {"name": "settings", "configMap": {"name": "shop"}},
        ]
        pod(body)["securityContext"]["sysctls"] = [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]
        pod(body)["securityContext"]["appArmorProfile"] = {"type": "RuntimeDefault"}
        container(body)["securityContext"]["seLinuxOptions"] = {"type": "container_t", "level": "s0:c1,c2"}
        container(body)["ports"] = [{"containerPort": 8080}]

    assert judged(changed(DEPLOYMENT, allowed)) == []


def test_a_container_that_runs_first_is_judged_like_the_others() -> None:
    found = judged(changed(DEPLOYMENT, lambda d: pod(d).update(initContainers=[{"name": "first", "image": "busybox"}])))
    assert any("container first: image 'busybox' is not by digest" in line for line in found)


def test_a_cron_job_keeps_its_pod_deeper_and_is_judged_all_the_same() -> None:
    job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tidy", "namespace": "shop"}}
    job["spec"] = {"jobTemplate": {"spec": changed(DEPLOYMENT, lambda d: container(d).update(image="tidy:1"))["spec"]}}
    assert judged(job) == ["CronJob shop/tidy: container app: image 'tidy:1' is not by digest"]


def test_a_node_port_outside_the_range_that_a_dry_run_would_let_pass_is_named() -> None:
    found = judged(DEPLOYMENT, changed(SERVICE, lambda s: s["spec"]["ports"][0].update(nodePort=80)))
    assert found == ["Service shop/app: nodePort 80 is outside 30000-32767"]


def test_a_service_that_selects_no_pod_is_named() -> None:
    found = judged(DEPLOYMENT, changed(SERVICE, lambda s: s["spec"]["selector"].update(app="other")))
    assert found == ["Service shop/app: its selector matches no pod here"]


def test_a_service_may_select_a_bare_pod() -> None:
    bare = {"kind": "Pod", "apiVersion": "v1", "spec": pod(DEPLOYMENT)}
    bare["metadata"] = {"name": "app", "namespace": "shop", "labels": {"app": "shop"}}
    assert judged(bare, SERVICE) == []


def test_an_autoscaler_whose_target_is_elsewhere_is_named() -> None:
    elsewhere = changed(DEPLOYMENT, lambda d: d["metadata"].update(namespace="other"))
    assert any("scaleTargetRef names no object here" in line for line in judged(elsewhere, AUTOSCALER))


def test_a_number_of_replicas_that_would_undo_the_autoscaler_is_named() -> None:
    found = judged(changed(DEPLOYMENT, lambda d: d["spec"].update(replicas=3)), AUTOSCALER)
    assert any("would undo the autoscaler's work" in line for line in found)


def test_a_secret_is_refused_because_rendered_manifests_are_evidence() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "shop"}}
    assert any("Secret" in line for line in judged(secret))


def test_all_problems_are_told_at_once_and_blamed_on_the_project() -> None:
    found = problems(
        [Manifest(changed(DEPLOYMENT, lambda d: (container(d).pop("image"), pod(d).update(hostPID=True))))]
    )
    with pytest.raises(SubjectFailed, match="2 problems") as failure:
        require(found)
    assert len(failure.value.why) == 2


def test_no_problem_is_no_failure() -> None:
    require(())
