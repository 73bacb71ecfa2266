"""The service's tests run on the image's own files: what they have is the image's, and pytest lends nothing to it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shipseal.engine.run import Run
from shipseal.engine.stage import Stage
from shipseal.errors import SubjectFailed, ToolFailed
from shipseal.locked.store import Store
from shipseal.smoke.junit import JunitOutcome
from shipseal.stages.smoke import smoke
from tests.stages.services import FILES, PROGRAM, SERVER, Service
from tests.stages.test_smoke import needs_bubblewrap

SMOKE = Stage("smoke", smoke, needs=("inputs", "build", "image"), tools=("bwrap",), reads=("suite", "locks"))
LOADER = Stage("smoke", smoke, needs=("inputs", "build", "image"), reads=("suite", "locks"))
GOOD = "import sample.server\n\n\ndef test_it_has_a_main():\n    assert callable(sample.server.main)\n"


def with_tests(
    source: str, files: Mapping[str, str] = FILES, settings: str = "", name: str = "test_sample.py"
) -> Service:
    return Service(files=files, tests={name: source}, settings={"smoke": settings})


async def ran(service: Service, store: Store, root: Path, stage: Stage = SMOKE) -> tuple[Run, dict[str, Any]]:
    run = service.run(store, root)
    await service.image_once(run)
    await run.perform(stage)
    found: dict[str, Any] = json.loads((run.directory / "smoke" / "smoke.json").read_bytes())
    return run, found


@needs_bubblewrap
async def test_tests_that_pass_leave_their_report_and_what_they_touched(store: Store, tmp_path: Path) -> None:
    run, found = await ran(with_tests(GOOD), store, tmp_path / "good")
    assert found["suite"] == {
        "run": True,
        "passed": 1,
        "skipped": 0,
        "left_out": {},
        "modules_not_in_the_image": [],
        "platform": found["platform"],
    }
    assert 'name="test_it_has_a_main"' in (run.directory / "smoke" / "junit.xml").read_text()
    trace = json.loads((run.directory / "smoke" / "trace.json").read_bytes())
    assert trace["opened_by_the_service"] > 10
    # os.py is in the image for its place, by which the interpreter finds its library, and is frozen besides.
    assert "usr/lib/python3.11/os.pyc" in trace["never_opened"]


IN_PYTEST = """
import stringprep, subprocess, sys

import sample.server


def test_something_is_imported_here_and_something_by_what_is_started_here():
    assert stringprep
    subprocess.run([sys.executable, "-c", "import encodings.latin_1"], check=True)
"""


@needs_bubblewrap
async def test_what_asks_and_what_tests_is_not_taken_for_the_service(store: Store, tmp_path: Path) -> None:
    """To look up a host's name takes `encodings.idna`: the one who asks does, and this service does not."""
    run, found = await ran(with_tests(IN_PYTEST), store, tmp_path / "in-pytest")
    trace = json.loads((run.directory / "smoke" / "trace.json").read_bytes())
    at = {
        name: [
            key
            for key in ("loaded", "opened_during_tests_only", "never_opened")
            if f"usr/lib/python3.11/{name}.pyc" in trace[key]
        ]
        for name in ("socket", "stringprep", "encodings/idna", "encodings/latin_1")
    }
    assert at == {
        "socket": ["loaded"],
        "stringprep": ["never_opened"],
        "encodings/idna": ["never_opened"],
        "encodings/latin_1": ["opened_during_tests_only"],
    }
    assert trace["digest"] == found["digest"]
    assert trace["workload"] | {"digest": ""} == {"digest": "", "requests": 1, "tests": 1, "loaded": 3, "modules": 3}


PLACES = """
import importlib.util, json, os, subprocess, sys

import sample.server

IN_THE_IMAGE = ["sample", "socket", "encodings.idna"]


def test_modules_of_the_image_are_the_images():
    assert not [name for name in IN_THE_IMAGE if importlib.util.find_spec(name).origin.startswith("/beside")]


def test_pytest_comes_from_beside_it():
    assert pytest_file().startswith("/beside/wheels/")


def pytest_file():
    import pytest

    return pytest.__file__


def test_what_is_started_has_the_image_and_nothing_else():
    code = "import sys; print(sys.path)\\ntry:\\n    import colorsys\\nexcept ImportError: print('as it should be')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "/beside" not in done.stdout
    assert done.stdout.endswith("as it should be\\n")
    assert "LD_LIBRARY_PATH" not in os.environ


def test_nothing_of_the_image_can_be_written():
    for place in ("/etc/passwd", "/usr/lib/python3.11", "/beside/tests"):
        assert not os.access(place, os.W_OK)
"""


