"""Prepare text of others for a terminal or a log. Pure.

Names of files, keys of documents, messages of tools and registries: whoever wrote them may have put control characters
into them, or characters that reverse what follows (Unicode TR 36, section 3), or words that a runner acts upon.
"""

import re

# GitHub's runners take lines of a log for commands: `::` at the beginning, `##[` anywhere ("Workflow commands").
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\[)")


def line(text: str) -> str:
    """Return a text as one line of what can be seen; everything else is written as Python's escape for it."""
    seen = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
    return _COMMAND.sub(lambda found: f"{found.group(1) or ''}\\x{ord(found.group()[-1]):02x}", seen)


def name(path: str) -> str:
    """Return a file's name as text; bytes that are no UTF-8 are written as escapes, which any file can hold."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
