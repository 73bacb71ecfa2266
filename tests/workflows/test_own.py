"""The workflows of a repository such as this one: what a tag, a person and the clock start, from end to end."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import local_sigstore
from shipseal.locked.store import Store
from tests.release.registries import olareg
from tests.workflows import hosted
from tests.workflows.called import TAG, Caller, git
from tests.workflows.own import example, owning

pytestmark = pytest.mark.timeout(600)

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def own(
    programs: Path, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Caller]:
    """Give the repository, a registry and a signing authority."""
    with (
        local_sigstore() as authority,
        olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("olareg")) as registry,
        owning(tmp_path_factory.mktemp("github"), programs, registry, authority) as made,
    ):
        yield made


def test_a_tag_is_released_and_is_what_the_clock_has_verified_and_judged_later(own: Caller) -> None:
    done = own.call("push", TAG)
    hosted.expect(done)
    assert own.registry.tags("acme/greetings") == ["1", "1.0", "1.0.0"]
    assert "Job succeeded" in done.stdout
    assert "Run Main Deploy" not in done.stdout  # there is no role to take

    git(own.checkout, "commit", "-q", "--allow-empty", "-m", "Go on")
    later = replace(own, workflow="rescan.yml").call("schedule", "refs/heads/main")
    hosted.expect(later)
    told = hosted.summary(later.stdout)
    assert "may ship" in told
    [digest] = set(DIGEST.findall(told))
    assert (own.root / "artifacts" / "rescanned" / digest.partition(":")[2] / "summary.md").is_file()
    assert own.tokens.asked.count("sigstore") == len(own.tokens.asked)


def test_a_tag_that_names_another_version_than_the_service_has_starts_nothing(own: Caller) -> None:
    git(own.checkout, "tag", "--force", "v9.9.9")
    asked = [*own.tokens.asked]
    done = own.call("push", "refs/tags/v9.9.9")
    hosted.expect(done, 1)
    assert "exit status 2" in done.stdout
    assert "v9.9.9" in hosted.summary(done.stdout)
    assert asked == own.tokens.asked
    git(own.checkout, "tag", "--delete", "v9.9.9")


def test_this_repository_as_it_stands_is_released_by_nobody_who_starts_it_by_hand(own: Caller) -> None:
    """Its names are examples."""
    done = example(own).call("workflow_dispatch", "refs/heads/main")
    hosted.expect(done, 1)
    assert "exit status 2" in done.stdout
    assert ".example" in hosted.summary(done.stdout)
    assert "Take the run directory" not in done.stdout
