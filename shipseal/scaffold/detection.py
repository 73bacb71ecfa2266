"""Look at a project that has no `pipeline.toml` yet: its files, its modules, its tests and where it comes from."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from shipseal.errors import UsageError
from shipseal.project.checkout import listed, work_tree
from shipseal.statements.spelling import repository_uri

_MOST, _LARGEST = 5_000, 1 << 20  # files, and bytes of one: who has more names what is meant
_TESTS = ("tests", "test")
_NO_CODE = {
    "tests",
    "test",
    "docs",
    "doc",
    "examples",
    "example",
    "scripts",
    "tools",
    "benchmarks",
    "setup.py",
    "conftest.py",
}
_PROJECT = {"pyproject.toml", "setup.cfg", "setup.py"}
_KEPT = (".toml", ".lock", ".txt", ".in", ".cfg", ".py")


@dataclass(frozen=True)
class DetectedProject:
    """A project as it lies there.

    Args:
        root: its directory.
        files: the text of what lies in it and in `requirements/`, and what its tests need, by name.
        modules: the source of each module of its packages, by dotted name.
        tests: the directories or files of its tests.
        origin: the address of its repository, in one spelling; empty where it has none.
    """

    root: Path
    files: dict[str, str]
    modules: dict[str, str]
    tests: tuple[str, ...]
    origin: str


def look(root: Path) -> DetectedProject:
    """Look at a project; nothing of it is run or imported.

    Raises:
        UsageError: it is none that could be built, with what to write.
        ConfigError: its repository cannot be read.
    """
    paths = [path for path in listed(root, root) if path.suffix in _KEPT and path.is_file() and not path.is_symlink()]
    if len(paths) > _MOST:
        raise UsageError(
            f"{root} has more than {_MOST} files of Python and requirements", remedy="stand in the project itself"
        )
    names = {str(path.relative_to(root)): path for path in paths if path.stat().st_size <= _LARGEST}
    files = {name: _text(path) for name, path in names.items() if "/" not in name or _listed(name)}
    if files.keys().isdisjoint(_PROJECT):
        raise UsageError(
            f"there is no pyproject.toml in {root}",
            why="a wheel is built by the backend that pyproject.toml names (PEP 517)",
            remedy='write one: [build-system] requires = ["setuptools"], build-backend = "setuptools.build_meta"; and '
            "[project] with name, version and dependencies",
        )
    inside = "src/" if any(name.startswith("src/") for name in names) else ""
    modules = {
        _dotted(name.removeprefix(inside)): _text(path)
        for name, path in names.items()
        if name.endswith(".py") and name.startswith(inside) and _is_code(name.removeprefix(inside))
    }
    tests = tuple(each for each in _TESTS if any(_is_below(each, name) for name in names))
    return DetectedProject(root, files, modules, tests or tuple(sorted(filter(_is_test, files))), _origin(root))


def _listed(name: str) -> bool:
    return name.startswith("requirements/") or name in {f"{each}/requirements.txt" for each in _TESTS}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _dotted(name: str) -> str:
    return name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def _is_code(name: str) -> bool:
    first, *_ = name.split("/")
    return first not in _NO_CODE and not _is_test(first) and all(part.isidentifier() for part in name[:-3].split("/"))


def _is_below(directory: str, name: str) -> bool:
    """Say whether pytest finds a test in this file, if it looks below the directory."""
    return name.startswith(f"{directory}/") and _is_test(name.rpartition("/")[2])


def _is_test(name: str) -> bool:
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


def _origin(root: Path) -> str:
    tree = work_tree(root)
    if tree is None:
        return ""
    with closing(tree.repository):
        try:
            return repository_uri(tree.repository.get_config().get((b"remote", b"origin"), b"url").decode())
        except (KeyError, UnicodeDecodeError):
            return ""
