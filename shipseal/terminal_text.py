"""Prepare text of others for a terminal or a log. Pure.

Names of files, keys of documents, messages of tools and registries: whoever wrote them may have put control characters
into them, or characters that reverse what follows (Unicode TR 36, section 3), or words that a runner acts upon.
"""

import re

_MOST_LINES = 200  # that are quoted
# GitHub's runners take lines of a log for commands: `::` at the beginning, `##[` anywhere ("Workflow commands").
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\[)")


def line(text: str) -> str:
    """Return a text as one line of what can be seen; everything else is written as Python's escape for it."""
    seen = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
    return _COMMAND.sub(lambda found: f"{found.group(1) or ''}\\x{ord(found.group()[-1]):02x}", seen)


def bounded(text: str, most: int) -> str:
    """Return a text, or the beginning of a longer one and how much is left out."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} characters more)"


def quoted(text: str) -> str:
    """Return what a program has said as a block of Markdown: its last lines as they stand, each to be seen.

    A block that is indented ends at no character that a line of it could hold (CommonMark, "Indented code blocks").
    """
    return "".join(f"    {line(each)}\n" for each in text.strip().splitlines()[-_MOST_LINES:])


def name(path: str) -> str:
    """Return a file's name as text; bytes that are no UTF-8 are written as escapes, which any file can hold."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
