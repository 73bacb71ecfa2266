"""The shipped service under the real autoscaler, with a load that follows a script, in a cluster whose time is shorter.

Everything here is in the seconds of the shipped manifests: a second of the clock is `FASTER` of them.
"""

import json
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from shipseal.deploying.autoscaler import Autoscaler, AutoscalerSpec, Figures
from shipseal.local.cluster_usage import audit_log
from tests.cluster.manifests import K8S, apply, build, write
from tests.cluster.running import Kubectl, Running, soon

FASTER = 15
"""By which every period is divided: those of the controller, of metrics-server, and of the autoscaler's own object."""

NAME = "greetings"
IMAGE = "registry.example:5000/acme/greetings@sha256:" + "a" * 64
LIMIT = 500  # millicores that a pod may use
LOOK = 15  # seconds between two looks of the controller, and of metrics-server
IDLE = 14_000_000  # bytes that the service holds: docs/service.md

Script = Callable[[float], int]


class Api:
    """The API server, asked as its administrator without a kubectl for each question, which is slow."""

    def __init__(self, running: Running) -> None:
        """Read how it is reached."""
        context = ssl.create_default_context(cafile=running.directory / "cluster.crt")
        context.load_cert_chain(running.directory / "admin.crt", running.directory / "admin.key")
        config = json.loads(running.kubectl.kubeconfig.read_text())
        port = urlsplit(config["clusters"][0]["cluster"]["server"]).port
        self._connect = partial(HTTPSConnection, "127.0.0.1", port, timeout=30, context=context)

    def __call__(self, path: str, patch: object = None) -> Any:
        """Read an object, or change it by a JSON merge patch (RFC 7396)."""
        body = None if patch is None else json.dumps(patch)
        method, kind = ("GET", "application/json") if body is None else ("PATCH", "application/merge-patch+json")
        with closing(self._connect()) as connection:
            connection.request(method, path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            said = answer.read()
        assert answer.status == 200, said
        return json.loads(said)


@dataclass
class Service:
    """The service in a namespace of its own, and what its pods are said to use."""

    running: Running
    kubectl: Kubectl
    api: Api
    began: float = 0
    samples: list[tuple[float, int, int]] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """The namespace."""
        return self.kubectl.namespace

    def use(self, cpu: int, memory: int = IDLE) -> None:
        """Have each pod use so many millicores and bytes from now on."""
        usage = {"cpu": {"value": f"{cpu}m"}, "memory": {"value": str(memory)}}
        path = f"/apis/kwok.x-k8s.io/v1alpha1/clusterresourceusages/{self.namespace}"
        self.api(path, {"spec": {"usages": [{"usage": usage}]}})

    def pods(self) -> list[Any]:
        """Return the pods that run."""
        items = self.api(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector=app%3D{NAME}")["items"]
        return [each for each in items if each["status"]["phase"] == "Running" and not each["metadata"].get(
            "deletionTimestamp")]  # fmt: skip

    def replicas(self) -> int:
        """Return how many pods there are to be."""
        return int(self.api(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{NAME}")["spec"]["replicas"])

    def autoscaler(self) -> Any:
        """Return the autoscaler's object."""
        return self.api(f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers/{NAME}")

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Return a condition of the autoscaler: status, reason and message."""
        found = [each for each in self.autoscaler()["status"].get("conditions", []) if each["type"] == kind]
        return (found[0]["status"], found[0]["reason"], found[0]["message"]) if found else ("", "", "")

    def reasons(self) -> set[str]:
        """Return the reasons of the warnings that were written about the autoscaler."""
        items = self.api(f"/api/v1/namespaces/{self.namespace}/events?fieldSelector=type%3DWarning")["items"]
        return {each["reason"] for each in items if each["involvedObject"]["kind"] == "HorizontalPodAutoscaler"}

    def follow(self, load: Script, until: float, memory: int = IDLE) -> None:
        """Share a load out over the pods that run, again and again, for so many seconds of the shipped time.

        :param load: millicores in all, by the seconds since it began
        """
        self.began, given = time.time(), -1
        while (now := (time.time() - self.began) * FASTER) < until:
            running = max(1, len(self.pods()))
            each = min(LIMIT, load(now) // running)
            if each != given:
                self.use(given := each, memory)
            self.samples.append((now, load(now), running))
            time.sleep(0.1)

    def figures(self) -> dict[str, int]:
        """Return the millicores of each pod that metrics-server has figures of, to the nearest ten."""
        items = self.api(f"/apis/metrics.k8s.io/v1beta1/namespaces/{self.namespace}/pods")["items"]
        found = {each["metadata"]["name"]: each["containers"][0]["usage"]["cpu"] for each in items}
        units = {"n": 1e6, "u": 1e3}
        return {name: round(int(cpu.rstrip("nu")) / units.get(cpu[-1], 1) / 10) * 10 for name, cpu in found.items()}

    def stays(self, replicas: int, seconds: float) -> bool:
        """Say whether the number is what it was all through so many seconds of the shipped time."""
        return not soon(lambda: self.replicas() != replicas, seconds / FASTER)

    def changes(self) -> list[tuple[float, int]]:
        """Return the same as differences, from the three pods of the beginning on."""
        orders = self.orders()
        numbers = [3, *(number for _, number in orders)]
        return [(at, number - before) for before, (at, number) in zip(numbers, orders, strict=False)]

    def orders(self) -> list[tuple[float, int]]:
        """Return what the autoscaler has asked for, and when, since `follow` began, in the shipped seconds."""
        found = list[tuple[float, int]]()
        for line in audit_log(self.running.directory).read_text().splitlines():
            entry = json.loads(line)
            is_ours = entry["objectRef"]["namespace"] == self.namespace and "horizontal" in entry["user"]["username"]
            if is_ours and entry["responseStatus"]["code"] == 200:  # one that came too late for its version is repeated
                at = datetime.fromisoformat(entry["requestReceivedTimestamp"]).replace(tzinfo=UTC).timestamp()
                found.append(((at - self.began) * FASTER, entry["requestObject"]["spec"]["replicas"]))
        return [(at, number) for at, number in found if at >= 0]


def shorter(autoscaler: Any) -> Any:
    """Return the shipped autoscaler with each period divided; nothing else of it is touched."""
    spec = json.loads(json.dumps(autoscaler))
    for way in spec["spec"]["behavior"].values():
        way["stabilizationWindowSeconds"] //= FASTER
        for policy in way["policies"]:
            policy["periodSeconds"] //= FASTER
    return spec


def deployed(running: Running, kustomize: Path, root: Path, namespace: str, replicas: int = 3, **usage: int) -> Service:
    """Have the administrator apply the platform and the service, with `replicas` at first, and wait until all run.

    :param usage: what each pod uses, as `Service.use` takes it; without any its pods have no figures
    """
    write(root, namespace, NAME)
    kubectl, api = running.kubectl.within(namespace), Api(running)
    apply(running.kubectl.within(""), build(kustomize, root / "k8s" / "platform"), manager="administrator")
    selector = {"matchNamespaces": [namespace]}
    each = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterResourceUsage", "metadata": {"name": namespace}}
    kubectl("create", "-f", "-", given={**each, "spec": {"selector": selector, "usages": []}})
    service = Service(running, kubectl, api)
    if usage:
        service.use(**usage)
    objects = build(kustomize, root / "k8s" / "overlays" / "production")
    scaler = next(each for each in objects if each["kind"] == "HorizontalPodAutoscaler")
    deployment = next(each for each in objects if each["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = IMAGE
    deployment["spec"]["replicas"] = replicas
    apply(kubectl, [each for each in objects if each is not scaler])
    kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=60s")
    apply(kubectl, [shorter(scaler)])
    if usage:
        assert soon(lambda: service.condition("ScalingActive")[0] == "True", 30), service.autoscaler()["status"]
    return service


def shipped() -> AutoscalerSpec:
    """Return what the shipped autoscaler says."""
    return AutoscalerSpec.of(yaml.safe_load((K8S / "base" / "hpa.yaml").read_text()))


def simulated(load: Script, until: float, first: int) -> list[tuple[float, int]]:
    """Return what the simulation asks for under the same load, and when; its figures are one look old."""
    scaler, seen, orders = Autoscaler(shipped(), first), [load(0) // first] * 2, list[tuple[float, int]]()
    for now in range(0, int(until), LOOK):
        before = scaler.replicas
        seen = [seen[1], min(LIMIT, load(now) // before)]
        memory = Figures([IDLE * 100 // (64 << 20)] * before)
        if scaler.look(now, {"cpu": Figures([seen[0]] * before), "memory": memory}) != before:
            orders.append((now, scaler.replicas))
    return orders
