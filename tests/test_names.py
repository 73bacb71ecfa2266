"""A name of the pipeline means one thing: no two classes share one, and no module has a word that is nobody else's."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping

from shipseal.project.config import HOME

NOT_THE_FIELDS = {
    *("require_eyesight", "hold", "Turn", "anew", "told", "lends", "BESIDE", "Who", "object_to", "surroundings"),
    "machine",
}
"""Words that said nothing to whoever knows OCI, in-toto, Kubernetes or Bazel, and have given way to theirs."""

NO_MODULES = {
    *("both", "built", "committed", "drawn", "earlier", "found", "given", "handed", "held", "judged", "listed"),
    *("observed", "packed", "placed", "rendered", "said", "seen", "since", "touched", "verified", "written"),
}
"""What somebody did or saw: a module is named by what it is about."""

Sources = Mapping[str, str]


def read_sources() -> dict[str, str]:
    """Return the source of every module of the pipeline, by its path."""
    package = HOME / "shipseal"
    return {str(path.relative_to(package)): path.read_text("utf-8") for path in sorted(package.rglob("*.py"))}


def used_twice(sources: Sources) -> Iterator[str]:
    """Yield each name that is that of more than one class."""
    found = defaultdict(list)
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path)
    yield from (f"{name}: {', '.join(paths)}" for name, paths in found.items() if len(paths) > 1)


def not_the_fields(sources: Sources) -> Iterator[str]:
    """Yield each module, and each class, function and constant of one, that has such a word for a name."""
    for path, source in sources.items():
        if path.removesuffix(".py").rpartition("/")[2] in {*NOT_THE_FIELDS, *NO_MODULES}:
            yield path
        for node in ast.parse(source).body:
            names = [node.name] if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) else []
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [each.id for each in targets if isinstance(each, ast.Name)]
            yield from (f"{path}: {name}" for name in names if name in NOT_THE_FIELDS)


def test_no_two_classes_have_one_name() -> None:
    assert list(used_twice(read_sources())) == []


def test_nothing_is_named_by_a_word_that_is_not_the_fields() -> None:
    assert list(not_the_fields(read_sources())) == []


def test_a_name_that_is_used_twice_is_seen() -> None:
    sources = {"oci/documents.py": "class Runtime: ...", "runtime.py": "class Runtime: ..."}
    assert list(used_twice(sources)) == ["Runtime: oci/documents.py, runtime.py"]


def test_a_word_that_is_not_the_fields_is_seen() -> None:
    sources = {"scaffold/found.py": "", "errors.py": "def told(): ...", "smoke.py": "BESIDE: str = '/beside'\nhold = 1"}
    assert list(not_the_fields(sources)) == [
        "scaffold/found.py",
        "errors.py: told",
        "smoke.py: BESIDE",
        "smoke.py: hold",
    ]
