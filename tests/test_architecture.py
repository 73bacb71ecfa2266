"""The picture of the design holds: who may import whom, who starts processes, who prints, and how long things get."""

import ast
import io
import tokenize
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pipeline.config import HOME

LEAVES = {"errors", "digest", "shown"}
# What touches the outside, one kind each. A module that is neither here nor named below has to be pure.
EDGES = {
    "asking",
    "bases",
    "below",
    "blobs",
    "bounding",
    "built",
    "bytecode",
    "catalogue",
    "checkout",
    "committed",
    "collecting",
    "config",
    "consumer",
    "cosign",
    "credentials",
    "deb",
    "differences",
    "disk",
    "download",
    "docker",
    "earlier",
    "environment",
    "evidence",
    "fetch",
    "fetch_debian",
    "fetch_image",
    "fetch_python",
    "fetch_tools",
    "grype",
    "handed",
    "inputs",
    "layer",
    "leftovers",
    "layering",
    "layout",
    "libraries",
    "lookup",
    "loopback",
    "machine",
    "moving",
    "namespaces",
    "planning",
    "unpacking",
    "policy_files",
    "processes",
    "rebuild",
    "record",
    "registry",
    "relock",
    "relock_debian",
    "relock_python",
    "relock_tools",
    "rootfs",
    "run_directory",
    "sandbox",
    "selection",
    "seal",
    "signing",
    "start",
    "store",
    "store_archive",
    "store_cleaning",
    "streams",
    "surroundings",
    "toolbox",
    "touched",
    "tree",
    "verifiers",
    "wheel",
    "world",
    "written",
    "zipped",
}
STAGE = {"stage", "keys", "run", "suite", "bubblewrap", "confined", "venv", "dagger_graph"}
ENGINES = {"host", "dagger_module"}
# Programs of their own: some run inside images, and one gives its process's rights and its place to a command.
PROGRAMS = {"asker", "callable_server", "offline", "suite_runner"}

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


def ours(source: str, modules: Modules) -> set[str]:
    """Return the modules of the package that a source imports."""
    return {name.removeprefix("pipeline.") for name in imported(source)} & modules.keys()


def called(source: str) -> set[str]:
    """Return the name of everything that a source calls, bare and dotted: `now` and `datetime.now`."""
    names = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    return names | {name.rpartition(".")[2] for name in names}


def layer(name: str) -> str:
    """Return the layer that a module belongs to; pure unless the picture says otherwise."""
    named = {"__main__": "main", "cli": "cli", "stages": "stages", "local": "edge", "table": "table"}
    if (package := name.partition(".")[0]) in named:
        return named[package]
    module = name.rpartition(".")[2]
    for names, title in (
        (PROGRAMS, "program"),
        (LEAVES, "leaf"),
        (EDGES, "edge"),
        (STAGE, "stage"),
        (ENGINES, "engine"),
    ):
        if module in names:
            return title
    return "pure"


BELOW: dict[str, set[str]] = {
    "program": {"edge"},
    "leaf": {"leaf"},
    "pure": {"leaf", "pure"},
    "edge": {"leaf", "pure", "edge", "program"},
    "stage": {"leaf", "pure", "edge", "stage"},
    "stages": {"leaf", "pure", "edge", "stage"},
    "table": {"stage", "stages"},
    "engine": {"leaf", "pure", "edge", "stage", "table"},
    "cli": {"leaf", "pure", "edge", "stage", "table", "engine", "cli"},
    "main": {"leaf", "cli"},
}


