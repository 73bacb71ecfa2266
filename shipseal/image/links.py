"""Say where symbolic links lead, as a kernel would follow them, without a file system. Pure.

Pure: paths and targets in, a refusal out. A link may lead through others, and those may be known only later.
"""

from collections.abc import Mapping

from shipseal.errors import SubjectFailed

_MOST = 40  # links on the way to one file, where Linux gives up too (path_resolution(7))


def check(links: Mapping[str, str], brought_by: str) -> None:
    """Refuse links that lead out of the root, through whichever others.

    Args:
        links: the target of each link by its path below the root.
        brought_by: what messages call the package that the last of them came with.

    Raises:
        SubjectFailed: one leads out.
    """
    for path, target in links.items():
        if _leaves(path, target, links):
            raise SubjectFailed(
                f"{path} links to {target}, which leaves the image",
                why=f"{brought_by} brings it, or what it leads through; followed, it goes above the root",
                remedy="leave the package out of the image",
            )


def _leaves(path: str, target: str, links: Mapping[str, str]) -> bool:
    here, followed = path.split("/")[:-1], 0
    ahead = target.split("/")[::-1]
    if target.startswith("/"):
        return True
    while ahead:
        part = ahead.pop()
        if part == "..":
            if not here:
                return True
            here.pop()
        elif part not in {"", "."}:
            further = links.get("/".join([*here, part]))
            if further is None:
                here.append(part)
                continue
            followed += 1
            if further.startswith("/"):
                return True
            if followed > _MOST:
                return False  # it goes round, and leads to nothing
            ahead += further.split("/")[::-1]
    return False
