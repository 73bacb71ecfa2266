"""Read the lines of a requirements file. Pure."""

import re
from collections.abc import Iterator

_COMMENT = re.compile(r"(^|\s)#.*$")


def lines(text: str) -> Iterator[str]:
    """Yield the requirements of a requirements file, without hashes, options and comments."""
    for raw in text.replace("\\\n", " ").splitlines():
        line = _COMMENT.sub("", raw).strip()
        if line and not line.startswith("-"):
            yield line.partition(" --hash")[0].strip()
