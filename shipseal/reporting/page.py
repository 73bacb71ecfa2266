"""Set sections as Markdown. Pure: text in, text out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shipseal.terminal_text import line

# What could start markup inside a line; the rest needs a line of its own (CommonMark, "Backslash escapes").
_MEANINGFUL = re.compile(r"[\\`*<>\[\]|~&$!]|(?<!\w)_|_(?!\w)|^[#+-]|(?<=^\d)[.)]")
# What GitHub makes of plain text: mentions, references, addresses. A comment inside ends them, and is not seen.
_ACTED_UPON = re.compile(r"@(?=\w)|#(?=\d)|(?<=[A-Za-z]):(?=//)|(?<=\bwww)\.", re.IGNORECASE)


@dataclass(frozen=True)
class ReportSection:
    """One part of a page: a title, then plain paragraphs, then a table where `rows` has any; `source` supports it."""

    title: str
    paragraphs: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    source: str = ""


def markdown(title: str, warnings: Sequence[str], sections: Iterable[ReportSection]) -> str:
    """Return them as Markdown (GitHub Flavored Markdown, "Tables")."""
    parts = [f"# {_plain(title)}", *(f"> **{_plain(warning)}**" for warning in warnings)]
    for section in sections:
        parts += [f"## {_plain(section.title)}", *(_plain(text) for text in section.paragraphs)]
        if section.rows:
            rule = f"|{' --- |' * len(section.header)}"
            parts.append("\n".join([_line(section.header), rule, *map(_line, section.rows)]))
    return "\n\n".join(parts) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """Return text that Markdown takes for nothing but text, on one line."""
    plain = _MEANINGFUL.sub(r"\\\g<0>", line(" ".join(text.split())))
    return _ACTED_UPON.sub(r"\g<0><!-- -->", plain)
