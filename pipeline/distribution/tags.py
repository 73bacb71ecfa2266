"""Say which tags an image of a version gets. Pure: a version in, names out."""

_SEMANTIC_PARTS = 3


def tags_of(version: str) -> list[str]:
    """Return the version and the tags that move with it: 1.4.2 moves 1.4 and 1, 0.4.2 moves 0.4, others move none."""
    parts = version.split(".")
    if len(parts) != _SEMANTIC_PARTS or not all(part.isdigit() for part in parts):
        return [version.replace("+", "-")]  # a tag may not hold the plus sign of a local version
    minor = ".".join(parts[:2])
    return [version, minor] if parts[0] == "0" else [version, minor, parts[0]]
