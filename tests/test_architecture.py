"""The picture of the design holds: who may import whom, who starts processes, who prints, and how long things get."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from shipseal.project.config import HOME

ORDER = (
    "__main__",
    "stages",
    "smoke cli",
    "released attacks",
    "image reporting rollout evidence",
    "engine",
    "judging local doctor scaffold",
    "verification",
    "signing scanning",
    "statements relocking",
    "distribution locked cluster",
    "oci deploying tools project",
    "formats documents",
    "values",
)
"""The rooms of the house: a package imports only what stands in a row below its own. `values` are the loose modules."""

# Programs of their own: some run inside images, and one gives its process's rights and its place to a command.
PROGRAMS = {"smoke.asker", "image.callable_server", "engine.offline", "smoke.suite_runner"}
STARTS_PROCESSES = "tools.processes"

OUTSIDE = {
    *("anyio", "asyncio", "dagger", "fcntl", "glob", "http", "httpx", "mmap", "multiprocessing", "os", "platform"),
    *("random", "requests", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "subprocess", "sys"),
    *("tempfile", "threading", "time", "urllib.request"),
}
UNTOUCHED_BY_PURE = {"now", "utcnow", "today", "read_bytes", "read_text", "write_bytes", "write_text", "uuid4", "open"}
STARTS = {
    *("anyio.open_process", "anyio.run_process", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    *("os.system", "os.popen", "os.fork", "os.posix_spawn", "os.spawnv", "ProcessPoolExecutor"),
}
PRINTS = {"print", "input", "sys.exit", "exit", "os._exit", "sys.stdout.write", "sys.stderr.write"}
STARTS_MODULES = {
    *("anyio.to_process", "concurrent.futures.ProcessPoolExecutor", "concurrent.futures.process"),
    *("multiprocessing", "pty", "subprocess"),
}
VAGUE = {"utils", "util", "helpers", "helper", "managers", "manager", "common", "misc", "base"}

# It hashes what it is given, files too.
WITHIN_PURE = {"digest"}
# What these do outside, or by chance, is done by a library: the rules cannot see it.
BY_A_LIBRARY = {
    *("signing.verifiers", "local.sigstore.authority", "local.sigstore.keys"),
    *("local.sigstore.tokens", "local.sigstore.transparency"),
}

LONGEST_MODULE = 180
LONGEST_FUNCTION = 45

Modules = Mapping[str, str]
Rule = Callable[[Modules], Iterator[str]]


def read_modules(package: Path) -> dict[str, str]:
    """Return the source of every module of a package by its dotted name below the package."""
    return {
        ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__"): path.read_text("utf-8")
        for path in sorted(package.rglob("*.py"))
    }


def imported(source: str) -> Iterator[str]:
    """Yield the dotted name of every module that a source imports, those for type checkers included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(source: str, modules: Modules, top: str = "shipseal") -> set[str]:
    """Return the modules of the package that a source imports."""
    return {name.removeprefix(f"{top}.") for name in imported(source)} & modules.keys()


def called(source: str) -> set[str]:
    """Return the name of everything that a source calls, bare and dotted: `now` and `datetime.now`."""
    names = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    return names | {name.rpartition(".")[2] for name in names}


def room(name: str, modules: Modules) -> str:
    """Return the package that a module stands in; what stands loose at the top are values."""
    first, _, rest = name.partition(".")
    return first if rest or first == "__main__" or any(each.startswith(f"{first}.") for each in modules) else "values"


def row(room: str) -> int:
    """Return how far from the bottom a room is; raise `StopIteration` for one that the order does not have."""
    return next(len(ORDER) - index for index, rooms in enumerate(ORDER) if room in rooms.split())


