"""The policies for others' admission controllers do what they are for.

policy-controller's own tester judges images that were really signed. Kyverno does not run here: its policy is checked
by a real API server against the CustomResourceDefinition of the release that the policy was written for.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipseal.cli import main
from shipseal.digest import Digest
from shipseal.local.sigstore import ISSUER
from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests.cluster import trust_repository
from tests.cluster.manifests import K8S, apply, build
from tests.cluster.releases import OTHER, Releases
from tests.cluster.running import Kubectl, Running, soon
from tests.release.projects import IDENTITY, REPOSITORY, SOURCE
from tests.release.registries import INDEX

JUDGES = HOME / ".venv-judges"
TESTER = JUDGES / "bin" / "tester"
DEFINITIONS = {
    "policy-controller": ("300-clusterimagepolicy.yaml", "clusterimagepolicies.policy.sigstore.dev"),
    "kyverno": (
        "policies.kyverno.io_imagevalidatingpolicies.yaml",
        "imagevalidatingpolicies.policies.kyverno.io",
    ),
}
SIGNER = f"""
[policies.production]
trust-root = "public"
slsa-build-level = 1

[[policies.production.signers]]
issuer = "{ISSUER}"
"""
EXACTLY = f'identity = "{IDENTITY}"'
WORKFLOW = f'repository = "{SOURCE}"\nworkflow = ".github/workflows/release.yml"\nref = ["refs/heads/%s"]'


@dataclass(frozen=True)
class Judge:
    """policy-controller's tester, which takes the tests' own authority for the public Sigstore.

    Args:
        environment: where it finds that trust root.
        host: the registry.
        directory: where policies are made.
    """

    environment: dict[str, str]
    host: str
    directory: Path

    def policy(self, signer: str = EXACTLY, require: str = "") -> Path:
        """Have the command make the policy of a project, and return the file."""
        root = self.directory / Digest.of(f"{signer}{require}".encode()).hex[:8]
        shutil.copytree(HOME / "k8s", root / "k8s")
        (root / "policy").mkdir()
        shipped = (HOME / "policy" / "verification.toml").read_text().partition("\n# A release:")[0]
        (root / "policy" / "verification.toml").write_text(f"{shipped}{require}\n{SIGNER}{signer}\n")
        ours = (HOME / "pipeline.toml").read_text()
        named = ours.replace("docker.io/example/simpletimeservice", f"{self.host}/{REPOSITORY}")
        (root / "pipeline.toml").write_text(named)
        assert main(["admission-policy", "--config", str(root / "pipeline.toml")]) == 0
        return root / "k8s/platform/admission/policy-controller/clusterimagepolicy.yaml"

    def says(self, policy: Path, image: str) -> str:
        """Return why an image is refused; nothing where it is admitted."""
        command: list[str | Path] = [TESTER, "-policy", policy, "-image", image, "-log-level", "error"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in {0, 1}, done.stderr
        if done.returncode == 0:
            return ""
        return "\n".join(json.loads(done.stdout.splitlines()[-1])["errors"])


@pytest.fixture(scope="module")
def judge(
    releases: Releases, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Judge:
    """Give the tester."""
    assert TESTER.exists(), "policy-controller's tester is missing: run `make .venv-judges/ok`"
    directory = tmp_path_factory.mktemp("controllers")
    project = releases.project
    root = trust_repository.publish(directory / "repository", project.authority.trusted_root())
    cosign = store.get(locked["cosign"])
    environment = trust_repository.trusted_by(cosign, directory / "repository", root, directory / "home")
    return Judge(environment, project.registry.host, directory)


@pytest.fixture(scope="module")
def policy(judge: Judge) -> Path:
    """Give the policy that the command makes for what was released."""
    return judge.policy()


def test_an_image_with_everything_by_the_signer_is_admitted(judge: Judge, policy: Path, releases: Releases) -> None:
    assert judge.says(policy, releases.reference(releases.a)) == ""
    assert judge.says(policy, releases.reference(releases.b)) == ""


def test_an_image_by_another_signer_is_refused(judge: Judge, policy: Path, releases: Releases) -> None:
    said = judge.says(policy, releases.reference(releases.other))
    assert f'{IDENTITY}", got "{OTHER}"' in said


@pytest.mark.parametrize(
    ("ref", "admitted"), [("main", True), ("ma*", True), ("mai*", True), ("main*", False), ("v*", False)]
)
def test_a_star_in_a_ref_stands_for_the_rest_of_it_as_it_does_to_verify(
    ref: str, admitted: bool, judge: Judge, releases: Releases
) -> None:
    policy = judge.policy(WORKFLOW % ref)
    assert admitted == (judge.says(policy, releases.reference(releases.a)) == "")


def test_an_image_without_evidence_is_refused(judge: Judge, policy: Path, releases: Releases) -> None:
    empty = b'{"schemaVersion": 2, "mediaType": "%s", "manifests": []}' % INDEX.encode()
    releases.project.registry.put(f"{REPOSITORY}/manifests/{Digest.of(empty)}", empty, INDEX)
    assert "no " in judge.says(policy, releases.reference(str(Digest.of(empty))))


def test_an_image_that_lacks_one_kind_is_refused(judge: Judge, releases: Releases) -> None:
    policy = judge.policy(require='rebuild = "image"\n')
    assert "with type https://supply-chain-pipeline.example/rebuild/v1" in judge.says(
        policy, releases.reference(releases.a)
    )


@pytest.mark.parametrize(("ours", "theirs"), [("127.0.0.1", "localhost"), (REPOSITORY, "acme/others")])
def test_an_image_of_another_host_or_repository_is_covered_by_no_policy(
    ours: str, theirs: str, judge: Judge, policy: Path, releases: Releases
) -> None:
    other = releases.reference(releases.a).replace(ours, theirs)
    assert "is uncovered by policy" in judge.says(policy, other)


@pytest.fixture(scope="module", params=DEFINITIONS)
def others(request: pytest.FixtureRequest, running: Running, kustomize: Path) -> Iterator[tuple[Kubectl, list[Any]]]:
    """Give a server that knows a kind of others, and the policy of that kind as it is shipped."""
    file, name = DEFINITIONS[request.param]
    kubectl = running.kubectl.within("")
    definition = yaml.safe_load((JUDGES / file).read_text())
    definition["spec"]["conversion"] = {"strategy": "None"}  # the controller that would convert is not there
    apply(kubectl, [definition], manager="administrator")
    assert soon(lambda: kubectl("get", name.partition(".")[0], code=None).code == 0, within=60)
    yield kubectl, build(kustomize, K8S / "platform" / "admission" / request.param)
    kubectl("delete", "customresourcedefinition", name)


def test_a_policy_for_others_fits_the_definition_of_their_release(others: tuple[Kubectl, list[Any]]) -> None:
    """A field more, or one of another type, does not."""
    kubectl, shipped = others
    assert len(apply(kubectl, shipped, "--dry-run=server")) == len(shipped)
    strange = deepcopy(shipped)
    strange[0]["spec"]["failurePolicies"] = "Fail"
    assert "failurePolicies" in "".join(apply(kubectl, strange, "--dry-run=server", code=1))
    wrong = deepcopy(shipped)
    wrong[0]["spec"] = dict.fromkeys(wrong[0]["spec"], 1)
    assert "expected list, got &{1}" in "".join(apply(kubectl, wrong, "--dry-run=server", code=1))