def imports_point_downwards(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        for other in ours(source, modules) - {name}:
            if layer(other) not in BELOW[layer(name)]:
                yield f"{name} ({layer(name)}) imports {other} ({layer(other)})"


def nothing_imports_in_a_circle(modules: Modules) -> Iterator[str]:
    remaining = {name: ours(source, modules) - {name} for name, source in modules.items() if layer(name) != "cli"}
    while free := [name for name, needs in remaining.items() if not needs & remaining.keys()]:
        for name in free:
            del remaining[name]
    if remaining:
        yield f"these import each other in a circle: {', '.join(sorted(remaining))}"


def only_world_imports_the_stand_ins(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if not name.startswith("local") and name != "world":
            yield from (f"{name} imports {other}" for other in ours(source, modules) if other.startswith("local"))


def pure_modules_touch_nothing_outside(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if layer(name) in {"leaf", "pure"} and name != "digest":  # digest hashes files; all others get bytes
            yield from (f"{name} imports {other}" for other in sorted(set(imported(source)) & OUTSIDE))
            yield from (f"{name} calls {other}" for other in sorted(called(source) & UNTOUCHED_BY_PURE))


def only_one_module_starts_processes(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if name != "processes" and layer(name) != "program":
            yield from (f"{name} imports {other}" for other in sorted(set(imported(source)) & STARTS_MODULES))
            yield from (f"{name} calls {other}" for other in sorted(called(source) & STARTS))


def only_the_command_line_prints_and_exits(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if layer(name) not in {"cli", "main", "program"}:
            yield from (
                f"{name} calls {other}" for other in sorted(called(source) & {"print", "exit", "_exit", "input"})
            )
            yield from (
                f"{name} uses {other}" for other in ("sys.stdout", "sys.stderr") if other in set(imported(source))
            )


def only_the_dagger_engine_imports_dagger(modules: Modules) -> Iterator[str]:
    for name, source in modules.items():
        if not name.startswith("dagger_") and any(each.partition(".")[0] == "dagger" for each in imported(source)):
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


def no_two_modules_that_are_known_by_their_names_share_one(modules: Modules) -> Iterator[str]:
    names = [name.rpartition(".")[2] for name in modules if name.partition(".")[0] not in {"cli", "stages", "local"}]
    yield from sorted({name for name in names if names.count(name) > 1})


RULES: dict[Rule, Modules] = {
    no_two_modules_that_are_known_by_their_names_share_one: {"image.layout": "", "smoke.layout": ""},
    imports_point_downwards: {"sbom": "from pipeline.toolbox import Toolbox", "toolbox": ""},
    nothing_imports_in_a_circle: {"sbom": "import pipeline.vex", "vex": "from pipeline import sbom"},
    only_world_imports_the_stand_ins: {"stage": "from pipeline.local import x", "local": ""},
    pure_modules_touch_nothing_outside: {"sbom": "import datetime\ndatetime.datetime.now()"},
    only_one_module_starts_processes: {"store": "import anyio\nanyio.run_process(['ls'])"},
    only_the_command_line_prints_and_exits: {"stages.build": "print('done')"},
    only_the_dagger_engine_imports_dagger: {"cli": "from dagger import dag"},
    a_stage_module_gives_its_body_and_the_table_takes_nothing_else: {"stages.build": "async def construct(): ..."},
    no_module_has_a_name_that_says_nothing: {"stages.utils": ""},
    modules_are_short: {"sbom": "x = 1\n" * 200},
    functions_are_short: {"sbom": LONG},
}


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    return read_modules(HOME / "pipeline")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_holds(rule: Rule, modules: Modules) -> None:
    assert list(rule(modules)) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_sees_what_breaks_it(rule: Rule) -> None:
    assert list(rule(RULES[rule])) != []


def test_a_stage_may_not_import_another_one() -> None:
    sources = {"stages.test": "from pipeline.stages.build import build", "stages.build": ""}
    assert list(imports_point_downwards(sources)) == ["stages.test (stages) imports stages.build (stages)"]


def test_engines_may_not_import_each_other() -> None:
    sources = {"host": "import pipeline.dagger_module", "dagger_module": ""}
    assert list(imports_point_downwards(sources)) == ["host (engine) imports dagger_module (engine)"]


def test_the_picture_names_no_module_that_is_gone(modules: Modules) -> None:
    there = {name.rpartition(".")[2] for name in modules}
    assert (EDGES | STAGE | ENGINES | LEAVES | PROGRAMS) - there == set()


def test_no_test_mocks_our_own_parts() -> None:
    for name, source in read_modules(HOME / "tests").items():
        if not name.startswith("samples.") and name != "test_architecture":
            assert "unittest.mock" not in set(imported(source)), name
