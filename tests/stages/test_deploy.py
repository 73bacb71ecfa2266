"""The deploy stage renders with the real kustomize, names the verified digest, and in a dry run ends there."""

import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import pytest
import yaml

from shipseal.digest import Digest
from shipseal.engine.stage import Context, Stage
from shipseal.engine.world import choose
from shipseal.errors import ConfigError, ShipsealError, SubjectFailed, VerificationFailed
from shipseal.project.config import HOME, Config
from shipseal.stages.deploy import deploy
from tests import documents
from tests.conftest import MakeRun, commit

BUILT = Digest.of(b"the image that was built")
REFERENCE = f"docker.io/example/greetings@{BUILT}"
SAMPLE = HOME / "tests" / "samples" / "greetings"
Deployed = Callable[..., Path]
Refused = Callable[[type[ShipsealError]], ShipsealError]
ROW = Stage("deploy", deploy, needs=("image", "verify"), tools=("kustomize",))


async def image(context: Context) -> str:
    documents.image(REFERENCE, {"linux/amd64": BUILT}).write(context)
    return "built"


async def verify(context: Context) -> str:
    documents.verification(REFERENCE).write(context)
    return "verified"


async def verify_another(context: Context) -> str:
    documents.verification(f"registry.example/acme/sample@{Digest.of(b'another image')}").write(context)
    return "verified"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of somebody else's, with manifests of its own."""
    shutil.copytree(SAMPLE, tmp_path / "project")
    return tmp_path / "project"


def change(project: Path, name: str, edit: Callable[[Any], object]) -> None:
    path = project / "deploy" / name
    body = yaml.safe_load(path.read_text())
    edit(body)
    path.write_text(yaml.safe_dump(body))


@pytest.fixture
def deployed(project: Path, make_run: MakeRun) -> Deployed:
    """Give a function that runs the stage after the two that it needs, and returns its directory."""

    def perform(root: Path = project, *, world: str = "dry-run", verified: Callable[..., Any] = verify) -> Path:
        config = Config.load(root / "pipeline.toml")
        run = replace(make_run(world), directory=root / ".run", config=config, world=choose(world, config))

        async def every() -> None:
            for stage in (Stage("image", image), Stage("verify", verified), ROW):
                await run.perform(stage)

        anyio.run(every)
        return run.directory / "deploy"

    return perform


@pytest.fixture
def refused(project: Path, deployed: Deployed) -> Refused:
    """Give a function that runs the stage to its refusal, and returns that."""

    def perform(kind: type[ShipsealError]) -> ShipsealError:
        with pytest.raises(kind) as failure:
            deployed()
        assert not (project / ".run" / "deploy").exists()
        assert failure.value.stage == "deploy"
        return failure.value

    return perform


def receipt(directory: Path) -> Any:
    return json.loads((directory / "receipt.json").read_bytes())


def test_the_verified_image_is_named_by_digest_and_by_nothing_else(deployed: Deployed) -> None:
    rendered = list(yaml.safe_load_all((deployed() / "rendered.yaml").read_bytes()))
    [container] = next(each for each in rendered if each["kind"] == "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"] == REFERENCE


def test_the_receipt_and_the_headline_say_checked_and_not_applied(deployed: Deployed) -> None:
    directory = deployed()
    assert receipt(directory)["state"] == "checked, not applied"
    assert json.loads((directory / "record.json").read_bytes())["headline"].endswith("checked, not applied")


def test_the_receipt_names_what_was_checked(deployed: Deployed) -> None:
    directory = deployed()
    found = receipt(directory)
    assert found["reference"] == REFERENCE
    assert found["kubernetes"] == "1.35"
    assert found["manifests"] == "deploy"
    assert found["objects"] == ["ServiceAccount greetings/greetings", "Deployment greetings/greetings"]
    assert found["rendered"] == str(Digest.of_file(directory / "rendered.yaml"))