def imports_point_downwards(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        for other in ours(source, modules) - {name}:
            one, two = room(name, modules), room(other, modules)
            if (one != two and row(two) >= row(one)) or (one == "stages" == two):
                yield f"{name} imports {other}, and {two} does not stand below {one}"


def nothing_imports_in_a_circle(modules: Modules, top: str = "shipseal") -> Iterator[str]:
    remaining = {name: ours(source, modules, top) - {name} for name, source in modules.items()}
    while free := [name for name, needs in remaining.items() if not needs & remaining.keys()]:
        for name in free:
            del remaining[name]
    if remaining:
        yield f"these import each other in a circle: {', '.join(sorted(remaining))}"


def only_world_imports_the_stand_ins(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if not name.startswith("local") and name != "engine.world":
            yield from (f"{name} imports {other}" for other in ours(source, modules) if other.startswith("local"))


def claims_to_be_pure(name: str, modules: Modules) -> bool:
    """Say whether a module's docstring says that it is pure, or that of its package says it of all that is in it."""
    docstrings = [ast.get_docstring(ast.parse(modules.get(each, ""))) or "" for each in {name, name.partition(".")[0]}]
    return any(re.search(r"\bPure\b", text) for text in docstrings)


def packages(modules: Modules) -> set[str]:
    return {"__init__", *(name for name in modules if any(each.startswith(f"{name}.") for each in modules))}


def outside(name: str, modules: Modules) -> Iterator[str]:
    """Yield what a module touches outside by itself: through what it imports, and by what it calls."""
    yield from (f"{name} imports {other}" for other in sorted(set(imported(modules[name])) & OUTSIDE))
    yield from (f"{name} calls {other}" for other in sorted(called(modules[name]) & UNTOUCHED_BY_PURE))


def pure_modules_touch_nothing_outside(modules: Modules) -> Iterator[str]:
    for name in (name for name in modules if claims_to_be_pure(name, modules)):
        yield from outside(name, modules)
        others = ours(modules[name], modules) - {name, *packages(modules), *WITHIN_PURE}
        yield from (f"{name} imports {other}, not pure" for other in others if not claims_to_be_pure(other, modules))


def what_touches_nothing_outside_says_that_it_is_pure(modules: Modules) -> Iterator[str]:
    """So that nobody takes the claim away unseen: whoever does has to touch something."""
    known = {*packages(modules), *WITHIN_PURE}
    pure = {name for name in modules if name not in {*known, *BY_A_LIBRARY} and not [*outside(name, modules)]}
    while stained := {name for name in pure if ours(modules[name], modules) - {name, *known, *pure}}:
        pure -= stained
    yield from sorted(name for name in pure if not claims_to_be_pure(name, modules))


def only_one_module_starts_processes(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if name not in {STARTS_PROCESSES, *PROGRAMS}:
            yield from (f"{name} imports {other}" for other in sorted(set(imported(source)) & STARTS_MODULES))
            yield from (f"{name} calls {other}" for other in sorted(called(source) & STARTS))


def only_the_command_line_prints_and_exits(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if room(name, modules) not in {"cli", "__main__"} and name not in PROGRAMS:
            yield from (
                f"{name} calls {other}" for other in sorted(called(source) & {"print", "exit", "_exit", "input"})
            )
            yield from (
                f"{name} uses {other}" for other in ("sys.stdout", "sys.stderr") if other in set(imported(source))
            )


def only_the_dagger_engine_imports_dagger(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if not name.startswith("engine.dagger_") and any(
            each.partition(".")[0] == "dagger" for each in imported(source)
        ):
            yield f"{name} imports dagger"


def a_stage_module_gives_its_body_and_the_table_takes_nothing_else(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        stage = name.removeprefix("stages.")
        if name in {stage, "stages"}:
            continue
        functions = [node.name for node in ast.parse(source).body if isinstance(node, ast.AsyncFunctionDef)]
        public = [each for each in functions if not each.startswith("_")]
        if public != [stage]:
            yield f"{name} has the stage bodies {public}"


def no_module_has_a_name_that_says_nothing(modules: Modules) -> Iterator[str]:
    yield from (name for name in modules if VAGUE & set(name.split(".")))


def lines_of_code(source: str) -> set[int]:
    """Return the numbers of the lines that hold code: no blank line, comment or docstring."""
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {line for each in tokens if each.type not in ignored for line in range(each.start[0], each.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def modules_are_short(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if (length := len(lines_of_code(source))) > LONGEST_MODULE:
            yield f"{name} has {length} lines of code, and {LONGEST_MODULE} are allowed"


def functions_are_short(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        lines = lines_of_code(source)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = len(lines & set(range(node.lineno, (node.end_lineno or 0) + 1)))
                if length > LONGEST_FUNCTION:
                    yield f"{name}.{node.name} has {length} lines of code, and {LONGEST_FUNCTION} are allowed"


LONG = "\n".join(["def long():", *(f"    x = {number}" for number in range(60))])


RULES: dict[Rule, Modules] = {
    imports_point_downwards: {"scanning.sbom": "from shipseal.judging import vex", "judging.vex": ""},
    nothing_imports_in_a_circle: {
        "cli.progress": "import shipseal.cli.screen",
        "cli.screen": "from shipseal.cli import progress",
    },
    only_world_imports_the_stand_ins: {"engine.run": "from shipseal.local import signer", "local.signer": ""},
    pure_modules_touch_nothing_outside: {"times": '"""Pure."""\nimport datetime\ndatetime.datetime.now()'},
    what_touches_nothing_outside_says_that_it_is_pure: {"judging.policy": '"""Judge."""'},
    only_one_module_starts_processes: {"locked.store": "import anyio\nanyio.run_process(['ls'])"},
    only_the_command_line_prints_and_exits: {"stages.build": "print('done')"},
    only_the_dagger_engine_imports_dagger: {"cli": "from dagger import dag"},
    a_stage_module_gives_its_body_and_the_table_takes_nothing_else: {"stages.build": "async def construct(): ..."},
    no_module_has_a_name_that_says_nothing: {"stages.utils": ""},
    modules_are_short: {"sbom": "x = 1\n" * 200},
    functions_are_short: {"sbom": LONG},
}


# What stands side by side in the checkout, and what each may import of that.
BESIDE: dict[str, set[str]] = {
    "service": set(),
    "shipseal": set(),
    "tests": {"shipseal", "service"},
    "bench": {"shipseal", "service", "tests"},
}


@pytest.mark.parametrize("top", ["service", "bench"])
def test_nothing_beside_the_pipeline_imports_in_a_circle(top: str) -> None:
    assert list(nothing_imports_in_a_circle(read_modules(HOME / top), top)) == []


@pytest.mark.parametrize("top", BESIDE)
def test_what_stands_side_by_side_imports_in_one_direction(top: str) -> None:
    found = {
        name: others
        for name, source in read_modules(HOME / top).items()
        if not name.startswith("samples.")
        and (others := {each.partition(".")[0] for each in imported(source)} & BESIDE.keys() - {top, *BESIDE[top]})
    }
    assert found == {}


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    return read_modules(HOME / "shipseal")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_holds(rule: Rule, modules: Modules) -> None:
    assert list(rule(modules)) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_sees_what_breaks_it(rule: Rule) -> None:
    assert list(rule(RULES[rule])) != []


def test_a_stage_may_not_import_another_one() -> None:
    sources = {"stages.test": "from shipseal.stages.build import build", "stages.build": ""}
    assert list(imports_point_downwards(sources)) == [
        "stages.test imports stages.build, and stages does not stand below stages"
    ]


def test_packages_of_one_row_do_not_import_each_other() -> None:
    sources = {"cli.plan": "from shipseal.smoke import suite", "smoke.suite": ""}
    assert list(imports_point_downwards(sources)) == [
        "cli.plan imports smoke.suite, and smoke does not stand below cli"
    ]


def test_what_a_package_says_of_itself_holds_for_all_that_is_in_it() -> None:
    sources = {"judging": '"""Pure."""', "judging.files": "import os"}
    assert list(pure_modules_touch_nothing_outside(sources)) == ["judging.files imports os"]


def test_what_is_pure_imports_nothing_that_is_not() -> None:
    sources = {"judging.vex": '"""Pure."""\nimport shipseal.disk', "disk": "import os"}
    assert list(pure_modules_touch_nothing_outside(sources)) == ["judging.vex imports disk, not pure"]


def test_the_order_has_each_room_once_and_no_room_that_is_gone(modules: Modules) -> None:
    assert sorted({room(name, modules) for name in modules}) == sorted(" ".join(ORDER).split())


def test_no_exception_is_made_for_a_module_that_is_gone(modules: Modules) -> None:
    assert {*PROGRAMS, STARTS_PROCESSES, *WITHIN_PURE, *BY_A_LIBRARY} - modules.keys() == set()


def test_no_test_mocks_our_own_parts() -> None:
    for name, source in read_modules(HOME / "tests").items():
        if not name.startswith("samples.") and name != "test_architecture":
            assert "unittest.mock" not in set(imported(source)), name
