"""Rendered manifests are read whole, get their image by digest, and are written so that every reader agrees."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shipseal.deploying.manifests import Manifest, dump, image_of, parse, set_image
from shipseal.digest import Digest, Reference
from shipseal.errors import ConfigError, SubjectFailed

REFERENCE = Reference("docker.io", "example/app", Digest.of(b"image"))

RENDERED = b"""
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: shop}
spec:
  template:
    spec:
      initContainers: [{name: first, image: other}]
      containers: [{name: app, image: set-by-deploy.invalid/app}]
"""


def images(manifests: tuple[Manifest, ...]) -> list[str]:
    return [container["image"] for manifest in manifests for container in manifest.containers()]


def test_each_document_becomes_a_manifest_with_a_title_that_names_it() -> None:
    assert [manifest.title for manifest in parse(RENDERED)] == ["Namespace shop", "Deployment shop/app"]


@pytest.mark.parametrize(
    ("rendered", "message"),
    [
        (b"", "hold no object"),
        (b"---\n---\n", "hold no object"),
        (b"a: [", "not valid YAML"),
        (b"just text", "not a Kubernetes object"),
        (b"kind: Pod\napiVersion: v1\n", "not a Kubernetes object"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: ''}\n", "not a Kubernetes object"),
        (RENDERED + b"---" + RENDERED, "the same object is rendered twice"),
        (b"kind: [Pod]\napiVersion: v1\nmetadata: {name: a}\n", "not a Kubernetes object"),
        (b"kind: ../pod\napiVersion: v1\nmetadata: {name: a}\n", "not a Kubernetes object"),
        (b"kind: Pod\napiVersion: ../v1\nmetadata: {name: a}\n", "not a Kubernetes object"),
        (b"kind: Pod\napiVersion: v1\nmetadata: null\n", "not a Kubernetes object"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: 1}\n", "not a Kubernetes object"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: a, namespace: 'b\\n'}\n", "not a Kubernetes object"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: a, labels: {1: b}}\n", "not a Kubernetes object"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: a}\nx: " + b"[" * 99 + b"]" * 99, "not a Kubernetes object"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: a}\nx: " + b"[" * 9999 + b"]" * 9999, "not valid YAML"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: a}\nx: " + b"9" * 9999, "not valid YAML"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: a}\nkind: Job\n", "not valid YAML"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: a, name: b}\n", "not valid YAML"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {name: a}\nx: &x []\ny: *x\n", "not valid YAML"),
    ],
)
def test_text_that_is_not_a_set_of_objects_is_refused_as_the_projects_fault(rendered: bytes, message: str) -> None:
    with pytest.raises(SubjectFailed, match=message):
        parse(rendered)


def test_only_the_named_container_gets_the_image() -> None:
    assert ["other", str(REFERENCE)] == images(set_image(parse(RENDERED), "app", REFERENCE))


def test_setting_the_image_leaves_the_manifests_it_was_given_alone() -> None:
    manifests = parse(RENDERED)
    set_image(manifests, "app", REFERENCE)
    assert images(manifests) == ["other", "set-by-deploy.invalid/app"]


def test_a_container_name_that_no_pod_has_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match="no containers are called 'web'") as failure:
        set_image(parse(RENDERED), "web", REFERENCE)
    assert failure.value.why == ("there are: app, first",)


def test_a_container_name_that_two_pods_have_is_refused_with_both() -> None:
    twin = Manifest({**parse(RENDERED)[1].body, "metadata": {"name": "twin", "namespace": "shop"}})
    with pytest.raises(ConfigError, match="2 containers") as failure:
        set_image((*parse(RENDERED), twin), "app", REFERENCE)
    assert failure.value.why == ("Deployment shop/app", "Deployment shop/twin")


@pytest.mark.parametrize(
    "image", ["", "app", "docker.io/example/app:latest", "docker.io/example/app:1.0", "app@sha256:12"]
)
def test_an_image_by_tag_or_by_nothing_is_no_reference(image: str) -> None:
    assert image_of({"name": "app", "image": image}) is None


def test_an_image_by_digest_is_read_back_as_the_reference_it_was_set_to() -> None:
    assert image_of({"name": "app", "image": str(REFERENCE)}) == REFERENCE


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "12345e6", "1_000", "yes", "on", "null", "~", "1.35", "2026-01-01", "y"]
)
def test_text_that_some_reader_takes_for_a_number_a_date_or_a_truth_is_quoted(text: str) -> None:
    assert f'"{text}"' in dump([Manifest({"value": text})]).decode().replace("'", '"')


@pytest.mark.parametrize("text", ["=", "<<", "12:30", "2026-01-01", "2026-99-99", "0b_", "1_000", "on", "no", "017"])
def test_text_that_go_leaves_bare_is_read_as_text(text: str) -> None:
    [manifest] = parse(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{key: {text}}}\n".encode())
    assert manifest.body["data"] == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("False", False), ("~", None), ("-7", -7), ("1.5", 1.5), ("1e+23", 1e23)]
)
def test_what_is_no_text_to_go_is_none_here(text: str, value: object) -> None:
    [manifest] = parse(f"apiVersion: v1\nkind: Thing\nmetadata: {{name: a}}\nspec: {{key: {text}}}\n".encode())
    assert manifest.body["spec"] == {"key": value}


def test_a_namespace_that_is_null_is_none() -> None:
    [manifest] = parse(b"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: null}\n")
    assert manifest.title == "Pod a"


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_what_is_written_reads_back_as_what_it_was(value: object) -> None:
    assert [{"value": value}] == list(yaml.safe_load_all(dump([Manifest({"value": value})])))


def test_an_object_used_twice_is_written_twice_and_never_as_an_alias() -> None:
    shared = {"app": "shop"}
    assert b"*" not in dump([Manifest({"labels": shared, "selector": shared})])