def test_the_same_project_renders_to_the_same_bytes_elsewhere(
    project: Path, deployed: Deployed, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "another" / "place"
    shutil.copytree(project, elsewhere)
    assert receipt(deployed()) == receipt(deployed(elsewhere))


def test_a_field_that_kubernetes_does_not_know_is_refused_with_its_name(project: Path, refused: Refused) -> None:
    change(project, "deployment.yaml", lambda d: d["spec"].update(replica=2))
    failure = refused(SubjectFailed)
    assert any("'replica' was unexpected" in why for why in failure.why)


def test_a_value_of_the_wrong_type_is_refused_with_its_place(project: Path, refused: Refused) -> None:
    change(project, "deployment.yaml", lambda d: d["spec"].update(replicas="two"))
    failure = refused(SubjectFailed)
    assert any(why.startswith("Deployment greetings/greetings: spec.replicas:") for why in failure.why)


def test_a_kind_that_kubernetes_does_not_have_is_refused(project: Path, refused: Refused) -> None:
    change(project, "serviceaccount.yaml", lambda n: n.update(apiVersion="example.invalid/v1", kind="Gadget"))
    failure = refused(SubjectFailed)
    assert any("Kubernetes 1.35 has no example.invalid/v1 of this kind" in why for why in failure.why)


def test_a_pod_that_may_run_as_root_is_refused(project: Path, refused: Refused) -> None:
    change(project, "deployment.yaml", lambda d: d["spec"]["template"]["spec"].pop("securityContext"))
    assert any("runAsNonRoot is not true" in why for why in refused(SubjectFailed).why)


def test_a_sidecar_by_tag_is_refused(project: Path, refused: Refused) -> None:
    def add_sidecar(deployment: Any) -> None:
        containers = deployment["spec"]["template"]["spec"]["containers"]
        containers.append({**containers[0], "name": "proxy", "image": "docker.io/library/envoy:latest"})

    change(project, "deployment.yaml", add_sidecar)
    assert any(
        "container proxy: image 'docker.io/library/envoy:latest' is not by digest" in why
        for why in refused(SubjectFailed).why
    )


def test_a_container_name_that_is_not_there_is_the_configurations_fault(project: Path, refused: Refused) -> None:
    change(project, "deployment.yaml", lambda d: d["spec"]["template"]["spec"]["containers"][0].update(name="other"))
    assert "'web'" in refused(ConfigError).what


def test_a_base_in_another_repository_is_refused_even_where_git_could_fetch_it(
    project: Path, refused: Refused, tmp_path: Path
) -> None:
    shutil.copytree(project / "deploy", tmp_path / "base")
    commit(tmp_path / "base")
    change(project, "kustomization.yaml", lambda k: k.update(resources=[f"file://{tmp_path}/base?ref=main"]))
    assert "does not render" in refused(SubjectFailed).what


@pytest.mark.parametrize("host", ["127.0.0.1", socket.gethostname()])
def test_a_base_by_address_is_refused_even_where_it_answers(
    project: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=project / "deploy")
    with ThreadingHTTPServer(("0.0.0.0", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("no_proxy", host)
        address = f"http://{host}:{server.server_port}/serviceaccount.yaml"
        change(project, "kustomization.yaml", lambda k: k.update(resources=[address, "deployment.yaml"]))
        failure = refused(SubjectFailed)
        server.shutdown()
    assert failure.why == (
        f"deploy/kustomization.yaml: line 5: resources: '{address}' is an address, and only files of "
        "the project are rendered",
    )


def test_a_base_outside_of_what_the_stage_reads_is_refused(project: Path, refused: Refused) -> None:
    (project / "deploy" / "serviceaccount.yaml").rename(project / "rules" / "serviceaccount.yaml")
    (project / "rules" / "kustomization.yaml").write_text("resources: [serviceaccount.yaml]\n")
    change(project, "kustomization.yaml", lambda k: k.update(resources=["../rules", "deployment.yaml"]))
    assert any("'../rules' leads out of deploy/" in why for why in refused(SubjectFailed).why)


def test_manifests_may_lie_beside_the_configuration_itself(project: Path, deployed: Deployed) -> None:
    for path in (project / "deploy").iterdir():
        path.rename(project / path.name)
    path = project / "pipeline.toml"
    path.write_text(path.read_text().replace('manifests = "deploy"', 'manifests = "."'))
    assert len(receipt(deployed())["objects"]) == 2


SHAPES = {
    "a null entry": ("spec.template.spec.initContainers.0: None is not of type 'object'", "initContainers: [null]"),
    "a null container": ("spec.template.spec.containers.0: None is not of type 'object'", "containers: [null]"),
    "no list": ("spec.template.spec.tolerations: 'all' is not of type 'array'", "tolerations: all"),
    "no mapping": ("spec.template.spec.securityContext: [] is not of type 'object'", "securityContext: []"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_that_kubernetes_does_not_take_is_refused_in_the_words_of_its_schema(
    project: Path, refused: Refused, shape: str
) -> None:
    expected, text = SHAPES[shape]
    # Without a namespace to set, kustomize hands an object on as it stands.
    change(project, "kustomization.yaml", lambda k: k.pop("namespace"))
    change(project, "deployment.yaml", lambda d: d["metadata"].update(namespace="a"))
    change(project, "deployment.yaml", lambda d: d["spec"]["template"]["spec"].update(yaml.safe_load(text)))
    assert any(why.startswith(f"Deployment a/greetings: {expected}") for why in refused(SubjectFailed).why)


def test_a_service_whose_spec_is_null_is_refused_in_the_words_of_its_schema(project: Path, refused: Refused) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "a"}, "spec": None}
    (project / "deploy" / "service.yaml").write_text(yaml.safe_dump(service))
    change(project, "kustomization.yaml", lambda k: (k.pop("namespace"), k["resources"].append("service.yaml")))
    assert "Service a/a: spec: None is not of type 'object'" in refused(SubjectFailed).why


def test_a_privileged_pod_is_found_in_whatever_kind_makes_it(project: Path, refused: Refused) -> None:
    pod = {
        "hostNetwork": True,
        "containers": [{"name": "other", "image": "a:latest", "securityContext": {"privileged": True}}],
    }
    template = {"metadata": {"labels": {"app": "a"}}, "spec": pod}
    controller = {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "a"},
        "spec": {"template": template},
    }
    (project / "deploy" / "more.yaml").write_text(yaml.safe_dump(controller))
    change(project, "kustomization.yaml", lambda k: k["resources"].append("more.yaml"))
    why = refused(SubjectFailed).why
    assert "ReplicationController greetings/a: container other: privileged is true" in why
    assert "ReplicationController greetings/a: hostNetwork gives the pod the node's own" in why
    assert "ReplicationController greetings/a: container other: image 'a:latest' is not by digest" in why


def test_a_namespace_is_the_administrators_to_make(project: Path, refused: Refused) -> None:
    (project / "deploy" / "more.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: greetings}\n")
    change(project, "kustomization.yaml", lambda k: k["resources"].append("more.yaml"))
    assert refused(SubjectFailed).why == (
        "Namespace greetings: v1 Namespace is not a kind that a deploy may bring: an "
        "administrator applies it, or nobody",
    )


def test_an_object_of_the_clusters_own_namespace_is_refused(project: Path, refused: Refused) -> None:
    (project / "deploy" / "more.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: coredns, namespace: kube-system}\ndata: {}\n"
    )
    change(project, "kustomization.yaml", lambda k: (k.pop("namespace"), k["resources"].append("more.yaml")))
    for name in ("serviceaccount.yaml", "deployment.yaml"):
        change(project, name, lambda each: each["metadata"].update(namespace="greetings"))
    assert refused(SubjectFailed).why == (
        "ConfigMap kube-system/coredns: namespaces that begin with kube- are the cluster's own",
        "ConfigMap kube-system/coredns: it is in namespace kube-system, and others are in greetings: a deploy changes "
        "one namespace",
    )


def test_a_kind_that_nobody_judges_is_refused(project: Path, refused: Refused) -> None:
    (project / "deploy" / "more.yaml").write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\n"
        "kind: ClusterRoleBinding\n"
        "metadata: {name: all}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n"
        "subjects: [{kind: ServiceAccount, name: default, namespace: greetings}]\n"
    )
    change(project, "kustomization.yaml", lambda k: k["resources"].append("more.yaml"))
    assert any("ClusterRoleBinding is not a kind that a deploy may bring" in why for why in refused(SubjectFailed).why)


def test_a_directory_that_was_writable_when_the_image_was_tried_has_to_be_mounted(
    project: Path, refused: Refused, deployed: Deployed
) -> None:
    path = project / "pipeline.toml"
    path.write_text(path.read_text().replace("[smoke]\n", '[smoke]\nwritable = ["/tmp"]\n'))
    assert any(
        "/tmp is in smoke.writable, and no emptyDir is mounted there" in why for why in refused(SubjectFailed).why
    )

    def mount(deployment: Any) -> None:
        pod = deployment["spec"]["template"]["spec"]
        pod["volumes"] = [{"name": "scratch", "emptyDir": {}}]
        pod["containers"][0]["volumeMounts"] = [{"name": "scratch", "mountPath": "/tmp/"}]

    change(project, "deployment.yaml", mount)
    assert len(receipt(deployed())["objects"]) == 2


def test_a_directory_without_a_kustomization_is_refused_with_the_tools_own_words(
    project: Path, refused: Refused
) -> None:
    (project / "deploy" / "kustomization.yaml").unlink()
    assert any("kustomization" in why for why in refused(SubjectFailed).why)


def test_a_version_of_kubernetes_without_schemas_is_refused_rather_than_judged_by_another(
    project: Path, refused: Refused
) -> None:
    path = project / "pipeline.toml"
    path.write_text(path.read_text() + 'kubernetes = "1.99"\n')
    assert "there are no schemas for Kubernetes 1.99" in refused(ConfigError).what


def test_an_image_that_was_built_but_is_not_the_verified_one_is_refused(deployed: Deployed) -> None:
    with pytest.raises(VerificationFailed, match="not the one that was built"):
        deployed(verified=verify_another)


def test_a_project_without_manifests_is_told_that_nothing_was_deployed(project: Path, deployed: Deployed) -> None:
    path = project / "pipeline.toml"
    path.write_text(path.read_text().replace('manifests = "deploy"\n', ""))
    found = receipt(deployed())
    assert found == {"state": "not run", "reason": "[deploy] manifests names no directory"}


@pytest.fixture
def ours(project: Path) -> Path:
    """The project with the manifests that come with the pipeline; returns its k8s/overlays/production."""
    shutil.rmtree(project / "deploy")
    shutil.copytree(HOME / "k8s", project / "k8s")
    path = project / "pipeline.toml"
    text = path.read_text().replace('"deploy"', '"k8s/overlays/production"').replace('"web"', '"app"')
    path.write_text(text + 'platform = "k8s/platform"\n')
    return project / "k8s" / "overlays" / "production"


@pytest.mark.parametrize("environment", ["production", "development", "recovery"])
def test_the_manifests_that_come_with_the_pipeline_pass(
    project: Path, ours: Path, deployed: Deployed, environment: str
) -> None:
    path = project / "pipeline.toml"
    path.write_text(path.read_text().replace(ours.name, environment))
    assert len(receipt(deployed())["objects"]) == 7


def test_the_first_number_of_replicas_is_written_beside_what_would_be_applied(ours: Path, deployed: Deployed) -> None:
    once = yaml.safe_load((deployed() / "replicas-at-creation.yaml").read_bytes())
    assert once == yaml.safe_load((ours / "replicas-at-creation.yaml").read_bytes())


def test_a_project_without_a_first_number_of_replicas_gets_no_file_for_it(deployed: Deployed) -> None:
    assert not (deployed() / "replicas-at-creation.yaml").exists()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"replicas": 3, "paused": True}, "its spec is not a number of replicas alone"),
        ({"replicas": 11}, "11 replicas are outside 2 to 10, which HorizontalPodAutoscaler"),
    ],
)
def test_a_first_number_of_replicas_that_is_none_is_refused(
    ours: Path, refused: Refused, spec: dict[str, Any], expected: str
) -> None:
    path = ours / "replicas-at-creation.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "spec": spec}))
    assert any(expected in why for why in refused(SubjectFailed).why)


