"""Set sections as one static HTML page without any external asset, and as Markdown. Pure: text in, text out. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from pipeline.shown import line

# What could start markup inside a line; the rest needs a line of its own (CommonMark, "Backslash escapes").
_MEANINGFUL = re.compile(r"[\\`*<>\[\]|~&$!]|(?<!\w)_|_(?!\w)|^[#+-]|(?<=^\d)[.)]")
# What GitHub makes of plain text: mentions, references, addresses. A comment inside ends them, and is not seen.
_ACTED_UPON = re.compile(r"@(?=\w)|#(?=\d)|(?<=[A-Za-z]):(?=//)|(?<=\bwww)\.", re.IGNORECASE)

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884 }
td { overflow-wrap: anywhere } td:first-child { white-space: nowrap }
.warning { border-left: .3rem solid #c60; padding: .25rem 1rem; margin: .5rem 0; background: #c601 }
"""


@dataclass(frozen=True)
class Section:
    """One part of a page: a title, then plain paragraphs, then a table where `rows` has any."""

    title: str
    paragraphs: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def html(title: str, warnings: Sequence[str], sections: Iterable[Section]) -> str:
    """Return the page; everything that comes from evidence is escaped, and nothing in it runs or is fetched."""
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # A browser is told to fetch and run nothing, whatever a finding's text may hold.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>",
        *(f'<p class="warning">{escape(warning)}</p>' for warning in warnings),
        *(_html_section(section) for section in sections),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _html_section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", *(f"<p>{escape(text)}</p>" for text in section.paragraphs)]
    if section.rows:
        parts += [
            "<table>",
            "<tr>" + "".join(f"<th>{escape(name)}</th>" for name in section.header) + "</tr>",
            *("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows),
            "</table>",
        ]
    return "\n".join(parts)


def markdown(title: str, warnings: Sequence[str], sections: Iterable[Section]) -> str:
    """Return the same as Markdown (GitHub Flavored Markdown, "Tables")."""
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
