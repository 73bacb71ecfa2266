"""Manifests that would weaken a cluster are refused before one sees them, each weakness by its own words."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipseal.deploying.admission import problems, require, unmounted
from shipseal.deploying.manifests import Manifest
from shipseal.digest import Digest
from shipseal.errors import SubjectFailed

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

APPARMOR = "container.apparmor.security.beta.kubernetes.io/"

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


def outdone(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a pod says for its containers, once its container says all of that for itself."""
    container(body)["securityContext"].update(
        runAsNonRoot=True,
        runAsUser=1000,
        seccompProfile={"type": "RuntimeDefault"},
        appArmorProfile={"type": "RuntimeDefault"},
        seLinuxOptions={"type": "container_t"},
        windowsOptions={"hostProcess": False},
    )
    said: dict[str, Any] = pod(body)["securityContext"]
    return said


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
        *(
            (lambda d, said=said: outdone(d).update(said), f"the pod's securityContext: {what}")
            for said, what in (
                ({"runAsNonRoot": False}, "runAsNonRoot is not true"),
                ({"runAsUser": 0}, "runAsUser is 0"),
                ({"seccompProfile": {"type": "Unconfined"}}, "seccompProfile is neither"),
                ({"appArmorProfile": {"type": "Unconfined"}}, "appArmorProfile is neither"),
                ({"seLinuxOptions": {"type": "spc_t"}}, "seLinuxOptions are others"),
                ({"windowsOptions": {"hostProcess": True}}, "windowsOptions.hostProcess is true"),
            )
        ),
        (
            lambda d: d["spec"]["template"]["metadata"].update(annotations={f"{APPARMOR}app": "unconfined"}),
            f"annotation {APPARMOR}app is neither runtime/default nor localhost/",
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
        body["spec"]["template"]["metadata"]["annotations"] = {f"{APPARMOR}app": "localhost/ours"}

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


def test_a_replication_controller_and_a_pod_template_are_judged_like_a_deployment() -> None:
    for kind, wrap in (
        ("ReplicationController", lambda t: {"spec": {"template": t}}),
        ("PodTemplate", lambda t: {"template": t}),
    ):
        template = changed(DEPLOYMENT, lambda d: container(d)["securityContext"].update(privileged=True))["spec"][
            "template"
        ]
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "app", "namespace": "shop"}, **wrap(template)}
        assert judged(body) == [f"{kind} shop/app: container app: privileged is true"]


def test_pods_are_found_in_an_object_of_a_kind_that_nobody_has_heard_of_which_is_refused_besides() -> None:
    rollout = {
        "apiVersion": "example.invalid/v1",
        "kind": "Rollout",
        "metadata": {"name": "app", "namespace": "shop"},
        "spec": {"steps": [{"canary": changed(DEPLOYMENT, lambda d: container(d).pop("image"))["spec"]}]},
    }
    assert judged(rollout) == [
        "Rollout shop/app: example.invalid/v1 Rollout is not a kind that a deploy may bring: "
        "an administrator applies it, or nobody",
        "Rollout shop/app: container app: image '' is not by digest",
    ]


def test_a_kind_of_pods_that_holds_none_is_named() -> None:
    assert judged(changed(DEPLOYMENT, lambda d: d.pop("spec"))) == ["Deployment shop/app: it has no container"]


def test_a_config_map_may_have_a_key_called_containers() -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}
    assert judged({**body, "data": {"containers": "- name: app"}}) == []


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("apiregistration.k8s.io/v1", "APIService"),
        ("v1", "Namespace"),
        ("v1", "LimitRange"),
        ("v1", "ResourceQuota"),
        ("scheduling.k8s.io/v1", "PriorityClass"),
        ("v1", "PersistentVolume"),
        ("v1", "Node"),
        ("v1", "Endpoints"),
        ("v1", "Binding"),
        ("v1", "List"),
        ("v1", "Container"),
        ("apps.example.invalid/v1", "Deployment"),
    ],
)
def test_a_kind_that_is_not_judged_is_refused(version: str, kind: str) -> None:
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": "shop"}}
    assert f"{kind} shop/a: {version} {kind} is not a kind that a deploy may bring" in judged(body)[0]


