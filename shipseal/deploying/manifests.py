"""Read rendered Kubernetes manifests, name the image in them by its digest, and write them down again. Pure.

Pure: YAML in, YAML out. `shipseal.deploying.admission` judges them; the `deploy` stage does the rest.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from shipseal.digest import Reference
from shipseal.errors import ConfigError, SubjectFailed, VerificationFailed

Object = Mapping[str, Any]

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
# How an object is called: what a schema is looked for by, and what messages hold. Names as in kubernetes.io, "Object
# Names and IDs", and with the colon that the names of roles may have.
_CALLED = {
    "apiVersion": re.compile(r"([a-z0-9][a-z0-9.-]{0,252}/)?v[a-z0-9]{1,62}"),
    "kind": re.compile(r"[A-Z][A-Za-z0-9]{0,62}"),
    "name": re.compile(r"[a-z0-9]([a-z0-9:.-]{0,251}[a-z0-9])?"),
    "namespace": re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"),
}
# No kind of Kubernetes comes near; deeper ones would end the walks below, and PyYAML's own.
_DEEPEST = 64
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
        return str(self.body.get("kind"))

    @property
    def api_version(self) -> str:
        """Return the group and the version of the object's kind, `apps/v1`."""
        return str(self.body.get("apiVersion"))

    @property
    def metadata(self) -> Object:
        """Return the object's metadata."""
        return dig(self.body, "metadata")

    @property
    def name(self) -> str:
        """Return the object's name."""
        return str(self.metadata.get("name"))

    @property
    def namespace(self) -> str:
        """Return the object's namespace, empty when it names none."""
        return str(self.metadata.get("namespace") or "")

    @property
    def title(self) -> str:
        """Return what messages call the object: `Deployment NAMESPACE/NAME`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def pods(self) -> Iterator[Object]:
        """Yield every specification of pods that the object holds, wherever its kind keeps it."""
        return _pods(self.body)

    def containers(self) -> Iterator[Object]:
        """Yield every container, those that run first included."""
        for pod in self.pods():
            yield from containers_of(pod)


def containers_of(pod: Object) -> Iterator[Object]:
    """Yield every container of a specification of pods, those that run first included."""
    for group in _CONTAINERS:
        yield from entries(pod.get(group))


def _pods(value: object) -> Iterator[Object]:
    # Where each kind keeps its pods is not asked: a list of kinds is one kind short one day.
    if isinstance(value, Mapping):
        if any(isinstance(value.get(group), list) for group in _CONTAINERS):
            yield value
        for inner in value.values():
            yield from _pods(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pods(inner)


def dig(value: object, *keys: str) -> Object:
    """Return the mapping below `keys`, empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def entries(value: object) -> tuple[Object, ...]:
    """Return the mappings of a list, none where there is no list."""
    return tuple(each for each in value if isinstance(each, Mapping)) if isinstance(value, list) else ()


def texts(value: object) -> frozenset[str]:
    """Return the texts of a list, none where there is no list."""
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()


def parse(rendered: bytes) -> tuple[Manifest, ...]:
    """Read what `kustomize build` wrote.

    Raises:
        SubjectFailed: the text is no YAML, holds no object, one without kind or name, or the same object twice.
    """
    try:
        documents = [document for document in yaml.load_all(rendered, Loader=_ManifestLoader) if document is not None]
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise SubjectFailed("the rendered manifests are not valid YAML", why=str(problem).splitlines()) from problem
    if not documents:
        raise SubjectFailed(
            "the rendered manifests hold no object", remedy="list the files under `resources` in kustomization.yaml"
        )
    manifests = tuple(_object(document) for document in documents)
    titles = [manifest.title for manifest in manifests]
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        raise SubjectFailed("the same object is rendered twice", why=twice, remedy="keep one of them")
    return manifests


def _object(document: object) -> Manifest:
    body, metadata = dig(document), dig(document, "metadata")
    called = {**body, "name": metadata.get("name"), "namespace": metadata.get("namespace") or "none"}
    wrong = [key for key, form in _CALLED.items() if not _is(called.get(key), form)]
    if wrong:
        raise SubjectFailed(
            "a rendered document is not a Kubernetes object",
            why=f"it has no proper {', '.join(wrong)}, and this is {document!r}"[:200],
            remedy="look for it with `kustomize build`",
        )
    if _is_odd(document, _DEEPEST):
        raise SubjectFailed(
            f"{called['kind']} {called['name']} is not a Kubernetes object",
            why=f"it has a key that is not text, or nests deeper than {_DEEPEST} levels",
            remedy="look for it with `kustomize build`",
        )
    return Manifest(body)


def _is(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_odd(value: object, room: int) -> bool:
    """Say whether JSON could not hold a value: a key is no text, or there are more levels than `room`."""
    if isinstance(value, Mapping):
        return (
            room == 0
            or not all(isinstance(key, str) for key in value)
            or any(_is_odd(inner, room - 1) for inner in value.values())
        )
    return isinstance(value, list) and (room == 0 or any(_is_odd(inner, room - 1) for inner in value))


def set_image(manifests: Sequence[Manifest], container: str, reference: Reference) -> tuple[Manifest, ...]:
    """Return the manifests with the image of the one container called `container` set to `reference`.

    Raises:
        ConfigError: no container has that name, or more than one.
    """
    called = [(str(each.get("name")), manifest.title) for manifest in manifests for each in manifest.containers()]
    found = [title for name, title in called if name == container]
    if len(found) != 1:
        names = sorted({name for name, _ in called})
        raise ConfigError(
            f"{len(found) or 'no'} containers are called {container!r} in the rendered manifests",
            why=found or f"there are: {', '.join(names) or 'none at all'}",
            remedy="name the service's container in pipeline.toml: [deploy] container",
        )
    return tuple(_with_image(manifest, container, reference) for manifest in manifests)


def _with_image(manifest: Manifest, container: str, reference: Reference) -> Manifest:
    changed = Manifest(deepcopy(manifest.body))
    for each in changed.containers():
        if each.get("name") == container:
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


class _ManifestLoader(yaml.SafeLoader):
    """Takes for text what Go's writer leaves bare because its own reader does: `=`, `on`, 12:30, 2026-99-99.

    What readers differ on is refused: a key that comes twice, and an alias, which kustomize never writes.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it holds an alias, and kustomize writes none")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} comes twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


_ManifestLoader.yaml_implicit_resolvers = {}
for _tag, _words, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _ManifestLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_words})\Z"), _first)


class _Dumper(yaml.SafeDumper):
    """Quotes all text that some reader could take for something else, and never writes an alias."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML's own signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if _PLAIN.fullmatch(text) else '"')


_Dumper.add_representer(str, _represent_text)
