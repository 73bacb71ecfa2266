"""Put a verified digest into the `images` of a kustomization, as a change for review that changes nothing else. Pure.

The file is people's: it is edited where it stands, and comments, order and every other byte are kept. The keys are
those of `types.Image` (sigs.k8s.io/kustomize/api).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from shipseal.deploying import kustomization
from shipseal.deploying.yaml_edits import (
    Edit,
    NoPlace,
    add_entry,
    add_lines,
    add_pairs,
    applied,
    entry_lines,
    get,
    plain,
    remove_pair,
    set_value,
)
from shipseal.digest import Reference
from shipseal.errors import ConfigError, SubjectFailed, VerificationFailed

_KEYS = {"name", "newName", "newTag", "digest"}
# An image without a tag. Kustomize takes it for a pattern, in which a dot is any character.
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_NAME = re.compile(rf"{_PART}(:[0-9]{{1,5}}/{_PART})?(/{_PART}){{0,16}}")


def write(text: bytes, name: str, reference: Reference) -> bytes:
    """Return a kustomization in which the image called `name` is `reference`, by its digest and without a tag.

    Args:
        text: the file.
        name: the image as the manifests below have it, without tag and digest.
        reference: the verified image.

    Raises:
        ConfigError: `name` is no such name.
        SubjectFailed: the file is none that could be rendered, or has no place for the digest that would leave all else
            as it is; it says what to write by hand.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"not the name of an image: {name!r}"[:200],
            remedy="give it as the manifests have it, without tag and digest",
        )
    wanted = {"newName": f"{reference.registry}/{reference.repository}", "digest": str(reference.digest)}
    try:
        source, root = _read(text)
        changed = applied(source, _edits(source, root, name, wanted))
        if _again(changed) != _expected(plain(root), name, wanted):
            raise NoPlace("it is written in a way in which an edit would change more than the image")
    except NoPlace as problem:
        by_hand = ", ".join(f"{key}: {value}" for key, value in {"name": name, **wanted}.items())
        raise SubjectFailed(
            f"the digest of {name} cannot be written into the kustomization",
            why=str(problem),
            remedy=f"write the entry under `images` by hand: {by_hand}",
        ) from problem
    return changed.encode()


def pinned_images(text: bytes) -> Mapping[str, Reference]:
    """Return the images that a kustomization names by digest and without a tag, by the names that they replace.

    Raises:
        SubjectFailed: the file is none that could be rendered.
    """
    found = {}
    for entry in plain(_read(text)[1]).get("images") or ():
        if isinstance(entry, dict) and entry.get("digest") and not entry.get("newTag"):
            try:
                reference = Reference.parse(f"{entry.get('newName') or entry['name']}@{entry['digest']}")
                found[str(entry["name"])] = reference
            except (VerificationFailed, KeyError):
                continue
    return found


def _read(text: bytes) -> tuple[str, yaml.MappingNode | None]:
    refused = kustomization.read(text).refused
    try:
        source = text.decode("utf-8")
    except ValueError as problem:
        refused = (f"it is not valid UTF-8: {problem}",)
    if refused:
        raise SubjectFailed(
            "the kustomization is none that is rendered here", why=refused, remedy="correct it, and run this again"
        )
    root = yaml.compose(source, Loader=yaml.SafeLoader)
    return source, root if isinstance(root, yaml.MappingNode) else None


def _again(changed: str) -> Any:
    """Return what a file holds that was edited, None where it is no longer one that could be rendered."""
    try:
        return plain(_read(changed.encode())[1])
    except SubjectFailed:
        return None


def _edits(text: str, root: yaml.MappingNode | None, name: str, wanted: Mapping[str, str]) -> Iterator[Edit]:
    images = None if root is None else get(root, "images")
    pairs = {"name": name, **wanted}
    if isinstance(images, yaml.SequenceNode):
        entry = _entry(images, name, wanted["newName"])
        yield from [add_entry(text, images, pairs)] if entry is None else _changes(text, entry, wanted)
    elif images is not None:
        raise NoPlace("images is not a list")
    elif root is None or not root.flow_style:
        column = 0 if root is None else root.start_mark.column
        lines = entry_lines(column + _indent(root), pairs)
        yield add_lines(text, None, [f"{' ' * column}images:", *lines])
    else:
        raise NoPlace("it is one table in braces, and has no images")


def _entry(images: yaml.SequenceNode, name: str, new_name: str) -> yaml.MappingNode | None:
    """Return the entry for an image, None where there is none."""
    found = None
    for each in images.value:
        if not isinstance(each, yaml.MappingNode) or not all(
            isinstance(value, yaml.ScalarNode) for _, value in each.value
        ):
            raise NoPlace("an entry of images is not a table of texts")
        if unknown := sorted(plain(each).keys() - _KEYS):
            raise NoPlace(f"an entry of images has the key {unknown[0]!r}")
        called = plain(each).get("name")
        if called == new_name != name or (called == name and found):
            raise NoPlace(f"images has another entry that changes {called}")
        found = each if called == name else found
    return found


def _changes(text: str, entry: yaml.MappingNode, wanted: Mapping[str, str]) -> Iterator[Edit]:
    there = {key.value: (key, value) for key, value in entry.value}
    missing = {key: value for key, value in wanted.items() if key not in there}
    for key in wanted.keys() & there.keys():
        yield set_value(there[key][1], wanted[key])
    if "newTag" in there and missing:
        # The digest takes the place of the tag, and whatever comment stands beside it.
        key, value = there["newTag"]
        name, new = missing.popitem()
        yield set_value(key, name)
        yield set_value(value, new)
    elif "newTag" in there:
        yield remove_pair(text, entry, "newTag")
    if missing:
        yield add_pairs(text, entry, there["name"][1], missing)


def _indent(root: yaml.MappingNode | None) -> int:
    """Return how far this file's lists stand from their keys: by 2 where it has none."""
    for _, value in root.value if root else ():
        if isinstance(value, yaml.SequenceNode) and not value.flow_style:
            return int(value.start_mark.column - root.start_mark.column) if root else 2
    return 2


def _expected(before: Any, name: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    images = [
        {**{key: value for key, value in entry.items() if key != "newTag"}, **wanted}
        if entry.get("name") == name
        else entry
        for entry in before.get("images", ())
    ]
    there = any(entry.get("name") == name for entry in images)
    return {**before, "images": images if there else [*images, {"name": name, **wanted}]}
