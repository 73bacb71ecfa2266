"""A kustomization is read before kustomize reads it: what would be fetched or started is refused with line and key."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from shipseal.deploying.bases import require_own
from shipseal.deploying.kustomization import NAMES, PathReference, cut_off, read
from shipseal.digest import Digest
from shipseal.errors import SubjectFailed
from shipseal.locked.store import Store

OBJECT = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"


def test_every_path_is_found_with_its_line_and_its_key() -> None:
    text = b"""\
resources:
  - one.yaml
  - ../base
components: [../part]
patches:
  - path: patch.yaml
    target: {kind: Deployment}
  - patch: '[]'
patchesStrategicMerge:
  - merge.yaml
  - '{apiVersion: v1, kind: Namespace, metadata: {name: shop}}'
openapi: {path: schema.json}
replacements: [{path: replace.yaml}]
configMapGenerator:
  - name: settings
    files: [plain.txt, key=named.txt]
    envs:
      - some.env
    literals: ["a=https://example.invalid/"]
"""
    found = read(text)
    assert found.refused == ()
    assert found.named == (
        PathReference("one.yaml", 2, "resources"),
        PathReference("../base", 3, "resources"),
        PathReference("../part", 4, "components"),
        PathReference("patch.yaml", 6, "patches.path"),
        PathReference("merge.yaml", 10, "patchesStrategicMerge"),
        PathReference("schema.json", 12, "openapi.path"),
        PathReference("replace.yaml", 13, "replacements.path"),
        PathReference("plain.txt", 16, "configMapGenerator.files"),
        PathReference("named.txt", 16, "configMapGenerator.files"),
        PathReference("some.env", 18, "configMapGenerator.envs"),
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://example.invalid/base.yaml",
        "HTTPS:example.invalid",
        "http://127.0.0.1:8000/base.yaml",
        "file:///srv/base?ref=main",
        "git::https://example.invalid/owner/name",
        "GIT::base",
        "ssh://git@example.invalid/owner/name",
        "git@example.invalid:owner/name.git",
        "me@example.invalid/owner/name",
        "github.com/owner/name",
        "GitHub.com/owner/name//base?ref=v1",
        "github.com:owner/name",
        "base?ref=main",
        "/etc/base",
        "base\\0here",
        "base\\nhere",
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        'resources: ["{}"]',
        'bases: ["{}"]',
        'components: ["{}"]',
        'crds: ["{}"]',
        'configurations: ["{}"]',
        'patches: [{{path: "{}"}}]',
        'patchesJson6902: [{{path: "{}"}}]',
        'openapi: {{path: "{}"}}',
        'configMapGenerator: [{{name: a, files: ["key={}"]}}]',
        'configMapGenerator: [{{name: a, FILES: ["{}"]}}]',
        'configMapGenerator: [{{name: a, file\u017f: ["{}"]}}]',
        'secretGenerator: [{{name: a, env: "{}"}}]',
    ],
)
def test_an_address_or_an_absolute_path_is_refused_wherever_it_stands(form: str, address: str) -> None:
    [refused] = read(form.format(address).encode()).refused
    assert refused.startswith(f"line 1: {form.partition(':')[0]}")


@pytest.mark.parametrize("path", ["one.yaml", "../base", "./a/b", "v1.0@x.yaml", "my github.com/a"])
def test_a_path_of_the_project_is_none_of_these(path: str) -> None:
    assert read(f'resources: ["{path}"]'.encode()).refused == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("helmCharts: [{name: a, repo: b}]", "line 1: helmCharts: Helm fetches charts"),
        ("helmGlobals: {chartHome: a}", "line 1: helmGlobals: Helm fetches charts"),
        ("helmChartInflationGenerator: []", "line 1: helmChartInflationGenerator: Helm"),
        ("generators: [exec.yaml]", "line 1: generators: plugins are programs"),
        ("kind: Kustomization\ntransformers: [a.yaml]", "line 2: transformers: plugins are programs"),
        ("validators: [a.yaml]", "line 1: validators: plugins are programs"),
        ("Resources: [one.yaml]", "line 1: there is no key 'Resources'"),
        ("resources: [one.yaml]\nresources: [two.yaml]", "line 2: 'resources' comes twice"),
        ("resources: [&a one.yaml, *a]", "line 1: aliases, merges and tags hide"),
        ("patches: [{<<: {path: one.yaml}}]", "line 1: aliases, merges and tags hide"),
        ("resources: [!!binary aHR0cDovL2E=]", "line 1: aliases, merges and tags hide"),
        ("resources: [one.yaml]\n---\nresources: [two.yaml]", "it is not valid YAML"),
        ("resources: [", "it is not valid YAML"),
        ("a: " + "[" * 5000, "it is not valid YAML"),
        ("- one.yaml", "it is not a table of keys"),
    ],
)
def test_what_is_fetched_started_or_read_in_two_ways_is_refused(text: str, expected: str) -> None:
    assert any(why.startswith(expected) for why in read(text.encode()).refused)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose overlay names a base, and something that lies beside the project."""
    base, overlay = tmp_path / "project" / "k8s" / "base", tmp_path / "project" / "k8s" / "overlay"
    base.mkdir(parents=True)
    overlay.mkdir()
    (base / "namespace.yaml").write_text(OBJECT)
    (base / "kustomization.yaml").write_text("resources: [namespace.yaml]\n")
    (overlay / "kustomization.yaml").write_text("resources:\n  - ../base\n")
    shutil.copytree(base, tmp_path / "elsewhere")
    return tmp_path / "project" / "k8s"


