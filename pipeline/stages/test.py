"""Run the service's own tests against the wheel that will ship, in an environment with nothing but its locks."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from pipeline.errors import SubjectFailed, ToolFailed
from pipeline.stage import Context
from pipeline.venv import LEFTOVERS, create, scratch, stored

_TIMEOUT = 900
_NAMED_FAILURES = 10


@dataclass(frozen=True)
class Outcome:
    """What a JUnit file says: how many tests there were, and which did not pass."""

    total: int
    skipped: int
    failed: tuple[str, ...]


async def test(context: Context) -> str:
    """Write junit.xml; raise `SubjectFailed` when a test fails, or when there is none."""
    wheels = context.read_json("inputs", "inputs.json")["wheels"]
    built = sorted((context.of("build") / "wheels" / "service").glob("*.whl"))
    async with scratch(context) as work:
        context.say("installing the wheel and the locked test requirements")
        locked = stored(context, [*wheels["runtime"], *wheels["test"]])
        python = await create(context, work / "environment", dict.fromkeys([*built, *locked]))
        # Run on a copy, away from the sources: what is imported is the wheel, and nothing is left in the checkout.
        paths = [_copy(context.config.root, path, work / "tests") for path in context.config.test.paths]
        # pytest climbs until it finds a configuration: this one ends the climb before the checkout's own.
        (work / "tests" / "pytest.ini").touch()
        context.say("running the tests")
        done = await context.tools.run(
            python, *context.config.test.command, f"--junitxml={context.out / 'junit.xml'}", *paths,
            cwd=work / "tests", timeout=_TIMEOUT, ok=range(256),
            env={"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        )  # fmt: skip
    outcome = _read(context.out / "junit.xml", context.tools.last_words(done.stdout or done.stderr))
    if outcome.failed or done.code not in {0, 5}:
        raise SubjectFailed(
            f"{len(outcome.failed)} of {outcome.total} tests of {context.config.service.name} failed",
            why=outcome.failed[:_NAMED_FAILURES] or context.tools.last_words(done.stdout),
            do="correct the service or its tests; test/log.txt has the whole output",
        )
    if outcome.total == outcome.skipped:
        raise SubjectFailed(
            f"no test of {context.config.service.name} ran",
            why=f"{outcome.total} collected, {outcome.skipped} skipped in {', '.join(_names(context))}",
            do="an image without a test that passed is not built: add tests, or correct test.paths",
        )
    return f"{outcome.total - outcome.skipped} passed" + (f", {outcome.skipped} skipped" if outcome.skipped else "")


def _names(context: Context) -> list[str]:
    return [str(path.relative_to(context.config.root)) for path in context.config.test.paths]


def _copy(root: Path, path: Path, target: Path) -> Path:
    copy = target / path.relative_to(root)
    copy.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns(*LEFTOVERS))
    else:
        shutil.copyfile(path, copy)
    return copy


def _read(path: Path, last_words: list[str]) -> Outcome:
    """Read a JUnit file; raise `ToolFailed` when the test command wrote none."""
    try:
        cases = list(ET.parse(path).getroot().iter("testcase"))  # noqa: S314 - expat bounds entities since 2.4
    except (OSError, ET.ParseError) as error:
        raise ToolFailed(
            "the test command wrote no JUnit file",
            why=last_words or str(error),
            do="test.command must take --junitxml, as pytest does",
        ) from error
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    return Outcome(
        len(cases),
        sum(case.find("skipped") is not None for case in cases),
        tuple(f"{case.get('classname')}.{case.get('name')}: {_message(case)}" for case in failed),
    )


def _message(case: ET.Element) -> str:
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            return (found.get("message") or found.text or kind).strip().splitlines()[0][:200]
    return ""
