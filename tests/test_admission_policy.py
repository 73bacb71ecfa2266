"""What a cluster enforces is made of pipeline.toml, manifests and verification.toml, and says what it leaves out."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipseal.cli import main
from shipseal.project.config import HOME
from shipseal.statements.builders import PredicateType

ADMISSION = Path("k8s", "platform", "admission")
SIGSTORE, KYVERNO = "policy-controller/clusterimagepolicy.yaml", "kyverno/imagevalidatingpolicy.yaml"
ISSUER, BY = "https://token.actions.githubusercontent.com", "https://github.com/acme/app"
EXACT = f'identity = "{BY}/.github/workflows/release.yml@refs/heads/main"'
WORKFLOW = f'repository = "{BY}"\nworkflow = ".github/workflows/release.yml"\nref = ["refs/heads/main", "refs/tags/v*"]'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a copy of this project's configuration, manifests and policy."""
    root = tmp_path / "project"
    for name in ("k8s", "policy"):
        shutil.copytree(HOME / name, root / name)
    shutil.copy(HOME / "pipeline.toml", root)
    return root


def run(project: Path, *words: str) -> int:
    return main(["admission-policy", "--config", str(project / "pipeline.toml"), *words])


def change(project: Path, name: str, before: str, after: str) -> None:
    text = (project / name).read_text()
    assert before in text
    (project / name).write_text(text.replace(before, after))


def signed_by(project: Path, *signers: str, settings: str = 'trust-root = "public"\nslsa-build-level = 1') -> None:
    """Have the policy name other signers."""
    file = project / "policy" / "verification.toml"
    require = file.read_text().partition("# A release:")[0]
    listed = "".join(f'\n[[policies.production.signers]]\nissuer = "{ISSUER}"\n{each}\n' for each in signers)
    file.write_text(f"{require}[policies.production]\n{settings}\n{listed}")


def body(project: Path, name: str) -> Any:
    return list(yaml.safe_load_all((project / ADMISSION / name).read_text()))


def written(project: Path) -> dict[str, bytes]:
    files = (project / ADMISSION).rglob("*.yaml")
    return {str(each.relative_to(project / ADMISSION)): each.read_bytes() for each in files}


def test_the_committed_files_are_what_the_command_makes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(project / ADMISSION)
    assert run(project) == 0
    assert written(HOME) == written(project)
    assert run(project) == 0
    assert f"unchanged  {ADMISSION}/{SIGSTORE}" in capsys.readouterr().out


def test_ports_account_and_further_images_are_those_of_the_manifests_and_of_the_configuration(project: Path) -> None:
    other = f"registry.example:5000/others/proxy@sha256:{'a' * 64}"
    change(project, "pipeline.toml", 'container = "app"\n', f'container = "app"\nalso-images = ["{other}"]\n')
    change(project, "k8s/base/deployment.yaml", "containerPort: 9090", "containerPort: 9191")
    change(project, "k8s/base/deployment.yaml", "serviceAccountName: simple", "serviceAccountName: other-simple")
    change(project, "k8s/base/service.yaml", "nodePort: 30080", "nodePort: 31234")
    assert run(project) == 0
    pods, services = (body(project, f"{name}.yaml")[0]["spec"] for name in ("pods", "services"))
    variables = {each["name"]: each["expression"] for each in pods["variables"]}
    assert "[8080, 9191]" in variables["listening"]
    assert f'c.image in ["{other}"] || ' in variables["strange"]
    assert pods["validations"][3]["message"] == "pods run as other-simpletimeservice"
    assert services["validations"][0]["message"] == "Services open 31234 on the nodes"
    known = body(project, SIGSTORE)[-1]["spec"]
    assert ([{"glob": other}], {"action": "pass"}) == (known["images"], known["authorities"][0]["static"])


@pytest.mark.parametrize(
    ("repository", "sigstore"),
    [
        ("docker.io/acme/app", "index.docker.io/acme/app@sha256:*"),
        ("registry.example:5000/acme/app", "registry.example:5000/acme/app@sha256:*"),
    ],
)
def test_each_controller_is_told_the_repository_as_it_spells_it(project: Path, repository: str, sigstore: str) -> None:
    change(project, "pipeline.toml", "docker.io/example/simpletimeservice", repository)
    assert run(project) == 0
    assert body(project, SIGSTORE)[0]["spec"]["images"] == [{"glob": sigstore}]
    assert body(project, KYVERNO)[0]["spec"]["matchImageReferences"] == [{"glob": f"{repository}@sha256:*"}]
    assert f"images come from {repository} alone" in body(project, "pods.yaml")[0]["spec"]["validations"][0]["message"]


