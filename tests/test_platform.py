"""What an administrator has prepared is read as rights, each of which can be named and asked for."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from shipseal.deploying.manifests import Manifest
from shipseal.deploying.platform import ClusterPlatform, Right, read, resource_of
from shipseal.errors import SubjectFailed

NAMESPACE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
}
ROLE: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "deployer", "namespace": "shop"},
    "rules": [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "create", "patch"]},
        {"apiGroups": [""], "resources": ["services/proxy"], "resourceNames": ["app:http"], "verbs": ["get"]},
    ],
}
BINDING: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "deployer", "namespace": "shop"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "deployers"}],
}
Change = Callable[[dict[str, Any]], object]


def of(*bodies: dict[str, Any]) -> ClusterPlatform:
    return read([Manifest(body) for body in bodies])


def changed(body: dict[str, Any], change: Change) -> dict[str, Any]:
    copy = deepcopy(body)
    change(copy)
    return copy


def refusals(*bodies: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(SubjectFailed) as failure:
        of(*bodies)
    assert "[deploy] platform" in failure.value.remedy
    return failure.value.why


def thing(version: str, kind: str, namespace: str = "shop") -> Manifest:
    return Manifest({"apiVersion": version, "kind": kind, "metadata": {"name": "app", "namespace": namespace}})


def test_every_verb_of_every_rule_that_a_group_gets_is_a_right() -> None:
    found = of(NAMESPACE, ROLE, BINDING)
    assert found.namespace == "shop"
    assert found.rights == {
        Right("shop", "apps", "deployments", "get"),
        Right("shop", "apps", "deployments", "create"),
        Right("shop", "apps", "deployments", "patch"),
        Right("shop", "", "services/proxy", "get", "app:http"),
    }


def test_a_right_is_written_as_kubectl_takes_it_and_asked_for_as_the_api_server_does() -> None:
    proxy = Right("shop", "", "services/proxy", "get", "app:http")
    assert str(proxy) == "get services/proxy app:http in shop"
    assert str(Right("shop", "apps", "deployments", "patch")) == "patch deployments.apps in shop"
    assert proxy.attributes == {
        "namespace": "shop",
        "verb": "get",
        "group": "",
        "resource": "services",
        "subresource": "proxy",
        "name": "app:http",
    }


def test_a_role_that_an_account_gets_is_none_of_a_deploys_rights() -> None:
    account = [{"kind": "ServiceAccount", "name": "app", "namespace": "shop"}]
    other = changed(BINDING, lambda b: (b["metadata"].update(name="other"), b.update(subjects=account)))
    assert refusals(NAMESPACE, ROLE, other) == ("the platform: no RoleBinding of it gives a group any right",)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "enforce: restricted is missing, and nothing keeps pods of root out"),
        ({"enforce": "privileged"}, "enforce: privileged is weaker than restricted"),
        ({"enforce": "baseline"}, "enforce: baseline is weaker than restricted"),
        ({"enforce": "restricted", "warn": "baseline"}, "warn: baseline is weaker than restricted"),
        ({"enforce": "restricted", "enforce-version": "v1.19"}, "enforce-version: v1.19 is a standard of before v1.25"),
        ({"enforce": "restricted", "enforce-version": "v1.x"}, "enforce-version: v1.x is a standard of before v1.25"),
    ],
)
def test_a_namespace_that_asks_for_less_than_the_restricted_standard_is_named(
    labels: dict[str, str], expected: str
) -> None:
    prefixed = {f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()}
    found = refusals(changed(NAMESPACE, lambda n: n["metadata"].update(labels=prefixed)), ROLE, BINDING)
    assert found == (f"Namespace shop: pod-security.kubernetes.io/{expected}",)


@pytest.mark.parametrize("version", ["latest", "v1.25", "v1.35"])
def test_a_namespace_of_the_restricted_standard_is_in_order(version: str) -> None:
    label = {"pod-security.kubernetes.io/enforce-version": version}
    assert of(changed(NAMESPACE, lambda n: n["metadata"]["labels"].update(label)), ROLE, BINDING).namespace == "shop"


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ((ROLE, BINDING), "the platform: it makes no namespaces, and deploys need one"),
        (
            (NAMESPACE, changed(NAMESPACE, lambda n: n["metadata"].update(name="b")), ROLE, BINDING),
            "the platform: it makes 2 namespaces, and deploys need one",
        ),
        (
            (changed(NAMESPACE, lambda n: n["metadata"].update(name="kube-public")), ROLE, BINDING),
            "Namespace kube-public: namespaces that begin with kube- are the cluster's own",
        ),
        ((NAMESPACE, BINDING), "RoleBinding shop/deployer: its roleRef names no Role here that has rules"),
        (
            (NAMESPACE, ROLE, changed(BINDING, lambda b: b["roleRef"].update(kind="ClusterRole"))),
            "RoleBinding shop/deployer: its roleRef names no Role here that has rules",
        ),
        (
            (NAMESPACE, changed(ROLE, lambda r: r["rules"][0].update(verbs=["*"])), BINDING),
            "RoleBinding shop/deployer: a rule's verbs hold a wildcard: name each",
        ),
        (
            (NAMESPACE, changed(ROLE, lambda r: r["rules"][0].update(verbs=["escalate"])), BINDING),
            "RoleBinding shop/deployer: the verb escalate gives more rights than its own",
        ),
    ],
)
def test_a_platform_that_gives_no_one_place_and_no_few_rights_is_refused(
    bodies: tuple[dict[str, Any], ...], expected: str
) -> None:
    assert expected in refusals(*bodies)


def test_what_a_deploy_may_apply_is_in_order_and_all_else_is_named() -> None:
    platform = of(NAMESPACE, ROLE, BINDING)
    assert platform.outside([thing("apps/v1", "Deployment")]) == ()
    found = platform.outside([thing("apps/v1", "Deployment", "other"), thing("v1", "ConfigMap")])
    assert [str(each) for each in found] == [
        "Deployment other/app: it is in namespace other, and a deploy changes shop alone",
        "ConfigMap shop/app: whoever deploys has no right to create, get, patch configmaps: an administrator adds it "
        "to the Role of the platform, or applies the object",
    ]


@pytest.mark.parametrize("verb", ["get", "create", "patch"])
def test_each_verb_that_applying_needs_is_asked_for(verb: str) -> None:
    less = changed(ROLE, lambda r: r["rules"][0]["verbs"].remove(verb))
    [found] = of(NAMESPACE, less, BINDING).outside([thing("apps/v1", "Deployment")])
    assert f"no right to {verb} deployments" in str(found)


@pytest.mark.parametrize(
    ("version", "kind", "expected"),
    [
        ("networking.k8s.io/v1", "NetworkPolicy", ("networking.k8s.io", "networkpolicies")),
        ("networking.k8s.io/v1", "Ingress", ("networking.k8s.io", "ingresses")),
        ("v1", "ServiceAccount", ("", "serviceaccounts")),
        ("apps/v1", "DaemonSet", ("apps", "daemonsets")),
    ],
)
def test_a_kind_is_the_resource_that_the_api_server_calls_it(
    version: str, kind: str, expected: tuple[str, str]
) -> None:
    assert resource_of(thing(version, kind)) == expected
