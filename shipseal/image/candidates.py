"""Say what an image was chosen from: so that what it lacks is told apart from what never was."""

import re

from shipseal.documents.image import OfferedPlatform
from shipseal.image.planning import Interior
from shipseal.image.tree import Tree

# deb-symbols(5): `library package minimum`, then ` symbol@VERSION minimum`, and lines that begin with `|` or `*`.
_SYMBOL = re.compile(r" (?:\([^)]*\))?([A-Za-z_]\w*)@")


def offered(tree: Tree, interior: Interior) -> OfferedPlatform:
    """Return every path of an unpacked tree, what is in the interpreter itself, and which symbols libraries export."""
    found: dict[str, list[str]] = {}
    for text in tree.symbols.values():
        found |= symbols(text.decode("utf-8", "replace"))
    return OfferedPlatform(
        files=tuple(sorted(tree.files)),
        inside=tuple(sorted(interior.builtin | interior.frozen)),
        symbols={library: tuple(names) for library, names in found.items()},
    )


def symbols(text: str) -> dict[str, list[str]]:
    """Return what a package's symbols file says that each of its libraries exports.

    Names that it gives by a pattern are left out: they say of no name that it is there.
    """
    found: dict[str, list[str]] = {}
    library = ""
    for line in text.splitlines():
        if line[:1] not in {" ", "*", "|", "#", ""}:
            library = line.split(" ", 1)[0]
            found[library] = []
        elif library and (match := _SYMBOL.match(line)):
            found[library].append(match[1])
    return {name: sorted(set(each)) for name, each in found.items() if each}
