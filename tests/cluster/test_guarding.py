"""The API server itself admits this project's image by digest, its service account and its ports, and nothing else.

The policies are those that are shipped; they and the manifests are for a namespace of this file's own.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from shipseal.deploying.manifests import Manifest, dump, parse
from shipseal.deploying.review import review
from shipseal.digest import Digest, Reference, split_repository
from shipseal.project.config import HOME, Config
from tests.cluster.manifests import K8S, OURS, apply, build
from tests.cluster.running import Kubectl, Running, soon

REPOSITORY = Config.load(HOME / "pipeline.toml").image.repository
DIGEST = str(Digest.of(b"verified"))
IMAGE = f"{REPOSITORY}@{DIGEST}"

OF_OURS, BY_DIGEST = "images come from", "images are named by digest"
UNTAGGED, ACCOUNT, PORTS = "an image has no tag", "pods run as", "containers listen on"

Change = Callable[[Any], object]


def image(name: str, group: str = "containers") -> Change:
    """Give a pod one container with an image: the service's, or another of a group."""

    def change(pod: Any) -> None:
        first = {**deepcopy(pod["containers"][0]), "image": name}
        pod[group] = [first if group == "containers" else {**plain(first), "name": "other"}]

    return change


def plain(container: Any) -> Any:
    """Return a container without what only one that stays may have, and without ports."""
    return {key: container[key] for key in ("name", "image", "securityContext", "resources")}


def port(number: int, **more: int) -> Change:
    return lambda pod: pod["containers"][0]["ports"].append({"containerPort": number, **more})


REFUSED: Mapping[str, tuple[str, Change]] = {
    "other-repository": (OF_OURS, image(f"docker.io/other/{OURS}@{DIGEST}")),
    "other-host": (OF_OURS, image(f"registry.example/example/{OURS}@{DIGEST}")),
    "other-case": (OF_OURS, image(f"docker.io/Example/{OURS}@{DIGEST}")),
    "with-a-port": (OF_OURS, image(f"docker.io:443/example/{OURS}@{DIGEST}")),
    "as-docker-shortens-it": (OF_OURS, image(f"example/{OURS}@{DIGEST}")),
    "longer-name": (OF_OURS, image(f"{REPOSITORY}-fork@{DIGEST}")),
    "deeper-name": (OF_OURS, image(f"{REPOSITORY}/fork@{DIGEST}")),
    "below-another-host": (OF_OURS, image(f"registry.example/{IMAGE}")),
    "a-letter-for-the-dot": (OF_OURS, image(f"docker-io/example/{OURS}@{DIGEST}")),
    "in-an-init-container": (OF_OURS, image(f"docker.io/other/{OURS}@{DIGEST}", "initContainers")),
    "by-tag": (BY_DIGEST, image(f"{REPOSITORY}:1.0")),
    "latest": (BY_DIGEST, image(f"{REPOSITORY}:latest")),
    "neither-tag-nor-digest": (BY_DIGEST, image(REPOSITORY)),
    "half-a-digest": (BY_DIGEST, image(IMAGE[:-1])),
    "init-container-by-tag": (BY_DIGEST, image(f"{REPOSITORY}:1.0", "initContainers")),
    "latest-with-its-digest": (UNTAGGED, image(f"{REPOSITORY}:latest@{DIGEST}")),
    "no-account": (ACCOUNT, lambda pod: pod.pop("serviceAccountName")),
    "other-account": (ACCOUNT, lambda pod: pod.update(serviceAccountName="default")),
    "other-port": (PORTS, port(8081)),
}
ONLY_AS_A_TEMPLATE = {"port-of-the-node": (PORTS, port(9999, hostPort=9999)), "nodes-own": (PORTS, port(22))}
ADMITTED: Mapping[str, Change] = {
    "as-it-is": lambda _: None,
    "with-an-init-container": image(IMAGE, "initContainers"),
    "without-a-port": lambda pod: pod["containers"].__setitem__(0, plain(pod["containers"][0])),
}


