"""Read rendered Kubernetes manifests, name the image in them by its digest, and write them down again.

Pure: YAML in, YAML out. `pipeline.deploying.admission` judges them; the `deploy` stage does the rest.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.digest import Reference
from pipeline.errors import ConfigError, SubjectFailed, VerificationFailed

Object = Mapping[str, Any]

# Where each kind keeps the specification of its pods.
_POD_SPEC: Mapping[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"), ("spec", "template", "spec")),
}
# Words that every YAML reader takes for text. PyYAML follows YAML 1.1 and would leave 1e3 and 0o17 bare, which Go's
# reader takes for numbers: a revision such as 12345e6 is the usual victim.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9/_.-]+")


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes object as it will be applied."""

    body: Object

    @property
    def kind(self) -> str:
        """Return the object's kind, `Deployment`."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """Return the object's name."""
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Return the object's namespace, empty when it names none."""
        return str(self.body["metadata"].get("namespace", ""))

    @property
    def title(self) -> str:
        """Return what messages call the object: `Deployment NAMESPACE/NAME`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def pod(self) -> Object:
        """Return the specification of the pods that the object makes, empty when it makes none."""
        return dig(self.body, *_POD_SPEC[self.kind]) if self.kind in _POD_SPEC else {}

    def containers(self) -> Iterator[Object]:
        """Yield every container, those that run first included."""
        for group in ("initContainers", "containers", "ephemeralContainers"):
            yield from self.pod.get(group) or ()


def dig(value: Any, *keys: str) -> Object:
    """Return the mapping below `keys`, empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def parse(rendered: bytes) -> tuple[Manifest, ...]:
    """Read what `kustomize build` wrote.

    Raises:
        SubjectFailed: the text is no YAML, holds no object, one without kind or name, or the same object twice.
    """
    try:
        documents = [document for document in yaml.safe_load_all(rendered) if document is not None]
    except yaml.YAMLError as problem:
        raise SubjectFailed("the rendered manifests are no YAML", why=str(problem).splitlines()) from problem
    if not documents:
        raise SubjectFailed(
            "the rendered manifests hold no object", do="list the files under `resources` in kustomization.yaml"
        )
    manifests = tuple(_object(document) for document in documents)
    titles = [manifest.title for manifest in manifests]
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        raise SubjectFailed("the same object is rendered twice", why=twice, do="keep one of them")
    return manifests


def _object(document: Any) -> Manifest:
    named = isinstance(document, Mapping) and all(document.get(key) for key in ("apiVersion", "kind"))
    if not named or not dig(document, "metadata").get("name"):
        raise SubjectFailed(
            "a rendered document is no Kubernetes object",
            why=f"apiVersion, kind and metadata.name are needed, and this is {document!r}"[:200],
            do="look for it with `kustomize build`",
        )
    return Manifest(document)


def set_image(manifests: Sequence[Manifest], container: str, reference: Reference) -> tuple[Manifest, ...]:
    """Return the manifests with the image of the one container called `container` set to `reference`.

    Raises:
        ConfigError: no container has that name, or more than one.
    """
    found = [manifest.title for manifest in manifests for each in manifest.containers() if each["name"] == container]
    if len(found) != 1:
        names = sorted({str(each["name"]) for manifest in manifests for each in manifest.containers()})
        raise ConfigError(
            f"{len(found) or 'no'} containers are called {container!r} in the rendered manifests",
            why=found or f"there are: {', '.join(names) or 'none at all'}",
            do="name the service's container in pipeline.toml: [deploy] container",
        )
    return tuple(_with_image(manifest, container, reference) for manifest in manifests)


def _with_image(manifest: Manifest, container: str, reference: Reference) -> Manifest:
    changed = Manifest(deepcopy(manifest.body))
    for each in changed.containers():
        if each["name"] == container:
            assert isinstance(each, dict)
            each["image"] = str(reference)
    return changed


def image_of(container: Object) -> Reference | None:
    """Return the image that a container names by digest; `None` when it names none, or one by tag."""
    try:
        return Reference.parse(str(container.get("image", "")))
    except VerificationFailed:
        return None


def dump(manifests: Iterable[Manifest]) -> bytes:
    """Write manifests as YAML that every reader understands alike, the same bytes for the same manifests."""
    text = yaml.dump_all(
        [manifest.body for manifest in manifests],
        Dumper=_Dumper,
        sort_keys=False,
        explicit_start=True,
        allow_unicode=True,
        width=2**31,
    )
    return text.encode()


class _Dumper(yaml.SafeDumper):
    """Quotes all text that some reader could take for something else, and never writes an alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML's own signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if _PLAIN.fullmatch(text) else '"')


_Dumper.add_representer(str, _represent_text)