def refusals(project: Path) -> tuple[str, ...]:
    with pytest.raises(SubjectFailed) as failure:
        require_own(project / "overlay", project)
    return failure.value.why


def test_an_overlay_on_a_base_of_the_same_project_is_in_order(project: Path) -> None:
    require_own(project / "overlay", project)


@pytest.mark.parametrize("name", NAMES)
def test_a_base_outside_is_refused_however_deep_it_is_named_and_whatever_the_file_is_called(
    project: Path, name: str
) -> None:
    (project / "base" / "kustomization.yaml").rename(project / "base" / name)
    (project / "base" / name).write_text("resources:\n  - namespace.yaml\n  - ../../../elsewhere\n")
    assert refusals(project) == (
        f"k8s/base/{name}: line 3: resources: '../../../elsewhere' leads out of k8s/, which is all that may be read",
    )


@pytest.mark.parametrize("link", ["base/namespace.yaml", "base/kustomization.yaml"])
def test_a_file_that_is_a_link_out_of_the_project_is_refused(project: Path, link: str) -> None:
    (project / link).unlink()
    (project / link).symlink_to(project.parents[1] / "elsewhere" / Path(link).name)
    assert any("leads out of k8s/" in why for why in refusals(project))


def test_a_directory_that_is_a_link_out_of_the_project_is_refused(project: Path) -> None:
    shutil.rmtree(project / "base")
    (project / "base").symlink_to(project.parents[1] / "elsewhere")
    assert any("'../base' leads out of k8s/" in why for why in refusals(project))


def test_a_link_within_the_project_is_followed(project: Path) -> None:
    (project / "base").rename(project / "real")
    (project / "base").symlink_to("real")
    require_own(project / "overlay", project)
    (project / "real" / "kustomization.yaml").write_text("helmCharts: []\n")
    assert any("k8s/real/kustomization.yaml: line 1: helmCharts" in why for why in refusals(project))


def test_a_pipe_or_a_ring_of_links_is_refused_and_keeps_nobody_waiting(project: Path) -> None:
    (project / "base" / "namespace.yaml").unlink()
    os.mkfifo(project / "base" / "namespace.yaml")
    assert any("is neither a file nor a directory" in why for why in refusals(project))
    (project / "base" / "namespace.yaml").unlink()
    (project / "base" / "namespace.yaml").symlink_to("namespace.yaml")
    assert any("'namespace.yaml' cannot be followed" in why for why in refusals(project))