class Guarded:
    """A namespace with the platform and the policies as they are shipped, but for its name.

    Args:
        kubectl: the administrator's, there.
        objects: what a deploy would apply.
        policies: what the administrator has applied.
    """

    def __init__(self, kubectl: Kubectl, objects: list[Any], policies: list[Any]) -> None:
        self.kubectl = kubectl
        self.objects = objects
        self.policies = policies

    def pod(self, name: str, change: Change = lambda _: None) -> Any:
        """Return a pod of the Deployment, alone, and changed."""
        template = deepcopy(self.of("Deployment")["spec"]["template"])
        change(template["spec"])
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template["spec"]}

    def made_by(self, kind: str, name: str, change: Change = lambda _: None) -> Any:
        """Return something that makes such pods."""
        made = deepcopy(self.of("Deployment"))
        change(made["spec"]["template"]["spec"])
        metadata, pods = {"name": name}, made["spec"]["template"]
        if kind == "Deployment":
            return {**made, "metadata": metadata}
        pods["spec"]["restartPolicy"] = "Never"
        job = {"template": pods}
        if kind == "Job":
            return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": job}
        spec = {"schedule": "@daily", "jobTemplate": {"spec": job}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}

    def of(self, kind: str) -> Any:
        [found] = [each for each in self.objects if each["kind"] == kind]
        return found

    def for_pods(self, suffix: str = "") -> Any:
        """Return the policy for pods, or its `Binding`."""
        wanted = (f"ValidatingAdmissionPolicy{suffix}", f"{self.kubectl.namespace}-pods")
        [found] = [each for each in self.policies if (each["kind"], each["metadata"]["name"]) == wanted]
        return found

    def asked(self, objects: list[Any]) -> dict[str, str]:
        """Return what the server says of objects that it is to admit without keeping them, by their names."""
        ended = self.kubectl("create", "--dry-run=server", "-f", "-", given=objects, code=None)
        said = (ended.stdout + ended.stderr).splitlines()
        names = [each["metadata"]["name"] for each in objects]
        told = {name: [each for each in said if f'"{name}"' in each or f"/{name} created" in each] for name in names}
        assert all(len(lines) == 1 for lines in told.values()), said
        return {name: lines[0] for name, lines in told.items()}


def renamed(documents: list[Any], before: str, after: str) -> list[Any]:
    """Return objects with one text in them replaced."""
    return list(json.loads(json.dumps(documents).replace(before, after)))


def named(documents: list[Any], namespace: str) -> list[Any]:
    """Return objects as those of another namespace and service; the image is the same."""
    kept, aside = f"example/{OURS}", "set-aside"
    return renamed(renamed(renamed(documents, kept, aside), OURS, namespace), aside, kept)


@pytest.fixture(scope="module")
def guarded(running: Running, kustomize: Path) -> Iterator[Guarded]:
    """Give the namespace, once the policies are enforced in it; they are gone afterwards."""
    namespace, everywhere = f"guarded-{uuid4().hex[:8]}", running.kubectl.within("")
    policies = named(build(kustomize, K8S / "platform" / "admission"), namespace)
    apply(everywhere, platform := named(build(kustomize, K8S / "platform"), namespace), manager="administrator")
    apply(everywhere, policies, manager="administrator")
    rendered = dump([Manifest(each) for each in build(kustomize, K8S / "overlays" / "production")])
    reference = Reference(*split_repository(REPOSITORY), Digest.parse(DIGEST))
    reviewed = [dict(each.body) for each in parse(dump(review(rendered, "1.35", "app", reference)))]
    it = Guarded(everywhere.within(namespace), named(reviewed, namespace), policies)
    apply(it.kubectl, [it.of("ServiceAccount")])
    everywhere("wait", "--for=create", "serviceaccount/default", f"--namespace={namespace}")
    refused = [it.pod("latest", REFUSED["latest"][1]), {**it.of("Service"), "metadata": {"name": "opened"}}]
    refused[1] = {**refused[1], "spec": {**refused[1]["spec"], "ports": [{"port": 80, "nodePort": 30081}]}}
    assert soon(lambda: all("denied" in said for said in it.asked(refused).values()), within=60)
    yield it
    everywhere("delete", "--wait=false", "-f", "-", given=[*policies, *platform])


@pytest.fixture(scope="module")
def said(guarded: Guarded) -> dict[str, dict[str, str]]:
    """Give what the server says of each object, by kind and name: asked once for each kind."""
    changes = {**{name: change for name, (_, change) in REFUSED.items()}, **ADMITTED}
    templates = {**changes, **{name: change for name, (_, change) in ONLY_AS_A_TEMPLATE.items()}}
    return {
        "Pod": guarded.asked([guarded.pod(name, change) for name, change in changes.items()]),
        **{
            kind: guarded.asked([guarded.made_by(kind, name, change) for name, change in templates.items()])
            for kind in ("Deployment", "Job", "CronJob")
        },
    }


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "Job", "CronJob"])
def test_each_rule_refuses_what_breaks_it_alone_and_says_which_container(
    kind: str, said: dict[str, dict[str, str]], guarded: Guarded
) -> None:
    expected = {name: rule for name, (rule, _) in {**REFUSED, **(ONLY_AS_A_TEMPLATE if kind != "Pod" else {})}.items()}
    assert {name: rule for name, rule in expected.items() if f"denied request: {rule}" not in said[kind][name]} == {}
    assert f"'{guarded.kubectl.namespace}-pods'" in said[kind]["other-case"]
    assert f": app (docker.io/Example/{OURS}@{DIGEST})" in said[kind]["other-case"]
    assert "another case, host or port is another repository" in said[kind]["with-a-port"]
    assert f": other ({REPOSITORY}:1.0)" in said[kind]["init-container-by-tag"]


