"""Refuse what is no path on every machine, in archives and in images. Pure."""

from shipseal.errors import SubjectFailed

REMEDY = "leave one of the packages out, or have its maker correct it"
_LONGEST_NAME, _LONGEST_PATH = 255, 1024  # bytes
_SHOWN = 300  # characters of a path that is refused


def check_path(path: str) -> None:
    """Refuse a path that is not below the root on every machine; raise `SubjectFailed`."""
    parts = path.split("/")
    if not _is_told(path) or "\\" in path or not {"", ".", ".."}.isdisjoint(parts):
        raise SubjectFailed(f"not a path for a file of an image: {path!r}"[:_SHOWN], remedy=REMEDY)


def check_target(path: str, target: str) -> None:
    """Refuse a link to what no machine takes for a path, wherever it leads; raise `SubjectFailed`."""
    if not target or not _is_told(target):
        raise SubjectFailed(f"{path} links to what is not a valid path: {target!r}"[:_SHOWN], remedy=REMEDY)


def _is_told(path: str) -> bool:
    """Say whether a path can be printed and is short enough to be made (limits.h: NAME_MAX, and PATH_MAX by far)."""
    lengths = [len(part.encode()) for part in path.split("/")] if path.isprintable() else [_LONGEST_NAME + 1]
    return max(lengths) <= _LONGEST_NAME and sum(lengths) <= _LONGEST_PATH