def test_a_first_number_of_replicas_from_outside_of_the_project_is_not_read(
    ours: Path, refused: Refused, tmp_path: Path
) -> None:
    (ours / "replicas-at-creation.yaml").rename(tmp_path / "replicas.yaml")
    (ours / "replicas-at-creation.yaml").symlink_to(tmp_path / "replicas.yaml")
    assert refused(SubjectFailed).why == ("it leads out of k8s/, which is all that may be read",)


def test_an_object_in_another_namespace_than_the_platforms_is_refused(
    project: Path, ours: Path, refused: Refused
) -> None:
    for path in (project / "k8s" / "platform").glob("*.yaml"):
        path.write_text(path.read_text().replace("name: simpletimeservice\n", "name: elsewhere\n", 1))
        path.write_text(path.read_text().replace("namespace: simpletimeservice\n", "namespace: elsewhere\n"))
    why = refused(SubjectFailed).why
    assert (
        "Service simpletimeservice/simpletimeservice: it is in namespace simpletimeservice, and a deploy changes "
        "elsewhere alone" in why
    )
    assert ours.is_dir()


def test_an_object_that_whoever_deploys_may_not_apply_is_refused_with_what_is_missing(
    project: Path, ours: Path, refused: Refused
) -> None:
    role = project / "k8s" / "platform" / "role.yaml"
    body = yaml.safe_load(role.read_text())
    body["rules"] = [rule for rule in body["rules"] if rule["resources"] != ["networkpolicies"]]
    role.write_text(yaml.safe_dump(body))
    assert refused(SubjectFailed).why == tuple(
        f"NetworkPolicy simpletimeservice/{name}: whoever deploys has no right to create, get, patch networkpolicies: "
        "an administrator adds it to the Role of the platform, or applies the object"
        for name in ("default", "simpletimeservice")
    )
    assert ours.is_dir()