def test_the_namespaces_of_the_cluster_itself_are_left_alone() -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "aws-auth", "namespace": "kube-system"}}
    [found] = judged(settings)
    assert "begin with kube- are the cluster's own" in found


@pytest.mark.parametrize("kind", ["Service", "ConfigMap", "ServiceAccount", "Role"])
def test_an_object_that_names_no_namespace_is_named_whatever_its_kind(kind: str) -> None:
    version = "rbac.authorization.k8s.io/v1" if kind == "Role" else "v1"
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    assert judged(body) == [f"{kind} a: it names no namespace, and would land in whichever one is current"]


def test_objects_of_two_namespaces_are_named() -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "other"}}
    assert judged(DEPLOYMENT, settings) == [
        "ConfigMap other/a: it is in namespace other, and others are in shop: a deploy changes one namespace"
    ]


ROLE: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "reader", "namespace": "shop"},
    "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}],
}
BINDING: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "reader", "namespace": "shop"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
    "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "shop"}],
}


def test_a_few_named_rights_for_an_account_of_the_same_namespace_are_in_order() -> None:
    assert judged(ROLE, BINDING) == []


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"verbs": ["*"]}, "a rule's verbs hold a wildcard"),
        ({"resources": ["*"]}, "a rule's resources hold a wildcard"),
        ({"resources": ["pods/*"]}, "a rule's resources hold a wildcard"),
        ({"apiGroups": ["*"]}, "a rule's apiGroups hold a wildcard"),
        ({"nonResourceURLs": ["/metrics"]}, "nonResourceURLs"),
        ({"verbs": ["escalate"]}, "the verb escalate gives more rights than its own"),
        ({"verbs": ["bind"]}, "the verb bind gives roles that it does not have"),
        ({"verbs": ["impersonate"]}, "the verb impersonate gives other names"),
        ({"resources": ["secrets"]}, "rights on secrets are rights on the cluster"),
        ({"resources": ["pods/exec"], "verbs": ["create"]}, "rights on pods/exec are rights on the cluster"),
        ({"resources": ["deployments"], "verbs": ["patch"]}, "who writes deployments decides what runs, unverified"),
        ({"resources": ["rolebindings"], "verbs": ["create"]}, "who writes rolebindings decides what runs"),
    ],
)
def test_each_right_that_could_become_more_is_named(rule: dict[str, Any], expected: str) -> None:
    found = judged(changed(ROLE, lambda r: r["rules"][0].update(rule)))
    assert any(expected in line for line in found), found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda b: b["roleRef"].update(kind="ClusterRole", name="cluster-admin"),
            "roleRef names ClusterRole cluster-admin, which is not a Role here that could be judged",
        ),
        (lambda b: b["roleRef"].update(name="other"), "roleRef names Role other, which is not a Role here"),
        (lambda b: b["subjects"][0].update(namespace="other"), "rights to ServiceAccount app: only to an account"),
        (
            lambda b: b.update(subjects=[{"kind": "Group", "name": "system:unauthenticated"}]),
            "rights to Group system:unauthenticated: only to an account",
        ),
        (lambda b: b.update(subjects=[{"kind": "User", "name": "somebody"}]), "rights to User somebody"),
    ],
)
def test_a_binding_to_what_is_not_here_or_for_others_is_named(change: Change, expected: str) -> None:
    [found] = judged(ROLE, changed(BINDING, change))
    assert expected in found


def test_a_service_that_takes_addresses_of_others_or_has_no_port_is_named() -> None:
    found = judged(DEPLOYMENT, changed(SERVICE, lambda s: s["spec"].update(externalIPs=["192.0.2.1"])))
    assert found == ["Service shop/app: externalIPs take traffic that is meant for others (CVE-2020-8554)"]
    assert judged(changed(SERVICE, lambda s: s.update(spec=None))) == ["Service shop/app: it has no port"]


