"""The examples for Flux and Argo CD hold nothing that their definitions do not know, and name what this project is."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from shipseal.deploying.images import pinned_images
from shipseal.deploying.manifests import Manifest, parse
from shipseal.digest import Digest
from shipseal.distribution import manifests_artifact
from shipseal.oci import documents
from shipseal.project.config import HOME, Config
from shipseal.verification.policy_file import read_policy

PAGE = (HOME / "docs" / "deploy-from-git.md").read_text(encoding="utf-8")
DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
NAMED = {"name!": str}
# The fields of `spec` as the definitions have them, without those that hold more than a text or two and that the
# examples do not use; what has ! is required. Sources: config/crd/bases/ of fluxcd/source-controller v1.8.5 and of
# fluxcd/kustomize-controller v1.7.3, manifests/crds/application-crd.yaml of argoproj/argo-cd
# v3.4.13.
FIELDS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("source.toolkit.fluxcd.io/v1", "OCIRepository"): {
        "interval!": DURATION,
        "url!": re.compile(r"oci://.*"),
        "ref": {"digest": str, "semver": str, "semverFilter": str, "tag": str},
        "verify": {
            "provider!": re.compile("cosign|notation"),
            "matchOIDCIdentity": [{"issuer!": str, "subject!": str}],
            "secretRef": NAMED,
        },
        "layerSelector": {"mediaType": str, "operation": re.compile("extract|copy")},
        "provider": re.compile("generic|aws|azure|gcp"),
        **dict.fromkeys(("certSecretRef", "proxySecretRef", "secretRef"), NAMED),
        **dict.fromkeys(("ignore", "serviceAccountName"), str),
        **dict.fromkeys(("insecure", "suspend"), bool),
        "timeout": DURATION,
    },
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"): {
        "interval!": DURATION,
        "prune!": bool,
        "sourceRef!": {"apiVersion": str, "kind!": str, "name!": str, "namespace": str},
        **dict.fromkeys(("retryInterval", "timeout"), DURATION),
        **dict.fromkeys(("force", "ignoreMissingComponents", "suspend", "wait"), bool),
        **dict.fromkeys(("namePrefix", "nameSuffix", "path", "serviceAccountName", "targetNamespace"), str),
    },
    ("argoproj.io/v1alpha1", "Application"): {
        "destination!": {"name": str, "namespace": str, "server": str},
        "project!": str,
        "source": {"chart": str, "name": str, "path": str, "ref": str, "repoURL!": str, "targetRevision": str},
        "syncPolicy": {
            "automated": {"allowEmpty": bool, "enabled": bool, "prune": bool, "selfHeal": bool},
            "syncOptions": [str],
        },
        "revisionHistoryLimit": int,
    },
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def wrong(value: Any, known: Any, path: str = "spec") -> Iterator[str]:
    """Yield what of a value its definition does not know, or misses."""
    if isinstance(known, Mapping):
        if not isinstance(value, Mapping):
            yield f"{path} is not a table"
            return
        fields = {key.rstrip("!"): inner for key, inner in known.items()}
        yield from (f"{path}.{key} is not a field" for key in value if key not in fields)
        yield from (f"{path}.{key[:-1]} is missing" for key in known if key.endswith("!") and key[:-1] not in value)
        for key in value.keys() & fields.keys():
            yield from wrong(value[key], fields[key], f"{path}.{key}")
    elif isinstance(known, list):
        for each in value if isinstance(value, list) else [None]:
            yield from wrong(each, known[0], f"{path}[]")
    elif isinstance(known, re.Pattern):
        if not (isinstance(value, str) and known.fullmatch(value)):
            yield f"{path} has another form"
    elif type(value) is not known:
        yield f"{path} is not a {known.__name__}"


EXAMPLES = [manifest for block in blocks("yaml") for manifest in parse(block.encode())]


def example(kind: str) -> Any:
    [found] = [manifest.body for manifest in EXAMPLES if manifest.kind == kind]
    return found


def test_there_is_an_example_of_each_kind() -> None:
    assert sorted(kind for _, kind in FIELDS) == sorted(manifest.kind for manifest in EXAMPLES)


@pytest.mark.parametrize("manifest", EXAMPLES, ids=lambda manifest: manifest.kind)
def test_each_field_is_one_that_the_definition_knows(manifest: Manifest) -> None:
    body = manifest.body
    assert {"apiVersion", "kind", "metadata", "spec"} == body.keys()
    assert {"name", "namespace"} == body["metadata"].keys()
    assert list(wrong(body["spec"], FIELDS[body["apiVersion"], body["kind"]])) == []


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("spec.urls is not a field", {"urls": "oci://a"}),
        ("spec.url has another form", {"url": "https://a"}),
        ("spec.insecure is not a bool", {"insecure": "no"}),
        ("spec.verify.provider is missing", {"verify": {}}),
        (
            "spec.verify.matchOIDCIdentity[].subject is missing",
            {"verify": {"provider": "cosign", "matchOIDCIdentity": [{"issuer": "a"}]}},
        ),
        ("spec.ref is not a table", {"ref": "a"}),
    ],
)
def test_a_field_that_is_wrong_would_be_seen(expected: str, change: Mapping[str, Any]) -> None:
    spec = {**example("OCIRepository")["spec"], **change}
    assert [expected] == list(wrong(spec, FIELDS["source.toolkit.fluxcd.io/v1", "OCIRepository"]))


def test_the_examples_are_of_this_project_and_name_one_digest() -> None:
    repository = Config.load(HOME / "pipeline.toml").image.repository
    flux, argo = example("OCIRepository")["spec"], example("Application")["spec"]["source"]
    assert f"oci://{repository}" == flux["url"]
    assert flux["url"].replace("docker.io", "registry-1.docker.io") == argo["repoURL"]
    assert Digest.parse(flux["ref"]["digest"]) == Digest.parse(argo["targetRevision"])
    [change] = blocks("diff")
    added = "".join(f"{line[1:]}\n" for line in change.splitlines() if line.startswith("+"))
    [(name, reference)] = pinned_images(added.encode()).items()
    assert f"image: {name}\n" in (HOME / "k8s" / "base" / "deployment.yaml").read_text()
    assert f"{repository}@{flux['ref']['digest']}" == str(reference)


def test_flux_takes_whoever_the_policy_lets_sign_and_nobody_whose_name_is_like_that() -> None:
    policy = read_policy(HOME / "policy" / "verification.toml", "production")
    [signer] = policy.signers
    [wanted] = example("OCIRepository")["spec"]["verify"]["matchOIDCIdentity"]
    for pattern, name in ((wanted["issuer"], signer.issuer), (wanted["subject"], signer.identity)):
        assert re.search(pattern, name)
        dots = (f"{name[:at]}-{name[at + 1 :]}" for at, sign in enumerate(name) if sign == ".")
        for other in (f"{name}-2", f"https://elsewhere.example/{name}", *dots):
            assert not re.search(pattern, other)


def test_flux_applies_what_its_source_holds_in_the_namespace_of_the_service() -> None:
    source, applied = example("OCIRepository"), example("Kustomization")
    assert source["metadata"]["name"] == applied["spec"]["sourceRef"]["name"]
    assert source["metadata"]["namespace"] == applied["metadata"]["namespace"]
    namespace = "namespace: simpletimeservice\n"
    assert namespace in (HOME / "k8s" / "base" / "kustomization.yaml").read_text()
    assert example("Application")["spec"]["destination"]["namespace"] == "simpletimeservice"


def test_the_page_names_the_types_that_the_artefact_has() -> None:
    for kind in (manifests_artifact.CONFIG, documents.LAYER, manifests_artifact.FILE):
        assert f"`{kind}`" in PAGE