@needs_bubblewrap
async def test_what_the_image_has_is_used_and_what_it_lacks_is_lent_to_the_tests_alone(
    store: Store, tmp_path: Path
) -> None:
    _, found = await ran(with_tests(PLACES), store, tmp_path / "places")
    assert found["suite"]["passed"] == 4


LATE = SERVER.replace("def main", "def late():\n    return __import__('colorsys')\n\n\ndef main")
CALLS_LATE = "import sample.server\n\n\ndef test_late():\n    assert sample.server.late()\n"


@needs_bubblewrap
async def test_a_module_that_the_service_needs_and_the_image_lacks_fails_though_it_lies_beside(
    store: Store, tmp_path: Path
) -> None:
    service = with_tests(CALLS_LATE, {**PROGRAM, "sample/server.py": LATE})
    with pytest.raises(SubjectFailed, match="1 of 1 tests of sample failed in its image") as caught:
        await ran(service, store, tmp_path / "late")
    assert "No module named 'colorsys'" in caught.value.why[0]
    assert "image.modules" in caught.value.remedy


@needs_bubblewrap
async def test_a_module_of_the_wheel_that_the_image_leaves_out_is_lent_and_named(store: Store, tmp_path: Path) -> None:
    service = with_tests(
        "from sample.unused import x\n\n\ndef test_x():\n    assert x\n", {**FILES, "sample/unused.py": "x = 1"}
    )
    _, found = await ran(service, store, tmp_path / "unused")
    assert found["suite"]["modules_not_in_the_image"] == ["sample.unused"]


FAILS = "def test_bad():\n    assert 1 == 2\n\n\ndef test_good():\n    pass\n"


@needs_bubblewrap
async def test_a_test_that_fails_is_told_and_one_that_is_left_out_with_a_reason_is_not_run(
    store: Store, tmp_path: Path
) -> None:
    with pytest.raises(SubjectFailed, match="1 of 2 tests"):
        await ran(with_tests(FAILS), store, tmp_path / "fails")
    excused = with_tests(FAILS, settings='left-out = { "tests/test_sample.py::test_bad" = "it is about zones" }')
    _, found = await ran(excused, store, tmp_path / "excused")
    assert found["suite"]["passed"] == 1
    assert found["suite"]["left_out"] == {"tests/test_sample.py::test_bad": "it is about zones"}


@needs_bubblewrap
@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (GOOD, 'left-out = { "test_gone" = "was there once" }', "names test_gone, and there is no such test"),
        ("import pytest\n\n\n@pytest.mark.skip\ndef test_x(): ...\n", "", "no test ran on the image's files"),
        ("x = 1\n", "", "no test ran on the image's files"),
    ],
)
async def test_a_suite_that_says_nothing_is_refused(
    store: Store, tmp_path: Path, source: str, settings: str, message: str
) -> None:
    with pytest.raises(SubjectFailed, match=message):
        await ran(with_tests(source, settings=settings), store, tmp_path / "nothing")


MEDDLES = """import json, os


def test_x():
    for fd in range(3, 20):
        try:
            os.write(fd, {answer})
        except OSError:
            pass
    os._exit(0)
"""
WHOLE = {"code": 0, "junit": "<testsuites/>", "beside": [], "left_out": []}


@needs_bubblewrap
@pytest.mark.parametrize(
    "answer",
    [
        "b'[' * 100000",
        "b'[]'",
        f"json.dumps({ {**WHOLE, 'code': None} }).encode()",
        f"json.dumps({ {**WHOLE, 'beside': [1]} }).encode()",
        f"json.dumps({ {**WHOLE, 'beside': ['x.']} }).replace('x.', chr(92) + 'udcff').encode()",
    ],
    ids=["deep", "list", "no code", "no names", "no UTF-8"],
)
async def test_an_answer_that_is_none_is_told_and_no_bug(store: Store, tmp_path: Path, answer: str) -> None:
    with pytest.raises(ToolFailed, match="the tests could not be run on the image's files"):
        await ran(with_tests(MEDDLES.replace("{answer}", answer)), store, tmp_path / "meddles")


def test_a_failure_that_says_nothing_is_named_all_the_same() -> None:
    report = b'<testsuite><testcase classname="a" name="b"><failure message=" ">\n</failure></testcase></testsuite>'
    assert JunitOutcome.read(report, []).failed == ("a.b: failure",)


async def test_without_a_sandbox_the_suite_is_told_as_not_run(store: Store, tmp_path: Path) -> None:
    port = 'int(__import__("os").environ.get("PORT", "8080"))'
    service = with_tests(GOOD, {**PROGRAM, "sample/server.py": SERVER.replace("8080", port)})
    run, found = await ran(service, store, tmp_path / "loader", LOADER)
    assert found["suite"]["run"] is False
    assert "loader" in found["suite"]["why"]
    assert not (run.directory / "smoke" / "junit.xml").exists()
