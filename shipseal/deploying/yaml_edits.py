"""Change YAML that people wrote where it stands: an edit is a span of the text, found by the marks of PyYAML. Pure.

Nothing here knows whether the text still means what it should: whoever edits reads it again, and compares (`plain`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_BREAK = re.compile(r"\r\n|\n|\r")
# Text that is the same bare and quoted, to every reader and in flow style too.
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*(:[A-Za-z0-9._/-]+)*")
_COMMA = re.compile(r"\s*,\s*")


class NoPlace(Exception):
    """There is no place for an edit that would leave all else as it is; the message says why."""


@dataclass(frozen=True, order=True)
class Edit:
    """One span of a text, in characters from its beginning, and what stands there instead."""

    start: int
    end: int
    text: str


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with its edits, none of which reaches into another."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def plain(node: yaml.Node | None) -> Any:
    """Return what a node holds, each scalar as the text that it is; nothing is a table without keys."""
    if isinstance(node, yaml.MappingNode):
        return {plain(key) if isinstance(key, yaml.ScalarNode) else "": plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(each) for each in node.value]
    return {} if node is None else str(node.value)


def get(mapping: yaml.MappingNode, name: str) -> yaml.Node | None:
    """Return the value of a key, None where there is no such key."""
    return next((value for key, value in mapping.value if key.value == name), None)


def set_value(node: yaml.Node, value: str) -> Edit:
    """Put a text in the place of a scalar; its quotes stay."""
    start, end = _span(node)
    quote = getattr(node, "style", None) or ""
    return Edit(start, end, f"{' ' * (start == end)}{_quoted(value, quote if quote in {chr(34), chr(39)} else '')}")


def add_pairs(text: str, mapping: yaml.MappingNode, behind: yaml.Node, pairs: Mapping[str, str]) -> Edit:
    """Put keys with their values into a table, behind one of its values."""
    if mapping.flow_style:
        return Edit(_end(behind), _end(behind), "".join(f", {each}" for each in _pairs(pairs)))
    column = mapping.value[0][0].start_mark.column
    return add_lines(text, behind, [" " * column + each for each in _pairs(pairs)])


def add_entry(text: str, sequence: yaml.SequenceNode, pairs: Mapping[str, str]) -> Edit:
    """Put a table of keys and values behind the last entry of a list."""
    if not sequence.flow_style:
        column = sequence.start_mark.column
        return add_lines(text, sequence, entry_lines(column, pairs))
    entry = f"{{{', '.join(_pairs(pairs))}}}"
    if sequence.value:
        return Edit(_end(sequence.value[-1]), _end(sequence.value[-1]), f", {entry}")
    at = _end(sequence) - 1
    return Edit(at, at, entry)


def entry_lines(column: int, pairs: Mapping[str, str]) -> list[str]:
    """Return the lines of an entry whose dash is in a column, counted from 0."""
    return [f"{' ' * column}{'- ' if number == 0 else '  '}{each}" for number, each in enumerate(_pairs(pairs))]


def add_lines(text: str, behind: yaml.Node | None, lines: Iterable[str]) -> Edit:
    """Put lines behind the one in which a value ends, None for the end of the text; a comment in that line stays."""
    found = None if behind is None else _BREAK.search(text, _end(behind))
    at = found.end() if found else len(text)
    first = _BREAK.search(text)
    ends = first.group() if first else "\n"
    if text[:at].endswith(("\n", "\r")) or at == 0:
        return Edit(at, at, "".join(f"{line}{ends}" for line in lines))
    return Edit(at, at, "".join(f"{ends}{line}" for line in lines))


def remove_pair(text: str, mapping: yaml.MappingNode, name: str) -> Edit:
    """Take a key and its value away; a comment behind them stays.

    Raises:
        NoPlace: something stands between them and their neighbour that would be lost.
    """
    index = next(number for number, (key, _) in enumerate(mapping.value) if key.value == name)
    key, value = mapping.value[index]
    start, end = _span(key)[0], _end(value)
    line = max(text.rfind(each, 0, start) for each in "\r\n") + 1
    if not mapping.flow_style and not text[line:start].strip():
        found = _BREAK.search(text, end)
        behind = text[end : found.start() if found else None]
        return Edit(start, end + len(behind) - len(behind.lstrip()), "") if behind.strip() else _whole(text, line, end)
    if mapping.flow_style and index:
        before = _end(mapping.value[index - 1][1])
        return _between(text, before, start, Edit(before, end, ""))
    if index + 1 < len(mapping.value):
        following = _span(mapping.value[index + 1][0])[0]
        return _between(text, end, following, Edit(start, following, ""), in_flow=bool(mapping.flow_style))
    raise NoPlace(f"{name} is all that the entry holds")


def _whole(text: str, line: int, end: int) -> Edit:
    found = _BREAK.search(text, end)
    return Edit(line, found.end() if found else len(text), "")


def _between(text: str, start: int, end: int, edit: Edit, *, in_flow: bool = True) -> Edit:
    between = text[start:end]
    if not (_COMMA.fullmatch(between) if in_flow else not between.strip()):
        raise NoPlace(f"{between.strip()!r} stands between two keys, and one of them has to go")
    return edit


def _pairs(pairs: Mapping[str, str]) -> list[str]:
    return [f"{key}: {_quoted(value)}" for key, value in pairs.items()]


def _quoted(value: str, quote: str = "") -> str:
    return f"{quote}{value}{quote}" if quote or _BARE.fullmatch(value) else f'"{value}"'


def _span(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.index, node.end_mark.index


def _end(node: yaml.Node) -> int:
    """Return where the text of a node ends; PyYAML lets a table end where the next thing begins, behind comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
