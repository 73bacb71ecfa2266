"""Say what an apply would change, as people read it. Pure.

What is compared is the object as it is, and as the API server says that it would be (a dry run), so that defaults and
the fields of other managers are on both sides. What the server keeps for itself is left out.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from shipseal.deploying.manifests import Object, dig
from shipseal.deploying.unstructured import said, text
from shipseal.terminal_text import line

# API conventions, "Metadata": set by the system, and another for each change.
_OF_THE_SERVER = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
# What things of a list are told apart by: the merge keys of the API's own lists (`x-kubernetes-list-map-keys`).
_KEYS = ("name", "mountPath", "containerPort", "port", "ip", "type", "key")
_DEEPEST = 64
_MOST = 200
_LONGEST = 100
_BEFORE = 20  # characters that two texts have in common, shown before those in which they differ
_NOTHING = "(nothing)"
_HIDDEN = "(hidden)"
# Texts that need no quotes to be told from other values of JSON.
_PLAIN = re.compile(r"(?!(?:true|false|null)\Z)[A-Za-z][A-Za-z0-9_./:@-]*")


@dataclass(frozen=True)
class FieldChange:
    """One value that an apply would change; all text is on one line, short and fit to be shown.

    Args:
        title: the object, `Deployment NAMESPACE/NAME`.
        path: the field, `spec.template.spec.containers[app].image`; empty for the object as a whole.
        before: its value as JSON, texts that need no quotes without them; `(nothing)` where there is none.
        after: the same, as it would be.
    """

    title: str
    path: str
    before: str
    after: str

    def __str__(self) -> str:
        """Return the line that people read."""
        where = f"{self.title}: {self.path}" if self.path else self.title
        return f"{where}: {self.before} -> {self.after}"


def changes(title: str, live: Object | None, after: Object) -> tuple[FieldChange, ...]:
    """Return what would change, in the order of the fields, and at most 200 changes and how many more there are.

    Args:
        title: what the object is called.
        live: the object as it is; `None` when it is not there, which is one change.
        after: the object as it would be. Of a Secret it is only said which fields change.
    """
    if live is None:
        return (FieldChange(said(title), "", _NOTHING, "a new object"),)
    found = _below("", _kept(live), _kept(after), _DEEPEST)
    secret = "Secret" in (text(dig(after).get("kind")), text(dig(live).get("kind")))
    first = tuple(
        FieldChange(said(title), said(path), *((_HIDDEN, _HIDDEN) if secret else _texts(old, new)))
        for path, old, new in islice(found, _MOST)
    )
    more = sum(1 for _ in found)
    return (*first, FieldChange(said(title), "", f"{more} more", "changes")) if more else first


def _kept(body: object) -> Object:
    kept = {key: value for key, value in dig(body).items() if key != "status"}
    if isinstance(kept.get("metadata"), Mapping):
        kept["metadata"] = {key: each for key, each in kept["metadata"].items() if key not in _OF_THE_SERVER}
    return kept


class _Absent:
    """What is not there, which a null is not."""


_ABSENT = _Absent()


def _below(path: str, old: object, new: object, room: int) -> Iterator[tuple[str, object, object]]:
    """Yield each place in which two values differ. What is deeper than any kind goes counts as different."""
    if room and isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _below(_step(path, key), old.get(key, _ABSENT), new.get(key, _ABSENT), room - 1)
    elif room and isinstance(old, list) and isinstance(new, list) and not (_is_flat(old) and _is_flat(new)):
        olds, news = _named(old, new)
        for name in [*olds, *(name for name in news if name not in olds)]:
            yield from _below(f"{path}[{name}]", olds.get(name, _ABSENT), news.get(name, _ABSENT), room - 1)
        order = [name for name in olds if name in news], [name for name in news if name in olds]
        if order[0] != order[1]:
            yield path, *order
    elif not _is_same(old, new):
        yield path, old, new


def _is_same(old: object, new: object) -> bool:
    """Compare as JSON does, to which 1 is not true. What should have been looked into is not the same."""
    return type(old) is type(new) and _is_flat(old) and _is_flat(new) and json.dumps(old) == json.dumps(new)


def _is_flat(value: object) -> bool:
    """Say whether a value is shown as a whole: it is one, or a list of such as are."""
    inner = value if isinstance(value, list) else [value]
    return not any(isinstance(each, Mapping | list) for each in inner)


def _step(path: str, key: str) -> str:
    plain = key.replace("-", "_").isidentifier()
    return f"{path}[{key}]" if not plain else f"{path}.{key}" if path else key


def _named(*sides: Sequence[object]) -> tuple[dict[str, object], ...]:
    """Return lists as mappings, by what their things are told apart by, else by their places."""
    for key in _KEYS:
        names = [[_name(each, key) for each in side] for side in sides]
        if all(all(side) and len(side) == len(set(side)) for side in names):
            return tuple(dict(zip(names[index], side, strict=True)) for index, side in enumerate(sides))
    return tuple({str(index): each for index, each in enumerate(side)} for side in sides)


def _name(value: object, key: str) -> str:
    name = dig(value).get(key)
    return name if isinstance(name, str) else str(name) if type(name) is int and abs(name) < 2**32 else ""


def _texts(old: object, new: object) -> tuple[str, str]:
    """Return two values as text, cut to where they differ if they are long."""
    before, after = _text(old), _text(new)
    pairs = enumerate(zip(before, after, strict=False))
    same = next((index for index, (one, two) in pairs if one != two), min(len(before), len(after)))
    start = max(0, same - _BEFORE) if max(len(before), len(after)) > _LONGEST else 0
    return _cut(before, start), _cut(after, start)


def _cut(value: str, start: int) -> str:
    shown = value[start : start + _LONGEST]
    return f"{'…' * (start > 0)}{line(shown)}{'…' * (start + _LONGEST < len(value))}"


def _text(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return _NOTHING if value is _ABSENT else json.dumps(_bounded(value, 6), ensure_ascii=False)


def _bounded(value: object, room: int) -> object:
    """Return a value without what is too deep to be read, which JSON's writer could not follow either."""
    if isinstance(value, Mapping):
        return {key: _bounded(each, room - 1) for key, each in value.items()} if room else "…"
    if isinstance(value, list):
        return [_bounded(each, room - 1) for each in value] if room else "…"
    return value
