"""Tell what `update-locks` did: as lines for people, or as one event a line for machines."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shipseal import terminal_text
from shipseal.cli.update_advisories import LookedUp, NotLookedUp
from shipseal.evidence.tool_answers import ToolDifference
from shipseal.project.config import Config
from shipseal.relocking.relock import Relocked
from shipseal.relocking.upgrade_tools import Left
from shipseal.scanning.advisory_changes import AdvisoryChange

_SOME = 3  # names in a line; --json has all


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


def tools(left: Sequence[Left], found: Sequence[ToolDifference] | None, *, as_json: bool) -> None:
    """Print which tools stay and why, and what those that moved say otherwise of the sample."""
    if as_json:
        if left or found is not None:
            about = {"compared": found is not None, "differences": [asdict(each) for each in found or ()]}
            _events([{"event": "tools", **about, "left": [asdict(each) for each in left]}])
        return
    for each in left:
        print(f"  note    {terminal_text.line(str(each))}")
    if found is not None:
        print("the sample: " + ("told otherwise by the new tools" if found else "as before, by the new tools too"))
        print("".join(f"  {terminal_text.line(line)}\n" for line in _otherwise(found)), end="")


def _otherwise(found: Sequence[ToolDifference]) -> Iterator[str]:
    """Yield a line for all that differ alike in one place: what a new version does, it does to every package."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for each in found:
        alike.setdefault((each.where, each.what, each.fields), []).append(each.name)
    for (where, what, fields), names in alike.items():
        some = ", ".join(names[:_SOME]) + (f" and {len(names) - _SOME} more" if len(names) > _SOME else "")
        yield f"{where}: {len(names)} {what}" + (f" in {', '.join(fields)}" if fields else "") + f": {some}"


def advisories(outcome: LookedUp | NotLookedUp, *, as_json: bool) -> None:
    """Print what the change does to the advisories of the image; never without the day of the database."""
    if as_json:
        _events([_looked_up(outcome) if isinstance(outcome, LookedUp) else _not_looked_up(outcome)])
    elif isinstance(outcome, NotLookedUp):
        print(f"advisories: not looked up: {outcome.why}; type: {outcome.remedy}")
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


def _turn(turn: AdvisoryChange) -> str:
    versions = f"{turn.old} -> {turn.new or 'gone'}" if turn.old else f"{turn.new}, new here"
    return f"{turn.id} ({turn.severity.value})  {', '.join(turn.packages)} {versions}  [{', '.join(turn.platforms)}]"


def _ids(turns: Sequence[AdvisoryChange]) -> set[str]:
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
    return {"event": "advisories", "looked_up": False, "why": outcome.why, "remedy": outcome.remedy}


def _events(events: Iterator[dict[str, Any]] | Sequence[dict[str, Any]]) -> None:
    for event in events:
        print(json.dumps(event))