def test_a_workflow_on_several_refs_is_a_name_for_each_and_a_pattern_only_for_the_star(project: Path) -> None:
    signed_by(project, WORKFLOW)
    assert run(project) == 0
    name = f"{BY}/.github/workflows/release.yml@refs"
    pattern = r"^https://github\.com/acme/app/\.github/workflows/release\.yml@refs/tags/v[^/]+$"
    expected = [
        {"issuer": ISSUER, "subject": f"{name}/heads/main"},
        {"issuer": ISSUER, "subjectRegExp": pattern},
    ]
    assert expected == body(project, SIGSTORE)[0]["spec"]["authorities"][0]["keyless"]["identities"]
    assert expected == body(project, KYVERNO)[0]["spec"]["attestors"][0]["cosign"]["keyless"]["identities"]


def test_kinds_that_others_may_sign_are_asked_of_those_and_all_have_to_be_there(project: Path) -> None:
    scanner = f'identity = "{BY}/.github/workflows/scan.yml@refs/heads/main"\nstatements = ["vulns", "openvex"]'
    builder = (
        f'{EXACT}\nstatements = ["signature", "provenance", "cyclonedx", "spdx", "test-result", "verdict", "openvex"]'
    )
    signed_by(project, builder, scanner)
    assert run(project) == 0
    asked = {
        tuple(each["name"] for each in authority["attestations"]): len(authority["keyless"]["identities"])
        for policy in body(project, SIGSTORE)
        for authority in policy["spec"]["authorities"]
    }
    alone = ("cyclonedx", "provenance", "signature", "spdx", "test-result", "verdict")
    assert asked == {alone: 1, ("openvex",): 2, ("vulns",): 1}
    kyverno = body(project, KYVERNO)[0]["spec"]
    assert {each["intoto"]["type"] for each in kyverno["attestations"]} <= set(map(str, PredicateType))
    [vulns] = [each["expression"] for each in kyverno["validations"] if "attestations.vulns," in each["expression"]]
    [attestor] = [each for each in kyverno["attestors"] if f"[attestors.{each['name']}]" in vulns]
    assert attestor["cosign"]["keyless"]["identities"][0]["subject"].endswith("scan.yml@refs/heads/main")


@pytest.mark.parametrize(
    ("signer", "settings", "why"),
    [
        (f'{WORKFLOW}\nbuilder = "https://github.com/t/p/.github/workflows/b.yml@{"a" * 40}"', "", "the caller is not"),
        (
            EXACT,
            'repository = "docker.io/Example/simpletimeservice"',
            "is not a valid repository: letters in lower case",
        ),
        (EXACT, 'repository = "docker.io/example/other"', "another case, host or port is another repository"),
        (EXACT, 'repository = "registry.example:5000/example/simpletimeservice"', "another case, host or port"),
        (f'{EXACT}\nstatements = ["vulns"]', "", "provenance is required, and nobody may sign it"),
    ],
)
def test_what_a_controller_would_let_in_and_verify_refuses_is_refused(
    project: Path, signer: str, settings: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_by(project, signer, settings=f'trust-root = "public"\nslsa-build-level = 1\n{settings}')
    before = written(project)
    assert run(project) == 2
    assert why in capsys.readouterr().err
    assert before == written(project)


@pytest.mark.parametrize("repository", ["docker.io/Example/app", "docker.io:99999/example/app", "example/app"])
def test_a_repository_of_another_case_or_with_an_impossible_port_is_told(
    project: Path, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(project, "pipeline.toml", "docker.io/example/simpletimeservice", repository)
    assert run(project) == 2
    assert "image.repository" in capsys.readouterr().err


def test_what_is_left_to_verify_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signed_by(project, f'{WORKFLOW}\nrunner = "github-hosted"\nenvironment = "release"')
    assert run(project, "--for", "kyverno") == 0
    said = capsys.readouterr().out
    for each in (
        "a revocation",
        "its own cyclonedx, spdx, vulns",
        "runner was github-hosted",
        "environment was release",
    ):
        assert each in said


def test_a_trust_root_of_ones_own_is_kyvernos_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signed_by(project, EXACT, settings='trust-root = "file"\ntrust-root-file = "own.json"\nslsa-build-level = 1')
    (project / "policy" / "own.json").write_text('{"tlogs": []}')
    assert run(project) == 2
    assert "no trust root but the public Sigstore's" in capsys.readouterr().err
    assert run(project, "--for", "kyverno", "--for", "cluster") == 0
    assert body(project, KYVERNO)[0]["spec"]["attestors"][0]["cosign"]["trustedRoot"] == {"value": '{"tlogs": []}'}


@pytest.mark.parametrize(
    ("file", "before", "after", "why"),
    [
        ("service.yaml", "      nodePort: 30080\n", "", "Service simpletimeservice/simpletimeservice: a port names no"),
        ("deployment.yaml", "      serviceAccountName: simpletimeservice\n", "", "a pod names no serviceAccountName"),
    ],
)
def test_what_manifests_leave_to_the_cluster_is_told(
    project: Path, file: str, before: str, after: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(project, f"k8s/base/{file}", before, after)
    assert run(project) == 7
    assert why in capsys.readouterr().err
