"""Make the first image of a project, start it, and learn from both what its `pipeline.toml` still lacks."""

import argparse
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.progress import progress
from shipseal.disk import alone, write
from shipseal.documents.image import ImageDocument
from shipseal.engine.run_contents import RunContents
from shipseal.engine.schedule import execute, wanted
from shipseal.engine.table import TABLE
from shipseal.errors import ShipsealError, flatten
from shipseal.image import contents
from shipseal.image.missing_packages import MissingPackages
from shipseal.judging.advisories import texts
from shipseal.judging.advisory_files import AdvisoryFiles
from shipseal.judging.forecast import Unexcused, unexcused
from shipseal.locked.store_cleaning import in_use
from shipseal.oci.layout import Layout
from shipseal.project.advice import Advised
from shipseal.project.config import Config
from shipseal.scaffold.config_writer import Learned, configuration
from shipseal.scaffold.plan import ScaffoldPlan
from shipseal.terminal_text import line


def learn(options: argparse.Namespace, decided: ScaffoldPlan) -> tuple[Learned, list[str]]:
    """Make and start the image until nothing is missing that is known; return what it took, and what else to do.

    `options.config` is written again each time.

    Raises:
        ExceptionGroup: the image cannot be made, for a reason that no line of pipeline.toml takes away.
    """
    learned = Learned()
    while True:
        failed = _stage(options, "image")
        missing = [each for each in failed if isinstance(each, MissingPackages)]
        new = {package: why for each in missing for package, why in each.packages.items()}
        if new.keys() <= learned.packages.keys():
            break
        learned = _write(options.config, decided, replace(learned, packages={**new, **learned.packages}))
    if failed:
        raise ExceptionGroup("no image", [each for each in failed if isinstance(each, Exception)])
    return _start(options, decided, learned)


def _start(options: argparse.Namespace, decided: ScaffoldPlan, learned: Learned) -> tuple[Learned, list[str]]:
    seen, said, before = {decided.health[0]}, [""], learned
    refused: tuple[Learned, list[str]] | None = None
    while failed := _stage(options, "smoke"):
        advised = [each for each in failed if isinstance(each, Advised)]
        if not advised and learned.modules != before.modules:  # nothing that is locked has that module
            return _write(options.config, decided, before), said
        said = [_told(each) for each in failed if isinstance(each, ShipsealError)]
        new = _more(learned, advised, seen)
        if new == learned and any(each.refused for each in advised):
            refused = refused or (learned, said)
            new = _instead(learned, decided, seen)
        if new == learned:
            last, said = refused or (learned, said)
            kept = replace(learned, health=last.health, refused=False)
            return _write(options.config, decided, kept), said
        seen.add(new.health)
        before, learned = learned, _write(options.config, decided, new)
    return learned, [_in_its_place(decided, learned)] if learned.refused else []


def _instead(learned: Learned, decided: ScaffoldPlan, seen: Collection[str]) -> Learned:
    """Return the next path that may do in place of the one that answers with an error."""
    path = next((each for each in decided.instead if each not in seen), "")
    return replace(learned, health=path, refused=True) if path else learned


def _in_its_place(decided: ScaffoldPlan, learned: Learned) -> str:
    return (
        f"{decided.health[0]} answered with an error where nothing is set up for the service (a database, perhaps), so "
        f"{learned.health} is its health path here: it shows that the service answers, not that it has what it needs"
    )


def _more(learned: Learned, advised: Sequence[Advised], seen: Collection[str]) -> Learned:
    """Return what is known once a start has failed so."""
    writable = dict.fromkeys((*learned.writable, *(path for each in advised for path in each.writable)))
    modules = dict.fromkeys((*learned.modules, *(name for each in advised for name in each.modules)))
    health = next((each.health for each in advised if each.health and each.health not in seen), learned.health)
    return replace(learned, writable=tuple(writable), modules=tuple(modules), health=health)


def _told(failure: ShipsealError) -> str:
    return f"the image was made and, started, does not do yet: {failure.what}: {failure.remedy}"


def _write(config: Path, decided: ScaffoldPlan, learned: Learned) -> Learned:
    write(config, configuration(decided, learned))
    return learned


def _stage(options: argparse.Namespace, name: str) -> list[BaseException]:
    """Run what a stage needs, and itself; return what failed."""
    run = shared.open_run(options, "dry-run", TABLE)
    try:
        with alone(run.directory), in_use(run.store), progress(options) as show:
            run.observe = show
            run.begin()
            run_async(lambda: execute(wanted(TABLE, name), run.once))
    except ExceptionGroup as failures:
        return flatten(failures)
    return []


def without_excuse(root: Path, config: Path) -> list[Unexcused]:
    """Return the advisories about the image that lies in a project which nothing will excuse there."""
    run = root / ".run" / "image"
    image = ImageDocument.read(RunContents(root / ".run"))
    known = AdvisoryFiles.load(Config.load(config)).known
    layout = Layout.of_image(run / "layout", image.digest)
    has = contents.read(layout, image, (), texts(each for _, each in known.advisories))
    return list(dict.fromkeys(unexcused(known, has)))


def advice(against: Iterable[Unexcused]) -> Iterator[str]:
    """Yield what to do about vulnerabilities that `admit` will not excuse in this image."""
    for each in against:
        yield (
            f"{each.name} in {each.package.name} will be denied by `admit`, where database and rules say so: "
            f"nothing excuses it here, for {line(each.why)}; look whether the service reaches it, and state that in "
            f"policy/vex/{each.name}.json, or accept it for a while in policy/waivers.toml, where it is prepared"
        )


def waivers(head: str, against: Iterable[Unexcused], today: datetime) -> str:
    """Return a waivers.toml in which a waiver for each of these is prepared, and none is in force."""
    prepared = [
        f"#   [[waiver]]\n#   finding = {_quoted(each.name)}\n#   package = {_quoted(str(each.package))}\n"
        f'#   reason = ""                               why it is acceptable, for {line(each.why)}\n'
        f'#   owner = ""\n#   since = {today.date()}\n#   until =                                   the last day\n'
        for each in against
    ]
    return head + "".join(f"#\n# Prepared, and not in force:\n#\n{each}" for each in prepared)


def _quoted(text: str) -> str:
    return f'"{text}"'
