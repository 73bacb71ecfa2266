"""Our rules refuse all that the Pod Security Standard refuses, by the samples of the code that enforces it.

They come with the module `k8s.io/pod-security-admission`, which is there once the API server has been compiled.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from shipseal.deploying.pods import unconfined, weaknesses
from shipseal.project.config import HOME

MODULE = "k8s.io/pod-security-admission"
# What we ask for besides the standard.
BESIDES = ("is not by digest", "a token for the cluster", "resources.", "readOnlyRootFilesystem")
# A pod of Windows, which runs no image of ours; and sysctls that only Kubernetes 1.32 and later hold for safe.
STRICTER = {"base_windows.yaml", "sysctls1.yaml"}


def samples() -> Path:
    """Return the samples of the restricted standard, in the version that the tests' cluster is locked at."""
    graph = (HOME / "tools" / "kubernetes" / "go.mod").read_text()
    [version] = re.findall(rf"{MODULE} => {MODULE} (v0\.\S+)", graph)
    modules = Path(os.environ.get("GOMODCACHE", Path.home() / "go" / "pkg" / "mod"))
    minor = version.split(".")[1]
    return modules / f"{MODULE}@{version}" / "test" / "testdata" / "restricted" / f"v1.{minor}"


pytestmark = pytest.mark.skipif(not samples().exists(), reason=f"the API server was not compiled here: no {MODULE}")


def judged(expected: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the samples that pass or fail, with what the standard's part of our rules says of each."""
    for path in sorted((samples() / expected).glob("*.yaml")):
        pod = yaml.safe_load(path.read_text())
        found = [*weaknesses(pod["spec"]), *unconfined(pod)]
        yield path.name, [each for each in found if not any(ours in each for ours in BESIDES)]


def test_every_pod_that_the_standard_refuses_is_refused_here() -> None:
    found = dict(judged("fail"))
    assert len(found) > 50
    assert [name for name, said in found.items() if not said] == []


def test_no_pod_that_the_standard_lets_pass_is_refused_here_but_those_that_we_mean_to() -> None:
    found = dict(judged("pass"))
    assert len(found) > 10
    assert {name for name, said in found.items() if said} == STRICTER
