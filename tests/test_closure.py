"""What a service needs is found by reading: who wrote an import, and how, decides whether it counts."""

import textwrap
from collections.abc import Mapping, Sequence

import pytest

from shipseal.errors import SubjectFailed
from shipseal.image.closure import Closure, Module, Origin, close
from shipseal.image.imports import imports

BUILTIN = ("sys", "time")


def module(name: str, source: str | None, origin: Origin, *, package: bool = False, loadable: bool = True) -> Module:
    text = None if source is None else textwrap.dedent(source).encode()
    path = name.replace(".", "/") + ("/__init__.py" if package else ".py" if source is not None else ".so")
    return Module(name, path, origin, package, None if text is None else lambda: text, loadable)


def closed(service: str, wheels: Mapping[str, str] | None = None, standard: Mapping[str, str] | None = None) -> Closure:
    """Close over a service `app`; in the others a name that is a prefix of another is a package."""
    every = {"app": module("app", service, Origin.SERVICE)}
    for sources, origin in ((wheels or {}, Origin.WHEEL), (standard or {}, Origin.STANDARD)):
        for name, source in sources.items():
            package = any(other.startswith(f"{name}.") for other in sources)
            every[name] = module(name, source, origin, package=package)
    return close(every, BUILTIN, ["app"])


def test_an_import_brings_the_module_and_all_above_it_and_says_who_asked() -> None:
    found = closed("import a.b", standard={"a": "", "a.b": "import c", "c": "", "d": ""})
    assert found.needed == {"app": "", "a": "app", "a.b": "app", "c": "a.b"}


def test_from_brings_a_submodule_and_takes_an_attribute_for_what_it_is() -> None:
    assert {"a", "a.b"} <= closed("from a import b, attribute", standard={"a": "", "a.b": ""}).needed.keys()


def test_relative_imports_start_at_the_package_of_the_module() -> None:
    wheels = {"p": "from . import x", "p.x": "from .q.r import z", "p.q": "", "p.q.r": "from ..y import z", "p.y": ""}
    assert set(closed("import p", wheels).needed) == {"app", *wheels}


def test_what_is_compiled_into_an_extension_module_is_needed_where_it_is_there() -> None:
    """As code that cffi makes imports `_cffi_backend`, which no statement in Python shows."""
    fast = Module("fast", "fast.so", Origin.WHEEL, compiled_in=("_backend", "_elsewhere"))
    every = {"app": module("app", "import fast", Origin.SERVICE), "fast": fast}
    backend = {"_backend": module("_backend", None, Origin.WHEEL)}
    assert close({**every, **backend}, BUILTIN, ["app"]).needed == {"app": "", "fast": "app", "_backend": "fast"}
    assert close(every, BUILTIN, ["app"]).needed == {"app": "", "fast": "app"}


EXTRA = {"p": "", "p.http2": "from . import wire", "p.wire": "import h2"}
OPTIONAL = (
    "def later():\n    import p.http2",
    "try:\n    import p.http2\nexcept ImportError:\n    pass",
    "if a:\n    import p.http2",
    "try:\n    import nowhere\nexcept ImportError:\n    pass\nelse:\n    import p.http2",
)


@pytest.mark.parametrize("source", OPTIONAL)
def test_the_part_of_a_wheel_that_is_for_an_extra_is_left_out_where_nobody_has_what_it_needs(source: str) -> None:
    found = closed("import w", {"w": source, **EXTRA})
    assert set(found.needed) == {"app", "w"}
    assert found.left_out["p.http2"].endswith(", and it needs h2, which is nowhere")
    assert {"p.http2", "p.wire", "h2"} <= closed("import w", {"w": source, **EXTRA, "h2": ""}).needed.keys()


@pytest.mark.parametrize("source", OPTIONAL)
def test_what_can_be_imported_is_not_left_out_for_what_another_system_would_need(source: str) -> None:
    wheels = {"w": source, **EXTRA, "p.wire": "if WINDOWS:\n    import p.console", "p.console": "import msvcrt"}
    assert {"p.http2", "p.wire"} <= closed("import w", wheels).needed.keys()


