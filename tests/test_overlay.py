"""What Terraform has made is written into the manifests by a command, and what it cannot have made is refused."""

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipseal.cli import main
from shipseal.project.config import HOME

OUTPUTS: dict[str, Any] = {
    "namespace": "simpletimeservice",
    "service_account": "simpletimeservice",
    "role_arn": "arn:aws:iam::123456789012:role/simpletimeservice-recovery-application",
    "node_networks": ["10.9.11.0/24", "10.9.12.0/24", "10.9.13.0/24"],
    "deploy_group": "others",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of this project's configuration and manifests."""
    shutil.copytree(HOME / "k8s", tmp_path / "project" / "k8s")
    shutil.copy(HOME / "pipeline.toml", tmp_path / "project")
    return tmp_path / "project"


def write(project: Path, outputs: Any, *, into: str = "k8s/overlays/recovery") -> int:
    file = project.parent / "outputs.json"
    file.write_text(outputs if isinstance(outputs, str) else json.dumps(outputs))
    return main(["overlay", str(project / into), str(file), "--config", str(project / "pipeline.toml")])


def body(project: Path, name: str) -> Any:
    return yaml.safe_load((project / "k8s" / name).read_text())


def test_networks_role_and_group_are_those_that_terraform_names(project: Path) -> None:
    assert write(project, OUTPUTS) == 0
    policy, account = (body(project, f"overlays/recovery/{each}.yaml") for each in ("networkpolicy", "serviceaccount"))
    [rule] = policy["spec"]["ingress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["from"]] == OUTPUTS["node_networks"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": OUTPUTS["role_arn"]}
    for name in ("rolebinding", "rolebinding-kube-system"):
        assert [each["name"] for each in body(project, f"platform/{name}.yaml")["subjects"]] == ["others"]


def test_a_binding_names_the_role_that_the_platform_has_in_its_namespace(project: Path) -> None:
    write(project, OUTPUTS)
    for suffix in ("", "-kube-system"):
        role, binding = (body(project, f"platform/{kind}{suffix}.yaml") for kind in ("role", "rolebinding"))
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["metadata"]["namespace"] == role["metadata"]["namespace"]


def test_a_pod_that_gets_its_role_by_pod_identity_has_no_annotation(project: Path) -> None:
    write(project, {**OUTPUTS, "role_arn": None})
    assert "annotations" not in body(project, "overlays/recovery/serviceaccount.yaml")["metadata"]


def test_a_second_time_changes_nothing_and_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, OUTPUTS)
    before = capsys.readouterr().out
    write(project, OUTPUTS)
    assert before.replace("written", "unchanged") == capsys.readouterr().out
    assert before.splitlines() == [
        "written  k8s/overlays/recovery/networkpolicy.yaml",
        "written  k8s/overlays/recovery/serviceaccount.yaml",
        "written  k8s/platform/rolebinding.yaml",
        "written  k8s/platform/rolebinding-kube-system.yaml",
    ]


def test_the_output_is_taken_from_a_pipe_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(OUTPUTS).encode())))
    config = str(project / "pipeline.toml")
    assert main(["overlay", str(project / "k8s/overlays/recovery"), "--config", config]) == 0
    assert "10.9.13.0/24" in (project / "k8s/overlays/recovery/networkpolicy.yaml").read_text()


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ("", "not valid JSON"),
        ("[" * 9999, "not valid JSON"),
        ("[]", "the output: "),
        (" " * (70 << 10), "larger than 64 KiB"),
        ({**OUTPUTS, "node_networks": []}, "node_networks: "),
        ({**OUTPUTS, "node_networks": ["0.0.0.0/0 "]}, "node_networks.0: "),
        ({**OUTPUTS, "node_networks": ["10.0.0.1/24"]}, "node_networks.0: "),
        ({**OUTPUTS, "role_arn": "simpletimeservice"}, "role_arn: "),
        ({**OUTPUTS, "deploy_group": "a\nb"}, "deploy_group: "),
        ({**OUTPUTS, "namespace": "../up"}, "namespace: "),
        ({**OUTPUTS, "more": 1}, "more: "),
        ({key: value for key, value in OUTPUTS.items() if key != "role_arn"}, "role_arn: "),
    ],
)
def test_what_is_no_output_of_terraform_is_refused_and_nothing_is_written(
    project: Path, outputs: Any, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*.yaml")}
    assert write(project, outputs) == 2
    assert expected in (told := capsys.readouterr().err)
    assert "terraform output -json overlay" in told
    assert {path: path.read_bytes() for path in project.rglob("*.yaml")} == before


@pytest.mark.parametrize("into", ["k8s/overlays/gone", "..", "k8s/base/deployment.yaml"])
def test_a_place_that_is_no_directory_of_the_project_is_refused(
    project: Path, into: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write(project, OUTPUTS, into=into) == 2
    assert "is not a directory of this project" in capsys.readouterr().err


def test_a_link_is_replaced_and_what_it_names_is_not_written_to(project: Path) -> None:
    (project.parent / "other").write_text("kept")
    path = project / "k8s/overlays/recovery/networkpolicy.yaml"
    path.unlink()
    path.symlink_to(project.parent / "other")
    assert write(project, OUTPUTS) == 0
    assert not path.is_symlink()
    assert (project.parent / "other").read_text() == "kept"


def test_what_cannot_be_read_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, config = str(project / "k8s/overlays/recovery"), str(project / "pipeline.toml")
    assert main(["overlay", place, str(project / "gone.json"), "--config", config]) == 2
    assert "gone.json cannot be read" in capsys.readouterr().err
