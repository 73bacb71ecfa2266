"""What changed between two locks is told by name, and everything else of them is left out."""

import pytest

from shipseal.relocking.lock_changes import changes

OLD_PYTHON = """\
# a==0
a==1 \\
    --hash=sha256:00
Forked==1 ; python_full_version < '3.12' \\
    --hash=sha256:00
forked==2 ; python_full_version >= '3.12' \\
    --hash=sha256:00
kept[extra]==1 --hash=sha256:00
"""
NEW_PYTHON = """\
added==1
forked==2
kept==1 --hash=sha256:11
"""


def debian(*packages: tuple[str, str, str]) -> str:
    return "".join(
        f'[[package]]\nname = "{name}"\nversion = "{version}"\narchitecture = "{architecture}"\n'
        for name, version, architecture in packages
    )


@pytest.mark.parametrize(
    ("kind", "old", "new", "told"),
    [
        ("python", OLD_PYTHON, NEW_PYTHON, ["a 1 -> gone", "added 1, new here", "forked 1, 2 -> 2"]),
        (
            "debian",
            debian(("a", "1", "amd64"), ("a", "1", "arm64"), ("b", "1", "all")),
            debian(("a", "2", "amd64"), ("a", "2+b1", "arm64"), ("b", "1", "all")),
            ["a 1 -> 2 (amd64), 2+b1 (arm64)"],
        ),
        ("debian", '[[package]]\nname = "a"\narchitecture = "all"\n', debian(("a", "1", "all")), ["a 1, new here"]),
        ("tools", '[grype]\nversion = "1"\n', '[grype]\nversion = "2"\n', ["grype 1 -> 2"]),
        (
            "base",
            f'base-image = "python:3.11@sha256:{"0" * 64}"\n',
            f'base-image = "python:3.11@sha256:{"1" * 64}"\n',
            [f"python:3.11 sha256:{'0' * 64} -> sha256:{'1' * 64}"],
        ),
        ("tools", "<<<<<<< HEAD\n", '[grype]\nversion = "2"\n', ["grype 2, new here"]),
    ],
    ids=["wheels", "rebuilt on one architecture", "to be locked", "tools", "base image", "nobody can read it"],
)
def test_a_change_is_told_by_name_with_both_versions(kind: str, old: str, new: str, told: list[str]) -> None:
    assert [str(change) for change in changes(kind, old, new)] == told