@pytest.mark.parametrize("source", ["import p.http2", "def later():\n    import p.http2"])
def test_the_service_asks_for_an_extra_and_hears_what_it_lacks(source: str) -> None:
    with pytest.raises(SubjectFailed, match="there is no module h2") as refused:
        closed(source, EXTRA)
    assert "p.wire imports it in line 1" in refused.value.why[0]


def test_what_debian_keeps_apart_from_the_standard_library_is_no_matter_of_locks() -> None:
    with pytest.raises(SubjectFailed, match="there is no module distutils") as refused:
        closed("import distutils.util")
    assert "Debian keeps it apart" in refused.value.why[0]
    assert "PEP 632" in refused.value.remedy


def test_what_is_needed_in_one_place_is_refused_whoever_could_do_without_it() -> None:
    with pytest.raises(SubjectFailed, match="there is no module h2"):
        closed("import w, v", {"w": OPTIONAL[0], "v": "import p.http2", **EXTRA})


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("import extra", True),
        ("try:\n    import extra\nexcept ImportError:\n    extra = None", True),
        ("if something:\n    import extra", True),
        ("def later():\n    import extra", True),
        ("def later():\n    try:\n        import extra\n    except ImportError:\n        pass", False),
        ("if TYPE_CHECKING:\n    import extra", False),
        ("import sys\nif sys.platform == 'win32':\n    import extra", False),
        ("import sys\nif sys.platform != 'win32':\n    import extra", True),
        ("import os\nif os.name == 'nt':\n    pass\nelse:\n    import extra", True),
        ("if not TYPE_CHECKING:\n    import extra", True),
        ("if False or TYPE_CHECKING:\n    import extra", False),
        ("class A:\n    import extra", True),
        ("with a() as b:\n    import extra", True),
        ("match a:\n    case 1:\n        import extra", True),
        ("async def later():\n    for a in b:\n        import extra", True),
    ],
)
def test_how_the_service_imports_from_the_standard_library_decides(source: str, counts: bool) -> None:
    assert ("extra" in closed(source, standard={"extra": "", "os": ""}).needed) is counts


def test_what_the_service_can_do_without_in_one_place_it_can_do_without_in_all_its_functions() -> None:
    source = """
    def first():
        try:
            import extra
        except ImportError:
            return None
    def second():
        import extra
    """
    found = closed(source, standard={"extra": ""})
    assert "extra" not in found.needed
    assert found.left_out == {"extra": "app.py:4"}


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("import extra", True),
        ("try:\n    import extra\nexcept ImportError:\n    extra = None", True),
        ("def later():\n    import extra", False),
    ],
)
def test_how_a_wheel_imports_from_the_standard_library_decides(source: str, counts: bool) -> None:
    found = closed("import wheel", {"wheel": source}, {"extra": ""})
    assert ("extra" in found.needed) is counts
    assert ("extra" in found.left_out) is not counts


def test_what_a_wheel_imports_in_a_function_counts_where_a_wheel_has_it() -> None:
    assert "other" in closed("import wheel", {"wheel": "def later():\n    import other", "other": ""}).needed


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("import extra", True),
        ("if something:\n    import extra", True),
        ("try:\n    import extra\nexcept ImportError:\n    extra = None", False),
        ("def later():\n    import extra", False),
    ],
)
def test_how_the_standard_library_imports_from_itself_decides(source: str, counts: bool) -> None:
    assert ("extra" in closed("import std", standard={"std": source, "extra": ""}).needed) is counts


@pytest.mark.parametrize("loadable", [True, False])
def test_an_accelerator_counts_where_its_libraries_are(loadable: bool) -> None:
    modules = {
        "app": module("app", "import std", Origin.SERVICE),
        "std": module("std", "try:\n    import _std\nexcept ImportError:\n    pass", Origin.STANDARD),
        "_std": module("_std", None, Origin.STANDARD, loadable=loadable),
    }
    assert ("_std" in close(modules, BUILTIN, ["app"]).needed) is loadable


