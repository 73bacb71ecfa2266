"""Run the service's own tests against the wheel that will ship, in an environment with nothing but its locks."""

from shipseal.engine import project_code
from shipseal.engine.inputs_of import locked_wheels, service_wheel, stored
from shipseal.engine.stage import Context
from shipseal.engine.workspace import create, scratch
from shipseal.errors import SubjectFailed
from shipseal.project.checkout import copy_below
from shipseal.smoke.junit import JunitOutcome

_TIMEOUT = 900
_NAMED_FAILURES = 10


async def test(context: Context) -> str:
    """Write junit.xml; raise `SubjectFailed` when a test fails, or when there is none."""
    wheels = [*locked_wheels(context, "runtime"), *locked_wheels(context, "test")]
    built = service_wheel(context)
    async with scratch(context) as work:
        context.say("installing the wheel and the locked test requirements")
        locked = stored(context, wheels)
        python = await create(context, work / "environment", dict.fromkeys([built, *locked]))
        # Run on a copy, away from the sources: what is imported is the wheel, and nothing is left in the checkout.
        paths = [copy_below(context.config.root, path, work / "tests") for path in context.config.test.paths]
        # pytest climbs until it finds a configuration: this one ends the climb before the checkout's own.
        (work / "tests" / "pytest.ini").touch()
        context.say("running the tests")
        report = work / "junit.xml"
        done = await project_code.run(
            context, python, *context.config.test.command, f"--junitxml={report}", *paths,
            work=work, cwd=work / "tests", timeout=_TIMEOUT, ok=range(256),
            env={"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        )  # fmt: skip
        found = report.read_bytes() if report.is_file() and not report.is_symlink() else b""
    outcome = JunitOutcome.read(found, context.tools.last_words(done.said))
    (context.out / "junit.xml").write_bytes(found)
    if outcome.failed or done.code not in {0, 5}:
        raise SubjectFailed(
            f"{len(outcome.failed)} of {outcome.total} tests of {context.config.service.name} failed",
            why=outcome.failed[:_NAMED_FAILURES] or context.tools.last_words(done.said),
            remedy="correct the service or its tests; test/log.txt has more of the output",
        )
    if outcome.total == outcome.skipped:
        raise SubjectFailed(
            f"no test of {context.config.service.name} ran",
            why=f"{outcome.total} collected, {outcome.skipped} skipped in {', '.join(_names(context))}",
            remedy="an image without a test that passed is not built: add tests, or correct test.paths",
        )
    return outcome.headline


def _names(context: Context) -> list[str]:
    return [str(path.relative_to(context.config.root)) for path in context.config.test.paths]
