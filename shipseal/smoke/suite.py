"""Run the service's own tests on the files of its image."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from pydantic import ValidationError

from shipseal.digest import Digest
from shipseal.documents.document import Part, problems
from shipseal.documents.inputs import InputWheel
from shipseal.documents.smoke import SuiteNotRun, SuiteRun
from shipseal.engine.inputs_of import locked_wheels, service_wheel
from shipseal.engine.stage import Context
from shipseal.errors import FailureReason, SubjectFailed, ToolFailed
from shipseal.image.libraries import search_path
from shipseal.image.tree import Component, Tree
from shipseal.image.unpacking import unpack
from shipseal.image.wheel import add_wheel
from shipseal.locked.debian import Lock
from shipseal.oci.platform_image import Built
from shipseal.platforms import Platform
from shipseal.project.checkout import copy_below
from shipseal.project.smoke import MOUNT
from shipseal.smoke.junit import JunitOutcome
from shipseal.smoke.sandbox import Sandbox

_SECONDS = 900
_NAMED_FAILURES = 10


class SuiteAnswer(Part):
    """What the process answers that runs the tests, which may be anything: they write where it does.

    Args:
        code: of pytest.
        junit: its report.
        beside: the modules that were found beside the image.
        left_out: the tests that were left out, by pytest's names.
    """

    code: int
    junit: str
    beside: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class SuiteResult:
    """What came of the tests.

    Args:
        junit: the report; empty when they were not run.
        told: what smoke.json says of them.
    """

    junit: str
    told: SuiteRun | SuiteNotRun

    @property
    def passed(self) -> int:
        """How many have passed; 0 where they were not run."""
        return self.told.passed if isinstance(self.told, SuiteRun) else 0


async def run(context: Context, box: Sandbox, built: Built, platform: str, work: Path) -> SuiteResult:
    """Run the tests that `smoke.suite` names.

    Raises:
        SubjectFailed: one fails, none passes, or `smoke.left-out` names one that is not there.
        ToolFailed: pytest does not run at all.
    """
    if not context.config.smoke.suite:
        return _not_run("smoke.suite in pipeline.toml names no tests")
    if not box.mounts:
        return _not_run(f"{box.isolation} cannot lend the image's interpreter pytest without giving it this machine")
    context.say("unpacking what the tests need beside the image")
    beside = await anyio.to_thread.run_sync(_prepare, context, platform, work / "beside")
    context.say("running the service's tests on the image's files")
    answer, last_words = await _run(context, box, built, platform, beside)
    outcome = JunitOutcome.read(answer.junit.encode(), last_words)
    _refuse(context, outcome, answer, last_words)
    told = SuiteRun(
        passed=outcome.total - outcome.skipped,
        skipped=outcome.skipped,
        left_out=context.config.smoke.left_out,
        modules_not_in_the_image=answer.beside,
        platform=platform,
    )
    return SuiteResult(answer.junit, told)


def _not_run(why: str) -> SuiteResult:
    return SuiteResult("", SuiteNotRun(why=why))


def _prepare(context: Context, platform: str, beside: Path) -> Path:
    """Unpack the packages and wheels that the image was chosen from, the tests' own wheels, and the tests."""
    config = context.config
    lock = Lock.parse(config.image.package_lock.read_text(encoding="utf-8"), config.image.package_lock.name)
    packages = lock.select(platform, (*config.image.extra_packages, *config.smoke.packages))
    parts = [
        (Component("deb", each.name, each.version, each.architecture, lock.runtime.release), each.digest)
        for each in packages
    ]
    parts += [_wheel(entry) for entry in locked_wheels(context, platform)]
    image = unpack(
        beside / "image",
        [(component, _fetch(context, component, digest)) for component, digest in parts],
        service_wheel(context),
        platform,
        lock.runtime,
    )
    tests = Tree(beside / "wheels", runtime=lock.runtime)
    for component, digest in map(_wheel, locked_wheels(context, f"suite/{platform}")):
        add_wheel(tests, _fetch(context, component, digest), component)
    for tree in (image, tests):
        tree.unpack()
    for path in config.smoke.suite:
        copy_below(config.root, path, beside / "tests")
    (beside / "tests" / "pytest.ini").touch()  # ends pytest's climb in search of a configuration
    for directory, _, _ in os.walk(beside):
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - a container's user is not this one
    return beside


def _wheel(entry: InputWheel) -> tuple[Component, Digest]:
    return Component("pypi", entry.name, entry.version), entry.digest


def _fetch(context: Context, component: Component, digest: Digest) -> Path:
    context.material(component.purl, digest)
    return context.store.get(digest)


async def _run(
    context: Context, box: Sandbox, built: Built, platform: str, beside: Path
) -> tuple[SuiteAnswer, list[str]]:
    root = context.config.root
    paths = [path.relative_to(root).as_posix() for path in context.config.smoke.suite]
    argument = json.dumps({"paths": paths, "left_out": list(context.config.smoke.left_out)})
    libraries = ":".join(f"{MOUNT}/image/{place}" for place in search_path(Platform.parse(platform).architecture))
    environment = {**built.environment, "HOME": "/tmp", "LD_LIBRARY_PATH": libraries}  # noqa: S108 - in the sandbox
    # Not imported: it runs in the image.
    script = await anyio.Path(__file__).with_name("suite_runner.py").read_text(encoding="utf-8")
    answers = beside.parent / "suite.json"
    completed = await box.run(
        "-I", "-B", "-c", script, argument, box.apart,
        environment=environment, seconds=_SECONDS, stdout_to=answers, beside=beside,
    )  # fmt: skip
    last_words = box.tools.last_words(completed.stderr)
    try:
        return SuiteAnswer.model_validate_json(await anyio.Path(answers).read_bytes()), last_words
    except ValidationError as error:
        raise ToolFailed(
            "the tests could not be run on the image's files",
            why=last_words or problems(error),
            reason=FailureReason.said(last_words),
            remedy="name pytest in test.lock, and in smoke.packages what its wheels need of Debian",
        ) from error


def _refuse(context: Context, outcome: JunitOutcome, answer: SuiteAnswer, last_words: list[str]) -> None:
    unknown = sorted(context.config.smoke.left_out.keys() - set(answer.left_out))
    if unknown:
        raise SubjectFailed(
            f"smoke.left-out names {unknown[0]}, and there is no such test",
            why=f"pytest left out {', '.join(answer.left_out) or 'none'}",
            remedy="correct the name, which is the one that pytest prints, or remove it",
        )
    if outcome.failed or answer.code not in {0, 5}:
        raise SubjectFailed(
            f"{len(outcome.failed)} of {outcome.total} tests of {context.config.service.name} failed in its image",
            why=outcome.failed[:_NAMED_FAILURES] or last_words,
            remedy="name a module that is missing in image.modules; smoke/log.txt has more of the output",
        )
    if outcome.total == outcome.skipped:
        raise SubjectFailed(
            "no test ran on the image's files",
            why=f"{outcome.total} collected, {outcome.skipped} skipped",
            remedy="correct smoke.suite, or leave it out",
        )
