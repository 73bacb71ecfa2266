"""The same sample is looked at by two sets of real tools, of which one says something else, or nothing to be read."""

from pathlib import Path

import anyio
import pytest

from shipseal.cli.update_comparison import compare
from shipseal.digest import Digest
from shipseal.errors import ToolFailed, VerificationFailed
from shipseal.evidence.tool_answers import ToolDifference
from shipseal.locked.store import Store
from shipseal.project.config import Config
from tests.commands import NOW, clone


class Sample:
    """A project and its run directory, in which what does not change is kept from test to test."""

    def __init__(self, root: Path, store: Store, locked: dict[str, Digest]) -> None:
        self.project, self.run = clone("greetings", root / "greetings"), root / "run"
        self.store, self.locked, self.made = store, locked, root / "made"

    def instead(self, tool: str, script: str) -> dict[str, Digest]:
        """Return the tools with a script in place of one, which has the real one as $REAL."""
        self.made.write_text(f"#!/bin/sh\nREAL={self.store.get(self.locked[tool])}\n{script}\n")
        self.made.chmod(0o755)
        digest = Digest.of_file(self.made)
        self.store.add(self.made, digest)
        return {**self.locked, tool: digest}

    def compare(self, new: dict[str, Digest]) -> tuple[ToolDifference, ...]:
        async def compared() -> tuple[ToolDifference, ...]:
            config = Config.load(self.project / "pipeline.toml")
            return await compare(self.run, config, self.store, self.locked, new, say=print, as_of=NOW)

        return anyio.run(compared)


@pytest.fixture(scope="module")
def sample(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Give the sample, and a store of its own that has what the user's has."""
    root = tmp_path_factory.mktemp("compared")
    own = Store(root / "store")
    (own.root / "sha256").mkdir(parents=True)
    for entry in (store.root / "sha256").iterdir():
        (own.root / "sha256" / entry.name).symlink_to(entry)
    return Sample(root, own, locked)


def test_what_a_tool_says_otherwise_is_told_by_name(sample: Sample) -> None:
    """Another mime type in Syft's listing; all that follows from it goes through."""
    other = '"$REAL" "$@" && sed -i s,text/plain,text/x-other, sbom.syft.json'
    found = sample.compare(sample.instead("syft", other))
    assert found
    assert {("files on linux/amd64", "changed", ("metadata.mimeType",))} == {
        (each.where, each.what, each.fields) for each in found
    }


def test_a_tool_whose_answer_nobody_can_read_is_refused(sample: Sample) -> None:
    with pytest.raises(ToolFailed, match="the sample does not go through") as refused:
        sample.compare(sample.instead("syft", '"$REAL" "$@" && echo not JSON > sbom.syft.json'))
    assert refused.value.why[0] == "in sbom: Syft left no readable sbom.syft.json"


def test_a_verifier_that_no_longer_accepts_what_was_signed_is_refused(sample: Sample) -> None:
    refuses = 'case "$1" in verify) echo no >&2; exit 12;; *) exec "$REAL" "$@";; esac'
    with pytest.raises(VerificationFailed, match="the sample does not go through") as refused:
        sample.compare(sample.instead("cosign", refuses))
    assert refused.value.why[0].startswith("in verify: the two verifiers disagree about ")