def test_a_null_says_nothing_as_the_api_server_has_it() -> None:
    def nulls(body: dict[str, Any]) -> None:
        container(body)["securityContext"].update(runAsNonRoot=None, runAsUser=None, procMount=None)
        body["metadata"].update(creationTimestamp=None, labels=None)
        pod(body).update(volumes=None, initContainers=None, hostNetwork=None)
        body["spec"]["replicas"] = None

    service = changed(SERVICE, lambda s: s["spec"]["ports"][0].update(nodePort=None))
    assert judged(changed(DEPLOYMENT, nulls), service, AUTOSCALER) == []
    unset = judged(changed(DEPLOYMENT, lambda d: container(d)["resources"]["limits"].update(memory=None)))
    assert unset == ["Deployment shop/app: container app: resources.limits.memory is missing"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_no_shape_brings_a_check_down(data: st.DataObject) -> None:
    bodies = [deepcopy(each) for each in (DEPLOYMENT, SERVICE, AUTOSCALER, ROLE, BINDING)]
    for _ in range(data.draw(st.integers(1, 4))):
        places = [place for body in bodies for place in below(body)]
        holder, key = data.draw(st.sampled_from(places))
        holder[key] = data.draw(JSON)
    manifests = [Manifest(body) for body in bodies]
    assert all(str(problem) for problem in (*problems(manifests), *unmounted(manifests, "app", ["/tmp"])))


def below(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in a body, save those that an object is called by: without them it is none."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if key not in {"apiVersion", "kind", "metadata"}:
            yield value, key
        if isinstance(inner, dict | list):
            yield from (place for place in below(inner) if key != "metadata" or place[1] == "labels")


def mounting(kind: dict[str, Any], **mount: Any) -> Manifest:
    def mount_it(body: dict[str, Any]) -> None:
        pod(body)["volumes"] = [{"name": "scratch", **kind}]
        container(body)["volumeMounts"] = [{"name": "scratch", "mountPath": "/tmp/", **mount}]

    return Manifest(changed(DEPLOYMENT, mount_it))


@pytest.mark.parametrize("kind", ["emptyDir", "ephemeral", "persistentVolumeClaim"])
def test_a_directory_that_is_mounted_to_be_written_to_is_one_that_the_service_was_tried_with(kind: str) -> None:
    assert unmounted([mounting({kind: {}})], "app", ["/tmp"]) == ()
    assert unmounted([mounting({kind: {}})], "app", []) == ()


@pytest.mark.parametrize(
    "manifest",
    [
        Manifest(DEPLOYMENT),
        mounting({"configMap": {"name": "settings"}}),
        mounting({"emptyDir": {}}, readOnly=True),
        mounting({"emptyDir": {}}, mountPath="/tmp/below"),
    ],
)
def test_a_directory_that_would_not_be_writable_in_the_cluster_is_named(manifest: Manifest) -> None:
    assert [str(problem) for problem in unmounted([manifest], "app", ["/tmp"])] == [
        "Deployment shop/app: container app: /tmp is in smoke.writable, and no emptyDir is mounted there"
    ]


def test_what_another_container_mounts_is_no_business_of_the_service() -> None:
    assert unmounted([Manifest(DEPLOYMENT)], "other", ["/tmp"]) == ()


def test_all_problems_are_told_at_once_and_blamed_on_the_project() -> None:
    found = problems(
        [Manifest(changed(DEPLOYMENT, lambda d: (container(d).pop("image"), pod(d).update(hostPID=True))))]
    )
    with pytest.raises(SubjectFailed, match="2 problems") as failure:
        require(found)
    assert len(failure.value.why) == 2


def test_no_problem_is_no_failure() -> None:
    require(())