@pytest.mark.parametrize("loadable", [True, False])
def test_what_takes_the_place_of_an_accelerator_counts_where_its_libraries_are_not(loadable: bool) -> None:
    source = "try:\n    from _decimal import *\nexcept ImportError:\n    from _pydecimal import *"
    every = [
        module("app", "import decimal", Origin.SERVICE),
        module("decimal", source, Origin.STANDARD),
        module("_decimal", None, Origin.STANDARD, loadable=loadable),
        module("_pydecimal", "import numbers", Origin.STANDARD),
        module("numbers", "", Origin.STANDARD),
    ]
    needed = close({each.name: each for each in every}, BUILTIN, ["app"]).needed.keys()
    assert needed == {"app", "decimal", "numbers", "_decimal" if loadable else "_pydecimal"}


def test_a_module_that_is_nowhere_is_named_with_the_line_that_imports_it() -> None:
    with pytest.raises(SubjectFailed, match="there is no module nowhere") as caught:
        closed("\nimport nowhere")
    assert "app imports it in line 2" in caught.value.why[0]


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import nowhere\nexcept ImportError:\n    pass",
        "try:\n    import nowhere\nexcept ModuleNotFoundError:\n    pass",
        "try:\n    import nowhere\nexcept:\n    pass",
        "if sys.version_info < (3, 8):\n    import nowhere",
        "def later():\n    import nowhere",
        "import sys\nfrom sys import path",
    ],
)
def test_what_may_be_missing_may_be_missing(source: str) -> None:
    assert closed(source).needed == {"app": ""}


def test_a_guard_against_another_error_is_none() -> None:
    with pytest.raises(SubjectFailed, match="there is no module nowhere"):
        closed("try:\n    import nowhere\nexcept ValueError:\n    pass")


def test_a_star_after_a_name_brings_all_below_it() -> None:
    modules = {
        name: module(name, "", Origin.WHEEL, package=name == "data")
        for name in ("data", "data.a", "data.b", "database")
    }
    assert set(close(modules, BUILTIN, ["data.*"]).needed) == {"data", "data.a", "data.b"}


def test_a_star_brings_nothing_that_cannot_be_imported() -> None:
    sources = {
        "data": "",
        "data.a": "import data.b",
        "data.b": "import nowhere",
        "data.c": "import data.d",
        "data.d": "",
    }
    found = close({name: module(name, sources[name], Origin.WHEEL) for name in sources}, BUILTIN, ["data.*"])
    assert set(found.needed) == {"data", "data.c", "data.d"}
    assert found.left_out == dict.fromkeys(("data.a", "data.b"), "data.*, and it needs nowhere, which is nowhere")


def test_a_module_that_pipeline_toml_names_and_nobody_has_is_refused() -> None:
    with pytest.raises(SubjectFailed, match="there is no module nowhere") as caught:
        close({}, BUILTIN, ["nowhere"])
    assert caught.value.why[0].startswith("pipeline.toml names it")


@pytest.mark.parametrize("source", ["import a\ndef (:\n", "a = '\0'"])
def test_a_source_of_the_service_that_is_no_python_is_refused_even_when_nobody_imports_it(source: str) -> None:
    modules = {
        "app": module("app", "", Origin.SERVICE),
        "other": Module("other", "other.py", Origin.SERVICE, source=source.encode),
    }
    with pytest.raises(SubjectFailed, match=r"other.py(:2)? is not valid Python"):
        close(modules, BUILTIN, ["app"])


def test_a_source_may_be_in_another_encoding_and_may_hold_odd_escapes() -> None:
    source = "# -*- coding: latin-1 -*-\nimport a\nb = '\\d\xe4'\n".encode("latin-1")
    assert [found.name for found in imports(source, "")] == ["a"]


SIX = {"six": "X = ['urllib.parse']"}


