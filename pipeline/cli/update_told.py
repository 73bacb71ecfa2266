"""Tell what `update-locks` did: as lines for people, or as one event a line for machines."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.cli.update_advisories import LookedUp, NotLookedUp
from pipeline.locked.relock import Relocked
from pipeline.project.config import Config
from pipeline.scanning.advisory_changes import Turn


def short(lock: Path, config: Config) -> str:
    """Return a lock's path as people say it: from the project's root, where it lies below that."""
    return str(lock.relative_to(config.root) if lock.is_relative_to(config.root) else lock)


def locks(relocked: Sequence[Relocked], config: Config, *, as_json: bool) -> None:
    """Print each lock that changed, with the versions before and after."""
    if as_json:
        _events(_lock(each, config) for each in relocked)
        return
    changed = [each for each in relocked if each.new != each.old]
    for each in changed:
        print(f"changed: {short(each.lock, config)}")
        for line in each.changes or ("the same versions; other files, or other words",):
            print(f"  {line}")
    if not changed:
        print("every lock is as it was")


def advisories(outcome: LookedUp | NotLookedUp, *, as_json: bool) -> None:
    """Print what the change does to the advisories of the image; never without the day of the database."""
    if as_json:
        _events([_looked_up(outcome) if isinstance(outcome, LookedUp) else _not_looked_up(outcome)])
    elif isinstance(outcome, NotLookedUp):
        print(f"advisories: not looked up: {outcome.why}; type: {outcome.do}")
    else:
        print("\n".join(_lines(outcome)))


def _lines(outcome: LookedUp) -> Iterator[str]:
    found = outcome.found
    yield (
        f"advisories: {len(_ids(found.closed))} closed, {len(_ids(found.opened))} opened, {found.stay} stay; "
        f"{outcome.database.describe(outcome.now)}"
    )
    for word, turns in (("closed", found.closed), ("OPENED", found.opened)):
        yield from (f"  {word}  {_turn(turn)}" for turn in turns)
    yield from (f"  note    {note}" for note in outcome.notes)


def _turn(turn: Turn) -> str:
    versions = f"{turn.old} -> {turn.new or 'gone'}" if turn.old else f"{turn.new}, new here"
    return f"{turn.id} ({turn.severity.value})  {', '.join(turn.packages)} {versions}  [{', '.join(turn.platforms)}]"


def _ids(turns: Sequence[Turn]) -> set[str]:
    return {turn.id for turn in turns}


def _lock(relocked: Relocked, config: Config) -> dict[str, Any]:
    return {
        "event": "lock",
        "lock": short(relocked.lock, config),
        "kind": relocked.kind,
        "changed": relocked.new != relocked.old,
        "changes": [asdict(change) for change in relocked.changes],
    }


def _looked_up(outcome: LookedUp) -> dict[str, Any]:
    return {
        "event": "advisories",
        "looked_up": True,
        "database": {**outcome.database.as_json(), "age_days": outcome.age},
        "closed": [turn.as_json() for turn in outcome.found.closed],
        "opened": [turn.as_json() for turn in outcome.found.opened],
        "stay": outcome.found.stay,
        "notes": list(outcome.notes),
    }


def _not_looked_up(outcome: NotLookedUp) -> dict[str, Any]:
    return {"event": "advisories", "looked_up": False, "why": outcome.why, "do": outcome.do}


def _events(events: Iterator[dict[str, Any]] | Sequence[dict[str, Any]]) -> None:
    for event in events:
        print(json.dumps(event))