def test_bases_that_name_each_other_are_read_once(project: Path) -> None:
    (project / "base" / "kustomization.yaml").write_text("resources: [../overlay]\n")
    require_own(project / "overlay", project)  # kustomize itself says that this is a ring


def test_nothing_is_left_of_what_a_stage_with_a_network_is_given() -> None:
    given = {
        "SSL_CERT_FILE": "/etc/mine.pem",
        "no_proxy": "*",
        "https_proxy": "http://proxy.invalid",
        "PIP_INDEX_URL": "a",
    }
    left = {value for name, value in cut_off(given).items() if not name.upper().endswith(("HTTP_PROXY", "HTTPS_PROXY"))}
    assert left == {""}
    assert cut_off(given)["https_proxy"] == cut_off(given)["HTTPS_PROXY"] == "http://127.0.0.1:0"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[int]:
    """The port of a server that has an object to give."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "namespace.yaml").write_text(OBJECT)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "served")
    with ThreadingHTTPServer(("0.0.0.0", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("exempt", ["NO_PROXY", "no_proxy"])
def test_kustomize_reaches_no_host_even_one_that_this_machine_exempts_from_its_proxy(
    served: int, exempt: str, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    kustomize = store.get(locked["kustomize"])
    # By the machine's name: Go's clients never use a proxy for a loopback address.
    host = socket.gethostname()
    (tmp_path / "kustomization.yaml").write_text(f"resources: [http://{host}:{served}/namespace.yaml]\n")
    environment = {exempt: host, "http_proxy": "http://127.0.0.1:9"}

    def build(env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([kustomize, "build", tmp_path], check=False, env=env, capture_output=True, timeout=60)

    assert build(environment).returncode == 0, "it must be the environment that keeps it away"
    done = build({**environment, **cut_off({})})
    assert done.returncode == 1
    assert b"proxyconnect" in done.stderr


GROWING = "\n".join(
    ["x0: &x0 [a, a, a, a, a, a, a, a, a, a]"]
    + [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 9)]
)


def test_a_key_that_comes_twice_is_refused_however_deep_it_stands() -> None:
    text = b"patches:\n  - path: one.yaml\n    path: two.yaml\n"
    assert read(text).refused == ("line 3: 'path' comes twice",)


def test_a_patch_within_the_file_may_not_grow_either() -> None:
    patch = "".join(f"      {line}\n" for line in GROWING.splitlines())
    [why] = read(f"patches:\n  - patch: |-\n{patch}".encode()).refused
    assert why.startswith("line 2: the text that begins here: line 6: its aliases become more than 1 MiB")


def test_a_file_whose_aliases_grow_is_refused_wherever_kustomize_would_read_it(project: Path) -> None:
    (project / "overlay" / "patch.yaml").write_text(GROWING)
    (project / "overlay" / "kustomization.yaml").write_text("resources: [../base]\npatches: [{path: patch.yaml}]\n")
    [why] = refusals(project)
    assert why.startswith("k8s/overlay/patch.yaml: line 6: its aliases become more than 1 MiB")


def test_a_file_that_is_text_to_kustomize_may_hold_what_it_likes(project: Path) -> None:
    (project / "overlay" / "any.txt").write_text(GROWING)
    generator = "configMapGenerator: [{name: any, files: [any.txt]}]\n"
    (project / "overlay" / "kustomization.yaml").write_text(f"resources: [../base]\n{generator}")
    require_own(project / "overlay", project)


@pytest.mark.parametrize("name", ["namespace.yaml", "kustomization.yaml"])
def test_a_file_that_nobody_can_have_written_is_not_read(project: Path, name: str) -> None:
    with (project / "base" / name).open("r+b") as file:
        file.truncate((8 << 20) + 1)
    assert any("it cannot be read: it is larger than 8 MiB" in why for why in refusals(project))