@pytest.mark.parametrize(
    "source",
    [
        "import six.moves.urllib.parse",
        "from six.moves.urllib.parse import quote",
        "from six.moves import urllib",
        "import six.moves",
        "def later():\n    from six.moves import queue",
        "try:\n    from six.moves import queue\nexcept ImportError:\n    import queue",
        "if a:\n    import six.moves.queue",
    ],
)
def test_what_lies_below_a_module_that_is_no_package_is_made_by_it(source: str) -> None:
    assert {"app", "six"} == set(closed(source, SIX).needed)


def test_what_is_made_at_run_time_is_told_with_its_maker() -> None:
    found = closed("import six.moves.queue\nfrom six import text, wraps", SIX)
    assert found.made == {"six.moves.queue": "six"}
    assert "six.moves.queue" not in found.left_out


def test_a_vendored_module_makes_modules_too() -> None:
    wheels = {"w": "from w.six.moves import queue\nfrom .six.moves import range", "w.six": ""}
    assert {"app", "w", "w.six"} == set(closed("import w", wheels).needed)


def test_a_part_of_a_wheel_that_needs_what_a_module_makes_is_no_extra() -> None:
    wheels = {"w": "def later():\n    import w.part", "w.part": "import six.moves.queue", **SIX}
    assert {"w.part", "six"} <= closed("import w", wheels).needed.keys()


@pytest.mark.parametrize(
    ("source", "wheels", "standard"),
    [
        ("import w.none", {"w": "", "w.a": ""}, {}),
        ("import extra.none", {}, {"extra": ""}),
        ("import six.moves", {"sixty": ""}, {}),
    ],
)
def test_what_lies_below_a_package_or_below_the_standard_library_is_missing(
    source: str, wheels: Mapping[str, str], standard: Mapping[str, str]
) -> None:
    with pytest.raises(SubjectFailed, match="there is no module"):
        closed(source, wheels, standard)


def closed_with(source: str, *, made: Sequence[str] = (), whole: bool = False, seeds: Sequence[str] = ()) -> Closure:
    """Close over a service and a package `w` with a part that needs what is nowhere."""
    wheels = {"w": "", "w.a": "import nowhere", "w.b": "if", "w.c": "import w.extern.packaging"}
    every = {name: module(name, text, Origin.WHEEL, package=name == "w") for name, text in wheels.items()}
    every["app"] = module("app", source, Origin.SERVICE)
    return close(every, BUILTIN, ["app", *seeds], made=made, whole=whole)


def test_a_key_declares_modules_that_are_made_at_run_time_and_all_below_them() -> None:
    with pytest.raises(SubjectFailed, match=r"there is no module w\.extern") as refused:
        closed_with("import w.c")
    assert "image.made-modules" in refused.value.remedy
    found = closed_with("import w.c", made=["w.extern"])
    assert set(found.needed) == {"app", "w", "w.c"}
    assert found.made == {"w.extern.packaging": "w"}


def test_a_module_that_no_file_makes_can_be_declared_and_configured_too() -> None:
    found = closed_with("import gi.repository", made=["gi"], seeds=["gi.more"])
    assert set(found.needed) == {"app"}
    assert found.made == {"gi.repository": ""}


@pytest.mark.parametrize("source", ["import w.a", "import w.none.more", "import nowhere.at.all", "from . import x"])
def test_where_everything_is_in_the_image_what_is_nowhere_is_told_and_not_refused(source: str) -> None:
    found = closed_with(source, whole=True)
    assert "app" in found.needed
    assert [name for name, where in found.left_out.items() if "and it is nowhere" in where] or "x" in source


def test_where_everything_is_in_the_image_a_wheel_may_be_for_another_python_and_the_service_may_not() -> None:
    assert "w.b" in closed_with("import w.b", whole=True).needed
    with pytest.raises(SubjectFailed, match="is not valid Python"):
        closed_with("if", whole=True)


def test_where_everything_is_in_the_image_what_pipeline_toml_names_has_to_be_there_still() -> None:
    with pytest.raises(SubjectFailed, match="there is no module elsewhere"):
        closed_with("", whole=True, seeds=["elsewhere"])
