"""Whatever is wrong with what kustomize wrote, there is an answer, and what passes is what a cluster should run."""

import re
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shipseal.deploying.manifests import dump
from shipseal.deploying.review import review
from shipseal.digest import Digest, Reference
from shipseal.errors import ConfigError, SubjectFailed

K8S = Path(__file__).resolve().parents[2] / "k8s"
REFERENCE = Reference("docker.io", "example/app", Digest.of(b"image"))
KINDS = {
    *("ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget"),
    *("Service", "ServiceAccount"),
}
OTHERS: tuple[Any, ...] = (
    None,
    [],
    {},
    0,
    -1,
    1.5,
    True,
    "",
    "other",
    [None],
    [[]],
    {"": None},
    "privileged",
    "RollingUpdate",
    "*",
)
REMOVED, DOUBLED = object(), object()


@pytest.fixture(scope="module")
def objects(kustomize: Path) -> list[Any]:
    """What the manifests that come with the pipeline really render to."""
    overlay = K8S / "overlays" / "production"
    done = subprocess.run([kustomize, "build", overlay], check=True, capture_output=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place below a value: what holds it, and the key or index."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def mutate(holder: Any, key: Any, change: Any) -> None:
    if change is REMOVED:
        del holder[key]
    elif change is not DOUBLED:
        holder[key] = deepcopy(change)
    elif isinstance(holder, list):
        holder.append(deepcopy(holder[key]))
    else:
        holder[f"{key}x"] = deepcopy(holder[key])


def require_safe(value: Any) -> None:
    """Assert, without any of the pipeline's own checks, that nothing in a value would weaken a cluster."""
    assert isinstance(value, dict | list)
    for holder, key in places(value):
        found = holder[key]
        match key:
            case "image":
                assert re.fullmatch(r"[a-z0-9./-]+@sha256:[0-9a-f]{64}", found)
            case "privileged" | "hostNetwork" | "hostPID" | "hostIPC" | "hostPath" | "hostPort" | "externalIPs":
                assert not found
            case "runAsNonRoot" | "readOnlyRootFilesystem":
                assert found in (True, None)
            case "allowPrivilegeEscalation" | "automountServiceAccountToken":
                assert found in (False, None)
            case "drop":
                assert "ALL" in found
            case "kind" if "apiVersion" in holder and "metadata" in holder:
                assert found in KINDS


def answer(objects: list[Any]) -> list[Any] | None:
    """Return what passes of some objects, as it would be written; nothing when they are refused as they should be."""
    try:
        passed = review(yaml.safe_dump_all(objects).encode(), "1.35", "app", REFERENCE)
    except (ConfigError, SubjectFailed):  # exit codes 2 and 7; anything else is a fault
        return None
    written = list(yaml.safe_load_all(dump(passed)))
    assert [each.body for each in passed] == written
    require_safe(written)
    return written


@given(data=st.data())
@settings(max_examples=80, deadline=5000)
def test_each_mutation_is_refused_in_order_or_is_still_safe(objects: list[Any], data: st.DataObject) -> None:
    mutated = deepcopy(objects)
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(list(places(mutated))))
        mutate(holder, key, data.draw(st.sampled_from([*OTHERS, REMOVED, DOUBLED])))
    if (written := answer(mutated)) is not None:
        [deployment] = [each for each in written if each["kind"] == "Deployment"]
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == str(REFERENCE)
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]


def test_what_nobody_has_touched_passes(objects: list[Any]) -> None:
    assert len(objects) == len(answer(objects) or ())


@pytest.mark.parametrize("change", [None, "text", REMOVED], ids=["null", "text", "removed"])
def test_every_part_of_a_deployment_may_be_broken_in_turn(objects: list[Any], change: Any) -> None:
    [deployment] = [each for each in objects if each["kind"] == "Deployment"]
    for index in range(len(list(places(deployment)))):
        body = deepcopy(deployment)
        holder, key = list(places(body))[index]
        mutate(holder, key, change)
        answer([body])
