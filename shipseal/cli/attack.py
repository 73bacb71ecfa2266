"""`attack`: attack the last dry run of this project, on copies of it, and see that each attack is refused.

Each is brought before the product's own gate and has to be refused by the check that is there for it; an untouched copy
has to pass. Nothing of the run itself is changed. It ends with 6 where anything comes out otherwise.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from shipseal.cli import options as shared
from shipseal.cli import released_options
from shipseal.cli.engine import run_async
from shipseal.cli.verbs import Verbs
from shipseal.disk import alone, empty, write
from shipseal.documents.attack import AttackDocument
from shipseal.engine import run_directory as place
from shipseal.engine.run import Run
from shipseal.engine.table import TABLE
from shipseal.errors import UsageError, VerificationFailed
from shipseal.locked.store_cleaning import in_use
from shipseal.project.config import HOME, Config
from shipseal.project.reads import DEFAULT_POLICY
from shipseal.times import timestamp
from shipseal.verification.policy_file import read_policy

if TYPE_CHECKING:  # what signs is slow to import
    from shipseal.attacks.attack import Attack
    from shipseal.attacks.performing import AttackResult, AttackSummary


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("attack", help="attack copies of the last dry run: each is refused", description=__doc__)
    verb.add_argument("--only", action="append", default=[], metavar="NAME", help="this attack; may be given again")
    verb.add_argument("--list", action="store_true", help="say which attacks there are, and what must refuse each")
    shared.common(verb)
    shared.run_directory(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Make the attacks, tell each, and write attack/attack.json of the run directory where all were made."""
    from shipseal.attacks.catalogue import chosen  # noqa: PLC0415 - what signs is slow to import

    attacks = chosen(options.only)
    if options.list:
        return _list(options, attacks)
    directory = place.checked(Config.load(options.config).root, options.run_dir)
    if not (directory / "run.json").is_file():
        raise UsageError(f"there is no run in {directory}", remedy="make one: `shipseal dry-run`")
    opened_run = shared.open_run(options, "dry-run", TABLE)
    with alone(directory), in_use(opened_run.store):
        result, image = _attack(options, opened_run, attacks)
        document = _document(result, image)
        file = None if options.only else _write(directory, document)
    ended = {"event": "attacks", **document.model_dump(exclude={"attacks", "control"})}
    ended |= {"file": str(file)} if file else {}
    released_options.tell(options, ended, _lines(result, image, file))
    if result.wrong:
        passed = all(each.ok for each in result.controls)
        raise VerificationFailed(
            f"{len(result.wrong)} of {len(result.attacks) + len(result.controls)} did not end as they must",
            why=[f"{each.name}: expected {each.expected}, came {each.came}" for each in result.wrong],
            remedy="a gate of this pipeline does not hold: report it with what the run directory has"
            if passed
            else "an untouched copy has to pass: make the run again by `shipseal dry-run`, and attack that",
        )
    return 0


def _list(options: argparse.Namespace, attacks: "Iterable[Attack]") -> int:
    """Tell what there is, with what refuses it under the policy that comes with the pipeline."""
    policy = read_policy(HOME / DEFAULT_POLICY / "verification.toml", "dry-run")
    for each in attacks:
        expected = str(each.refusal(policy))
        event = {"event": "listed", "name": each.name, "did": each.did, "gate": each.gate, "expected": expected}
        released_options.tell(options, event, [f"{each.name}: {each.did}", f"    {each.gate}: {expected}"])
    return 0


def _attack(options: argparse.Namespace, run: Run, attacks: "tuple[Attack, ...]") -> "tuple[AttackSummary, str]":
    from shipseal.attacks.opening import opened  # noqa: PLC0415 - as above
    from shipseal.attacks.performing import perform  # noqa: PLC0415

    say = shared.say(options)

    def tell(outcome: "AttackResult") -> None:
        if options.json:
            print(json.dumps({"event": "attacked", **outcome.told.model_dump()}), flush=True)
        else:
            say(f"{'ok' if outcome.ok else 'WRONG':<6} {outcome.name:<30} {outcome.came}")
            if outcome.why:
                say(outcome.why)

    with opened(run, datetime.now(UTC)) as target:
        result = run_async(lambda: perform(target, attacks, tell))
        return result, str(target.image)


def _document(result: "AttackSummary", image: str) -> AttackDocument:
    return AttackDocument(
        image=image,
        at=timestamp(datetime.now(UTC)),
        ok=not result.wrong,
        control=tuple(each.told for each in result.controls),
        attacks=tuple(each.told for each in result.attacks),
        left_out=result.left_out,
    )


def _write(directory: Path, document: AttackDocument) -> Path:
    """Write it as a whole: a report reads it whenever it is there."""
    stage = directory / document.STAGE
    empty(stage)
    write(stage / document.NAME, json.dumps(document.as_json(), indent=2, ensure_ascii=False) + "\n")
    return stage / document.NAME


def _lines(result: "AttackSummary", image: str, file: Path | None) -> Iterator[str]:
    """Yield the table: what was done, what had to come of it, and what has."""
    for each in (*result.controls, *result.attacks):
        yield f"{'ok' if each.ok else 'WRONG':<6} {each.name:<30} {each.did}"
        yield f"{'':<6} {each.gate:<30} {each.expected}{'' if each.ok else f'; came {each.came}'}"
    for name, why in result.left_out.items():
        yield f"{'-':<6} {name:<30} left out: {why}"
    refused = sum(each.ok for each in result.attacks)
    yield ""
    yield f"{refused} of {len(result.attacks)} attacks on {image} were refused by the check that must"
    yield f"{sum(each.ok for each in result.controls)} of {len(result.controls)} untouched copies were accepted"
    if file:
        yield f"written  {file}"