def test_a_sidecar_by_digest_runs_when_it_is_listed_and_not_otherwise(
    project: Path, refused: Refused, deployed: Deployed
) -> None:
    sidecar = f"registry.example/proxy@{Digest.of(b'a proxy')}"

    def add_sidecar(deployment: Any) -> None:
        containers = deployment["spec"]["template"]["spec"]["containers"]
        containers.append({**containers[0], "name": "proxy", "image": sidecar, "ports": []})

    change(project, "deployment.yaml", add_sidecar)
    assert refused(SubjectFailed).why == (
        f"Deployment greetings/greetings: container proxy: image {sidecar} is neither the verified one nor in [deploy] "
        "also-images",
    )
    path = project / "pipeline.toml"
    path.write_text(path.read_text() + f'also-images = ["{sidecar}"]\n')
    assert sidecar in (deployed() / "rendered.yaml").read_text()


def test_an_image_by_tag_cannot_be_listed(project: Path) -> None:
    path = project / "pipeline.toml"
    path.write_text(path.read_text() + 'also-images = ["registry.example/proxy:latest"]\n')
    with pytest.raises(ConfigError) as failure:
        Config.load(path)
    assert any("also-images" in why and "REGISTRY/REPOSITORY@sha256" in why for why in failure.value.why)


def test_aliases_that_would_fill_the_memory_of_kustomize_are_refused_before_it_starts(
    project: Path, refused: Refused
) -> None:
    lines = ["x0: &x0 [a, a, a, a, a, a, a, a, a, a]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 9)]
    with (project / "deploy" / "serviceaccount.yaml").open("a") as file:
        file.write("\n".join(lines) + "\n")
    [why] = refused(SubjectFailed).why
    assert why.startswith("deploy/serviceaccount.yaml: line 11: its aliases become more than 1 MiB")


def test_a_key_that_comes_twice_is_refused(project: Path, refused: Refused) -> None:
    with (project / "deploy" / "serviceaccount.yaml").open("a") as file:
        file.write("automountServiceAccountToken: true\n")
    assert any("already defined" in why for why in refused(SubjectFailed).why)
