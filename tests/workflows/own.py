"""A repository that holds the pipeline and a service of its own, as this one does, and starts its workflows itself."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from shipseal.local.sigstore import LocalSigstore
from shipseal.project.config import HOME
from tests.commands import SAMPLES
from tests.release.registries import Served
from tests.workflows import hosted
from tests.workflows.called import TAG, WORKFLOW, Caller, claims, configure, git, mirror, publish, signing_of

REPOSITORY = "acme/own"
SOURCE = f"{hosted.GITHUB}/{REPOSITORY}"


@contextmanager
def owning(root: Path, programs: Path, registry: Served, authority: LocalSigstore) -> Iterator[Caller]:
    """Give a clone of this repository whose service is the small one of the samples."""
    checkout = root / "repositories" / REPOSITORY
    subprocess.run(["git", "clone", "-q", HOME, checkout], check=True)
    shutil.rmtree(checkout / ".git")
    shutil.copytree(SAMPLES / "greetings", checkout, dirs_exist_ok=True, ignore=shutil.ignore_patterns("tests"))
    shutil.copytree(SAMPLES / "greetings" / "tests", checkout / "tests-of-the-service")
    configuration = checkout / "pipeline.toml"
    configuration.write_text(configuration.read_text().replace('paths = ["tests"]', 'paths = ["tests-of-the-service"]'))
    (checkout / "app" / "CHANGELOG.md").write_text("## [1.0.0]\n\n- Greet.\n")
    configure(checkout, registry, authority, level=2, source=SOURCE, workflow=Path(WORKFLOW).name)
    own = {
        "repository": REPOSITORY,
        "workflow_ref": f"{REPOSITORY}/.github/workflows/release.yml@{TAG}",
        "job_workflow_ref": f"{REPOSITORY}/{WORKFLOW}@{TAG}",
    }
    with hosted.token_endpoint(authority, {**claims("", ""), **own}) as tokens, mirror(root) as database:
        # A workflow of the same repository is of the commit that has started the run.
        hosted.put_in(checkout / WORKFLOW, REPOSITORY, "${{ github.sha }}", tokens.environment())
        publish(checkout, SOURCE)
        tokens.claims["sha"] = git(checkout, "rev-parse", "HEAD")
        hosted.without_root(root / "sudo")
        hosted.cache(root / "caches")
        yield Caller(root, programs, registry, tokens, database, "", checkout, REPOSITORY, "release.yml")


def example(own: Caller) -> Caller:
    """Give a clone of this repository as it stands, beside another one, whose names are nobody's."""
    name = "acme/example"
    checkout = own.root / "repositories" / name
    subprocess.run(["git", "clone", "-q", HOME, checkout], check=True)
    hosted.put_in(checkout / WORKFLOW, name, "${{ github.sha }}", own.tokens.environment())
    shutil.rmtree(checkout / ".git")
    publish(checkout, f"{hosted.GITHUB}/{name}")
    shutil.copy(own.signing, signing_of(checkout))
    return replace(own, repository=name, workflows=checkout)
