"""What others say of rendered manifests, and what a file excuses of that.

`k8s/excused.toml` names each finding that stays, with a reason: by the judge, its check, and the objects.
"""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]

from shipseal.deploying.manifests import Manifest, dump, set_image
from shipseal.digest import Digest, Reference
from shipseal.project.config import HOME
from tests.cluster.manifests import K8S, build

EXCUSED = K8S / "excused.toml"
KUBE_SCORE = HOME / ".venv-judges" / "bin" / "kube-score"
CHECKOV = HOME / ".venv-terraform" / "bin" / "checkov"
VERSIONS = ("1.35", "1.36", "1.37")
_DEPRECATED = re.compile(r"\bDeprecated:|\bfield is deprecated\b")
_PLACEHOLDER = "set-by-deploy.invalid/"


@dataclass(frozen=True, order=True)
class Finding:
    """What a judge has found wrong, by its own name for it, with an object: `Deployment NAMESPACE/NAME`."""

    judge: str
    check: str
    where: str


@dataclass(frozen=True)
class Excuses:
    """The findings that stay, each with its reason, and the kinds that Kubernetes itself does not have."""

    findings: dict[Finding, str]
    others: dict[tuple[str, str], str]

    @classmethod
    def read(cls, path: Path = EXCUSED) -> "Excuses":
        """Read the file; an excuse without a reason, or twice, is none."""
        document = tomllib.loads(path.read_text("utf-8"))
        assert set(document) <= {"excused", "other"}, set(document)
        listed = [
            (Finding(entry["judge"], entry["check"], where), entry["reason"])
            for entry in document["excused"]
            for where in entry["where"]
        ]
        others = [((entry["version"], entry["kind"]), entry["reason"]) for entry in document.get("other", [])]
        for each in (listed, others):
            assert len(dict(each)) == len(each), "an excuse is there twice"
            assert all(len(reason) > 20 for _, reason in each), "an excuse has no reason"
        return cls(dict(listed), dict(others))


def directories() -> list[Path]:
    """Return what somebody applies: every kustomization that no other takes, components left out."""
    found = sorted(each.parent for each in K8S.rglob("kustomization.yaml"))
    taken = {
        (directory / line.strip(" -\"'\n")).resolve()
        for directory in found
        for line in (directory / "kustomization.yaml").read_text().splitlines()
        if line.strip().startswith("- ")
    }
    return [each for each in found if each not in taken and "kind: Component" not in text(each)]


def text(directory: Path) -> str:
    return (directory / "kustomization.yaml").read_text()


def rendered(kustomize: Path) -> dict[str, list[Manifest]]:
    """Return what each of them holds, with an image by digest where a deploy gives one."""
    return {str(each.relative_to(K8S)): _with_image(build(kustomize, each)) for each in directories()}


def _with_image(documents: list[Any]) -> list[Manifest]:
    manifests = tuple(map(Manifest, documents))
    waiting = any(_PLACEHOLDER in str(each.get("image")) for one in manifests for each in one.containers())
    reference = Reference("registry.example", "acme/sample", Digest.of(b"verified"))
    return list(set_image(manifests, "app", reference) if waiting else manifests)


def misfits(manifest: Manifest, version: str) -> Iterator[Finding]:
    """Yield where an object does not fit the strict schema of its kind, or uses what is deprecated in it."""
    judge = f"schemas {version}"
    try:
        kubernetes_validate.validate(dict(manifest.body), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield Finding(judge, error.message, manifest.title)
    except kubernetes_validate.SchemaNotFoundError:
        yield Finding(judge, f"no {manifest.body['apiVersion']} {manifest.kind}", manifest.title)
    else:
        for path in _deprecated(manifest.body, {"$ref": _reference(manifest, version)}, version):
            yield Finding(f"deprecated in {version}", path or "the kind", manifest.title)


def _reference(manifest: Manifest, version: str) -> str:
    group, _, api = str(manifest.body["apiVersion"]).rpartition("/")
    wanted = {"group": group, "version": api, "kind": manifest.kind}
    [name] = [
        name
        for name, each in _definitions(version).items()
        if wanted in each.get("x-kubernetes-group-version-kind", [])
    ]
    return f"#/$defs/{name}"


@cache
def _definitions(version: str) -> dict[str, Any]:
    directory = files("kubernetes_validate").joinpath("kubernetes-json-schema", f"v{version}.0-local-strict")
    definitions: dict[str, Any] = json.loads(directory.joinpath("_definitions.json").read_text("utf-8"))["$defs"]
    return definitions


def _deprecated(value: Any, schema: Any, version: str, path: str = "") -> Iterator[str]:
    """Yield the keys of an object whose descriptions in the schema say that they are deprecated."""
    whole = _definitions(version)[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
    if any(_DEPRECATED.search(each.get("description", "")) for each in (schema, whole)):
        yield path
    known = {**whole, **schema}
    if isinstance(value, dict):
        for key, inner in value.items():
            more = known.get("properties", {}).get(key) or known.get("additionalProperties")
            yield from _deprecated(inner, more, version, f"{path}.{key}") if isinstance(more, dict) else ()
    elif isinstance(value, list):
        for inner in value:
            yield from _deprecated(inner, known.get("items", {}), version, path)


def kube_score(manifests: list[Manifest]) -> Iterator[Finding]:
    """Yield what kube-score holds against a set: warnings too, and what it had no answer to not."""
    command: list[str | Path] = [
        KUBE_SCORE,
        "score",
        "--kubernetes-version",
        f"v{VERSIONS[0]}",
        "--output-format",
        "json",
        "-",
    ]
    done = subprocess.run(command, input=dump(manifests), capture_output=True, timeout=60, check=False)
    assert done.returncode in {0, 1}, done.stderr
    good = 10
    for each in json.loads(done.stdout) or []:
        meta = each["object_meta"]
        where = f"{each['type_meta']['kind']} {'/'.join(filter(None, (meta.get('namespace'), meta['name'])))}"
        for check in each["checks"]:
            if check["grade"] < good and not check["skipped"]:
                for said in check["comments"] or [{"summary": check["check"]["name"]}]:
                    yield Finding("kube-score", f"{check['check']['id']}: {said['summary']}", where)


def checkov(directory: Path) -> Iterator[Finding]:
    """Yield what checkov holds against the files in a directory."""
    command: list[str | Path] = [
        CHECKOV,
        "--directory",
        ".",
        "--framework",
        "kubernetes",
        "--output",
        "json",
        "--quiet",
        "--compact",
    ]
    done = subprocess.run(
        [*command, "--skip-download"],
        cwd=directory,
        env={"HOME": str(directory), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=300,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0, report
    assert report["summary"]["passed"] > 0
    for each in report["results"]["failed_checks"]:
        kind, namespace, name = each["resource"].split(".", 2)
        yield Finding("checkov", each["check_id"], f"{kind} {'' if namespace == 'default' else namespace + '/'}{name}")
