"""Read what a kustomization names, and refuse what kustomize would fetch or start for it. Pure.

The keys are those of `types.Kustomization` (sigs.k8s.io/kustomize/api). Go takes a key in any case and the last of two;
here a key that is not spelled as documented, or comes twice, is refused: what was read is then what kustomize reads.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from shipseal.deploying.growth import grows

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""What kustomize calls the file in a directory (`konfig.RecognizedKustomizationFileNames`)."""

# Lists of files and directories; and tables, with those of their keys that name files.
_LISTS = ("resources", "bases", "components", "crds", "configurations", "patchesStrategicMerge")
_TABLES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("patches", "patchesJson6902", "replacements", "openapi"), ("path",)),
    **dict.fromkeys(("configMapGenerator", "secretGenerator"), ("files", "envs", "env")),
}
_PROGRAMS = {
    **dict.fromkeys(("helmCharts", "helmGlobals", "helmChartInflationGenerator"), "Helm fetches charts"),
    **dict.fromkeys(("generators", "transformers", "validators"), "plugins are programs"),
}
_NAME_NO_FILE = (
    "apiVersion", "kind", "metadata", "namePrefix", "nameSuffix", "namespace", "commonLabels", "labels",
    "commonAnnotations", "images", "imageTags", "replicas", "vars", "sortOptions", "generatorOptions", "buildMetadata",
)  # fmt: skip
# https://…, git::…, host:path, path?ref=…, name@host/path, github.com/…: what `git.NewRepoSpecFromURL` and
# `loader.IsRemoteFile` take for an address, and more.
_ADDRESS = re.compile(r".*[:?]|[a-z][a-z0-9-]*@|github\.com(/|$)", re.IGNORECASE | re.DOTALL)
_KEYED = re.compile(r"^[A-Za-z0-9._-]+=")  # KEY=PATH, with what the key of a ConfigMap may hold
# A proxy that nobody can listen on. Both spellings, and an empty NO_PROXY does not keep Go from reading no_proxy.
_NOWHERE = {"HTTP_PROXY": "http://127.0.0.1:0", "HTTPS_PROXY": "http://127.0.0.1:0", "NO_PROXY": ""}


@dataclass(frozen=True)
class PathReference:
    """A path that a kustomization names, relative to its directory, and where: `KEY` in line `line`, from 1."""

    path: str
    line: int
    key: str


@dataclass(frozen=True)
class Kustomization:
    """What a kustomization names, and a line for each thing in it that is refused."""

    named: tuple[PathReference, ...]
    refused: tuple[str, ...]


def cut_off(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what hides an environment's own network from kustomize: no git, no way out, all else of it blank.

    A loopback address is never asked for by a proxy: only `read` keeps one away.
    """
    nowhere = {name: way for each, way in _NOWHERE.items() for name in (each, each.lower())}
    return {**dict.fromkeys(environment, ""), **nowhere, "PATH": ""}


def read(text: bytes) -> Kustomization:
    """Read a kustomization, line by line: nothing in it is fetched, started or opened."""
    try:
        if hidden := tuple(_hidden(text)):
            return Kustomization((), hidden)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        return Kustomization((), (f"it is not valid YAML: {' '.join(str(problem).split())}"[:300],))
    if not isinstance(root, yaml.MappingNode):
        return Kustomization((), () if root is None else ("it is not a table of keys",))
    named: list[PathReference] = []
    refused = list(_inside(root))
    for key, value in root.value:
        name, line = str(key.value), _line(key)
        if name in _PROGRAMS:
            refused.append(f"line {line}: {name}: {_PROGRAMS[name]}, and nothing is fetched or started here")
        elif name in _LISTS or name in _TABLES:
            named += _paths(name, value)
        elif name not in _NAME_NO_FILE:
            refused.append(f"line {line}: there is no key {name!r}")
    refused += [f"line {each.line}: {each.key}: {why}" for each in named for why in _foreign(each.path)]
    return Kustomization(tuple(named), tuple(refused))


def _hidden(text: bytes) -> Iterator[str]:
    """Yield where a value is not what it looks like: an alias, a merge, a tag (`!!binary` hides any text)."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<"
        if merge or isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
            yield f"line {_line(event)}: aliases, merges and tags hide what is named: write it out"


def _line(place: yaml.Event | yaml.Node) -> int:
    return 0 if place.start_mark is None else place.start_mark.line + 1


def _inside(node: yaml.Node) -> Iterator[str]:
    """Yield what is wrong anywhere in the file: a key that comes twice, a patch in it whose aliases grow."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if str(key.value) in seen:
                yield f"line {_line(key)}: {key.value!r} comes twice"
            seen.add(str(key.value))
            yield from _inside(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _inside(value)
    elif isinstance(node, yaml.ScalarNode) and (why := grows(node.value.encode())):
        yield f"line {_line(node)}: the text that begins here: {why}"


def _paths(name: str, value: yaml.Node) -> Iterator[PathReference]:
    if name in _LISTS:
        for entry in _scalars(value):
            if not (name == "patchesStrategicMerge" and ("\n" in entry.value or entry.value.startswith("{"))):
                yield PathReference(entry.value, _line(entry), name)
        return
    for table in value.value if isinstance(value, yaml.SequenceNode) else [value]:
        for key, inner in table.value if isinstance(table, yaml.MappingNode) else ():
            if (field := str(key.value).casefold()) in _TABLES[name]:
                for entry in _scalars(inner):
                    path = _KEYED.sub("", entry.value) if field == "files" else entry.value
                    yield PathReference(path, _line(entry), f"{name}.{field}")


def _scalars(value: yaml.Node) -> list[yaml.ScalarNode]:
    return [
        each
        for each in (value.value if isinstance(value, yaml.SequenceNode) else [value])
        if isinstance(each, yaml.ScalarNode) and each.value
    ]


def _foreign(path: str) -> Iterator[str]:
    if _ADDRESS.match(path):
        yield f"{path!r} is an address, and only files of the project are rendered"
    elif path.startswith("/"):
        yield f"{path!r} is an absolute path: name it from here"
    elif not path.isprintable() or "\\" in path:
        yield f"{path!r} is not a path that every reader takes for the same"