RULES = (OF_OURS, BY_DIGEST, UNTAGGED, ACCOUNT, PORTS)
ALSO_TAGGED = {"by-tag", "latest", "init-container-by-tag"}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_without_the_others_refuses_what_breaks_it_and_admits_what_breaks_another(
    rule: str, guarded: Guarded, kubectl: Kubectl
) -> None:
    """So none of them rests on another one."""
    policy, binding = (deepcopy(guarded.for_pods(kind)) for kind in ("", "Binding"))
    policy["spec"]["validations"] = [policy["spec"]["validations"][RULES.index(rule)]]
    alone = renamed([policy, binding], guarded.kubectl.namespace, kubectl.namespace)
    apply(kubectl.within(""), alone, manager="administrator")
    here = Guarded(kubectl, renamed(guarded.objects, guarded.kubectl.namespace, kubectl.namespace), alone)
    changes = {**REFUSED, **ONLY_AS_A_TEMPLATE}
    asked = [here.made_by("Deployment", name, change) for name, (_, change) in changes.items()]
    expected = {name for name, (broken, _) in changes.items() if broken == rule}
    expected |= ALSO_TAGGED if rule == UNTAGGED else set()

    def refused() -> set[str]:
        return {name for name, said in here.asked(asked).items() if f"denied request: {rule}" in said}

    assert soon(lambda: bool(refused()), within=60)
    assert expected == refused()
    kubectl("delete", "-f", "-", given=alone)


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "Job", "CronJob"])
def test_what_keeps_to_all_rules_is_admitted(kind: str, said: dict[str, dict[str, str]]) -> None:
    assert {name: said[kind][name] for name in ADMITTED if "created" not in said[kind][name]} == {}


def test_the_shipped_manifests_are_admitted_and_their_pods_become_ready(guarded: Guarded) -> None:
    """The Service is not kept: its port on the nodes is one for the whole cluster."""
    assert len(apply(guarded.kubectl, guarded.objects, "--dry-run=server")) == len(guarded.objects)
    kept = [each for each in guarded.objects if each["kind"] in {"Deployment", "ServiceAccount"}]
    apply(guarded.kubectl, kept)
    name = guarded.of("Deployment")["metadata"]["name"]
    guarded.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=1", f"deployment/{name}", "--timeout=60s")


def test_an_ephemeral_container_is_held_to_the_same_rules(guarded: Guarded) -> None:
    guarded.kubectl("create", "-f", "-", given=guarded.pod("looked-into"))
    debug = ("debug", "pod/looked-into", "--profile=restricted", "--attach=false")
    ended = guarded.kubectl(*debug, "--container=shell", "--image=docker.io/library/busybox", code=1)
    assert f"denied request: {OF_OURS}" in ended.stderr
    assert ": shell (docker.io/library/busybox)" in ended.stderr
    guarded.kubectl(*debug, "--container=own", f"--image={IMAGE}")


def test_a_service_opens_the_one_port_on_the_nodes(guarded: Guarded) -> None:
    service = guarded.of("Service")
    kinds = {"ours": {"nodePort": 30080}, "other": {"nodePort": 30081}, "inside": {}}
    asked = [
        {**service, "metadata": {"name": name}, "spec": {**service["spec"], "ports": [{"port": 80, **more}]}}
        for name, more in kinds.items()
    ]
    asked[2]["spec"]["type"] = "ClusterIP"
    del asked[2]["spec"]["externalTrafficPolicy"]
    said = guarded.asked(asked)
    assert "denied request: Services open 30080 on the nodes: 30081" in said["other"]
    assert ["created" in said[name] for name in ("ours", "inside")] == [True, True]


def test_other_namespaces_are_left_alone(kubectl: Kubectl) -> None:
    pod = {"containers": [{"name": "app", "image": "registry.example/other:latest"}]}
    kubectl(
        "create",
        "--dry-run=server",
        "-f",
        "-",
        given={
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "other"},
            "spec": pod,
        },
    )


def test_the_server_finds_nothing_wrong_with_an_expression_for_any_kind(guarded: Guarded) -> None:
    namespace = guarded.kubectl.namespace
    for name in (f"{namespace}-pods", f"{namespace}-services"):
        status = "--for=jsonpath={.status.typeChecking}"
        guarded.kubectl("wait", status, f"validatingadmissionpolicy/{name}", "--timeout=30s")
        read = guarded.kubectl.read("validatingadmissionpolicy", name)
        assert read["status"]["typeChecking"] == {}, yaml.safe_dump(read["status"])
