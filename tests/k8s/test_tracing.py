"""An overlay that takes the component of tracing sends traces to the collector, may, and is otherwise as before."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from service.otel import Endpoint
from service.settings import Settings
from shipseal.deploying.manifests import Manifest, dump, parse
from shipseal.deploying.review import review
from shipseal.digest import Digest, Reference

K8S = Path(__file__).resolve().parents[2] / "k8s"
Objects = dict[tuple[str, str], Any]


def rendered(kustomize: Path, directory: Path) -> Objects:
    done = subprocess.run([kustomize, "build", directory], check=True, capture_output=True, timeout=60)
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)}


@pytest.fixture(scope="module")
def objects(kustomize: Path, tmp_path_factory: pytest.TempPathFactory) -> Objects:
    root = tmp_path_factory.mktemp("tracing") / "k8s"
    shutil.copytree(K8S, root)
    overlay = root / "overlays" / "production"
    with (overlay / "kustomization.yaml").open("a") as kustomization:
        kustomization.write("components: [../../components/tracing]\n")
    return rendered(kustomize, overlay)


def variables(objects: Objects) -> Mapping[str, str]:
    """Return the variables as a kubelet sets them: in order, each may hold those above it."""
    [container] = objects["Deployment", "simpletimeservice"]["spec"]["template"]["spec"]["containers"]
    found: dict[str, str] = {}
    for each in container["env"]:
        value = each.get("value") or each["valueFrom"]["fieldRef"]["fieldPath"]
        for name, known in found.items():
            value = value.replace(f"$({name})", known)
        found[each["name"]] = value
    return found


def receiver(objects: Objects) -> Endpoint:
    endpoint = Settings.from_environment(variables(objects)).otel_exporter_otlp_endpoint
    assert endpoint
    return endpoint


def test_the_service_takes_the_variables_and_tells_of_its_pod(objects: Objects) -> None:
    settings = Settings.from_environment(variables(objects))
    assert urlsplit(variables(objects)["OTEL_EXPORTER_OTLP_ENDPOINT"]).port == receiver(objects).port == 4318
    assert (settings.otel_traces_sampler, settings.otel_traces_sampler_arg) == ("parentbased_traceidratio", 0.01)
    assert settings.otel_resource_attributes == {
        "k8s.namespace.name": objects["Deployment", "simpletimeservice"]["metadata"]["namespace"],
        "k8s.pod.name": "metadata.name",
        "k8s.node.name": "spec.nodeName",
    }


def test_it_may_call_the_collector_and_dns_and_nobody_else(objects: Objects) -> None:
    policy = objects["NetworkPolicy", "simpletimeservice-tracing"]["spec"]
    assert policy["policyTypes"] == ["Egress"]
    allowed = [
        (peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], *peer["podSelector"]["matchLabels"])
        for rule in policy["egress"]
        for peer in rule["to"]
    ]
    assert allowed == [("monitoring", "app.kubernetes.io/name"), ("kube-system", "k8s-app")]
    ports = [[(port["protocol"], port["port"]) for port in rule["ports"]] for rule in policy["egress"]]
    assert ports == [[("TCP", receiver(objects).port)], [("UDP", 53), ("TCP", 53)]]
    assert receiver(objects).host.split(".")[1] == allowed[0][0]


def test_nothing_else_is_changed(objects: Objects, kustomize: Path) -> None:
    before = rendered(kustomize, K8S / "overlays" / "production")
    after = dict(objects)
    del after["NetworkPolicy", "simpletimeservice-tracing"]
    deployment = yaml.safe_load(yaml.safe_dump(after["Deployment", "simpletimeservice"]))
    del deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {**after, ("Deployment", "simpletimeservice"): deployment} == before


@pytest.mark.parametrize("version", ["1.35", "1.36"])
def test_a_deploy_takes_it(objects: Objects, version: str) -> None:
    image = Reference("registry.example", "acme/sample", Digest.of(b"image"))
    taken = parse(dump(review(dump([Manifest(each) for each in objects.values()]), version, "app", image)))
    assert len(list(taken)) == len(objects)
