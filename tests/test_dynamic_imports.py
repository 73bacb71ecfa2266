"""What the standard library imports only when it is used is known, and each row of the list is true."""

import re
import subprocess
import sys

import pytest

from shipseal.image.closure import Origin, close
from shipseal.image.dynamic_imports import DEFERRED, deferred, named, words
from tests.test_closure import closed, module

START = """
for way in "fork", "spawn":
    context = multiprocessing.get_context(way)
    process = context.Process(target=int)
    process.start()
    process.join()
"""
# How each row is used, once its module has been imported; or how it is imported, where that is enough.
JSON = "for name in ('utf-16-be', 'utf-16-le', 'utf-32-be', 'utf-32-le', 'utf-8-sig'): "
USES = {
    **{(owner, ""): f"import {owner}" for owner in ("_decimal", "_elementtree", "_pickle", "_sqlite3")},
    ("argparse", "ArgumentParser"): "argparse.ArgumentParser().parse_args([])",
    ("concurrent.futures", "ProcessPoolExecutor"): "concurrent.futures.ProcessPoolExecutor",
    ("concurrent.futures", "ThreadPoolExecutor"): "concurrent.futures.ThreadPoolExecutor",
    ("datetime", "strptime"): "datetime.datetime.strptime('1', '%d')",
    ("email", "message_from_bytes"): "email.message_from_bytes(b'')",
    ("email", "message_from_string"): "email.message_from_string('')",
    ("email.message", "as_bytes"): "email.message.Message().as_bytes()",
    ("email.message", "as_string"): "email.message.Message().as_string()",
    ("email.message", "EmailMessage"): "email.message.EmailMessage()",
    ("email.message", "set_content"): "email.message.EmailMessage().set_content('')",
    ("functools", "singledispatch"): "functools.singledispatch(print)",
    ("importlib.resources", ""): "import importlib.resources; importlib.resources.files('encodings')",
    ("json", "json.load"): f"{JSON}json.load(__import__('io').BytesIO('[1]'.encode(name)))",
    ("json", "json.loads"): f"{JSON}json.loads('[1]'.encode(name))",
    ("multiprocessing", "allow_connection_pickling"): "multiprocessing.allow_connection_pickling()",
    ("multiprocessing", "Event"): "multiprocessing.Event()",
    ("multiprocessing", "get_context"): START,
    ("multiprocessing", "Lock"): "multiprocessing.Lock()",
    ("multiprocessing", "Pipe"): "multiprocessing.Pipe()",
    ("multiprocessing", "Pool"): "multiprocessing.Pool(1).terminate()",
    ("multiprocessing", "Process"): START,
    ("multiprocessing", "Queue"): "multiprocessing.Queue()",
    ("multiprocessing.popen_spawn_posix", ""): f"import multiprocessing\n{START}",
    ("sysconfig", "get_config_var"): "sysconfig.get_config_var('TZPATH')",
    ("sysconfig", "get_config_vars"): "sysconfig.get_config_vars()",
    ("sysconfig", "get_path"): "sysconfig.get_path('stdlib')",
    ("sysconfig", "get_paths"): "sysconfig.get_paths()",
    ("time", "strptime"): "time.strptime('1', '%d')",
    ("xml.dom.minidom", "parseString"): "xml.dom.minidom.parseString('<a/>')",
    ("xml.sax", ""): "import xml.sax; xml.sax.make_parser()",
    ("zoneinfo", ""): "import zoneinfo",
}


def test_each_row_has_a_use() -> None:
    assert USES.keys() == {(owner, word) for owner, table in DEFERRED.items() for word in table}


@pytest.mark.parametrize(("owner", "word"), USES)
def test_a_row_is_true_of_the_real_library(owner: str, word: str) -> None:
    names = DEFERRED[owner][word]
    imported = "sys" if USES[owner, word].startswith("import") else owner
    program = (
        f"import sys, {imported}\nbefore = set(sys.modules)\n{USES[owner, word]}\nprint(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    loaded = {re.sub(r"(?<=^_sysconfigdata_).*", "", name) for name in done.stdout.split()}
    assert {re.sub(r"(?<=^_sysconfigdata_).*", "", name) for name in names} <= loaded  # named for this platform


def test_a_word_counts_as_a_whole_and_only_where_its_module_is_needed() -> None:
    assert words(b"datetime.strptime(a, b); my_strptime2()") == {"strptime"}
    assert words(b"my_strptime2()") == set()
    assert list(deferred(["datetime"], ["strptime"])) == [("_strptime", "datetime")]
    assert list(deferred(["json"], ["strptime"])) == []
    assert list(deferred(["datetime"], [])) == []


def test_a_dotted_name_counts_where_it_is_a_string_of_its_own() -> None:
    source = b"""LOOPS = {"auto": "loops.auto:factory", 'b': 'loops.other'}; "see loops.third for more"; loops.fourth"""
    assert named(source) == {"loops.auto", "loops.other"}


PUT_TOGETHER = """
from importlib import import_module
def backend(name):
    return import_module(f"io._backends._{name}")
"""


def test_of_a_name_that_is_put_together_each_module_comes_along_that_begins_like_it_and_can_be_imported() -> None:
    """As anyio imports its backends, of which one needs what nobody may have."""
    wheels = {"io": PUT_TOGETHER, "io._backends": "", "io._backends._one": "", "io._backends._two": "import trio"}
    more = {"io._backends.other": ""}
    standard = {"importlib": ""}
    found = closed("import io", {**wheels, **more}, standard)
    assert set(found.needed) == {"app", "importlib", "io", "io._backends", "io._backends._one"}
    without = PUT_TOGETHER.replace("import_module", "print")
    assert set(closed("import io", {**wheels, **more, "io": without}, standard).needed) == {"app", "importlib", "io"}


def test_a_module_that_is_named_in_a_string_comes_along_where_it_can_be_imported() -> None:
    names = 'X = ["w.a", "w.b.Thing", "w.none", "w.c", "os.path"]'
    wheels = {"w": names, "w.a": "", "w.b": "", "w.c": "import nowhere"}
    every = {name: module(name, source, Origin.WHEEL, package=name == "w") for name, source in wheels.items()}
    every["app"] = module("app", "import w", Origin.SERVICE)
    assert set(close(every, [], ["app"]).needed) == {"app", "w", "w.a", "w.b"}


@pytest.mark.parametrize(("origin", "counts"), [(Origin.SERVICE, True), (Origin.WHEEL, True), (Origin.STANDARD, False)])
def test_what_the_service_and_its_wheels_use_brings_it_and_all_that_it_needs(origin: Origin, counts: bool) -> None:
    every = [
        module("app", "import user", Origin.SERVICE),
        module("user", "import datetime\ndatetime.datetime.strptime('1', '%d')", origin),
        module("datetime", "", Origin.STANDARD),
        module("_strptime", "import locale", Origin.STANDARD),
        module("locale", "", Origin.STANDARD),
    ]
    needed = close({each.name: each for each in every}, [], ["app"]).needed
    assert ({"_strptime", "locale"} <= needed.keys()) is counts
    assert needed.get("_strptime") == ("datetime" if counts else None)


def test_what_a_module_of_the_interpreter_itself_brings_counts_once_it_is_imported() -> None:
    standard = {"_strptime": module("_strptime", "", Origin.STANDARD)}
    for source, counts in (("import time\ntime.strptime", True), ("x.strptime", False)):
        needed = close({"app": module("app", source, Origin.SERVICE), **standard}, ["time"], ["app"]).needed
        assert ("_strptime" in needed) is counts
