"""A repository of somebody else that calls `build-and-sign.yml` by commit, and where its service is released to."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from shipseal.local import advisories
from shipseal.local.sigstore import ISSUER, LocalSigstore
from shipseal.project.config import HOME
from tests.commands import SAMPLES
from tests.conftest import commit
from tests.release.projects import renew_statements
from tests.release.registries import Served
from tests.workflows import hosted

REPOSITORY, PIPELINE = "acme/greetings", "acme/pipeline"
WORKFLOW = ".github/workflows/build-and-sign.yml"
SOURCE = f"{hosted.GITHUB}/{REPOSITORY}"
TAG = "refs/tags/v1.0.0"

CALLER = """
name: ours
on:
  push:
  pull_request:
  workflow_dispatch:
jobs:
  image:
    permissions:
      contents: read
      id-token: write
    uses: {pipeline}/{workflow}@{commit}
  after:
    needs: image
    runs-on: ubuntu-24.04
    permissions: {{}}
    steps:
      - run: echo "released $DIGEST"
        env:
          DIGEST: ${{{{ needs.image.outputs.digest }}}}
"""
CONFIGURATION = """
[registry]
plain-http = true
[sign]
signing-config = "{signing}"
trusted-root = "rules/authority.json"
[scan]
database = "../database"
"""
POLICY = """
[policies.production]
trust-root = "file"
trust-root-file = "authority.json"
slsa-build-level = {level}
source = "{source}"
[[policies.production.signers]]
repository = "{source}"
workflow = ".github/workflows/{workflow}"
ref = ["refs/tags/v*"]
{builder}runner = "github-hosted"
environment = "release"
issuer = "{issuer}"
"""


@dataclass(frozen=True)
class Caller:
    """A repository on a GitHub of this machine, and a workflow of it.

    Args:
        root: of that GitHub: repositories, artefacts, and what was asked of it.
        programs: where act is.
        registry: where the service is released to.
        tokens: who gives identity tokens.
        database: the listing of a mirror of the vulnerability database.
        revision: the commit of the pipeline.
        workflows: the repository of the pipeline, with what GitHub puts into its workflow.
        repository: its name.
        workflow: the file that is started.
    """

    root: Path
    programs: Path
    registry: Served
    tokens: hosted.Tokens
    database: str
    revision: str
    workflows: Path
    repository: str = REPOSITORY
    workflow: str = "ours.yml"

    @property
    def checkout(self) -> Path:
        """The repository."""
        return self.root / "repositories" / self.repository

    @property
    def signing(self) -> Path:
        """The file that names the signing services; the content is a variable of the repository too."""
        return signing_of(self.checkout)

    @property
    def run(self) -> Path:
        """The run directory that the signing job has left, as an artefact."""
        return self.root / "artifacts" / "run"

    @property
    def head(self) -> str:
        """The commit of the repository."""
        return git(self.checkout, "rev-parse", "HEAD")

    def call(
        self, event: str = "push", ref: str = TAG, between: str = "", payload: Mapping[str, Any] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Start the repository's workflow by an event, and run it to its end.

        Args:
            event: what has happened.
            ref: to what.
            between: what somebody does to the artefact before the signing job has it, in words of a shell.
            payload: more of what is told of the event.
        """
        shutil.rmtree(self.root / "artifacts", ignore_errors=True)
        told = self.root / "event.json"
        told.write_text(json.dumps({"ref": ref, **(payload or {})}))
        places = [self.workflows / WORKFLOW, self.checkout / ".github" / "workflows" / self.workflow]
        text = "".join(place.read_text() for place in places)
        options = [*hosted.stand_ins(text), f"--local-repository={PIPELINE}@{self.revision}={self.workflows}"]
        options += ["--eventpath", str(told), "--no-skip-checkout", f"--var=PIPELINE_DATABASE={self.database}"]
        options.append(f"--var=PIPELINE_SIGNING_CONFIG={self.signing.read_text()}")
        options += ["--workflows", f".github/workflows/{self.workflow}", f"--action-cache-path={self.root / 'cache'}"]
        return hosted.act(self.programs, self.checkout, event, *options, env=self._environment(between))

    def _environment(self, between: str) -> dict[str, str]:
        return {
            "PATH": f"{self.root / 'sudo'}:{os.environ['PATH']}",
            "TEST_REPOSITORIES": str(self.root / "repositories"),
            "TEST_DIRECTORY": str(self.root),
            "TEST_ENVIRONMENT": sys.prefix,
            "TEST_BETWEEN": between,
            "XDG_CACHE_HOME": str(self.root / "caches"),
        }

    def commit(self, path: str, text: str) -> None:
        """Change a file of the repository; the tag goes to the commit of that."""
        (self.checkout / path).write_text(text)
        commit(self.checkout)
        git(self.checkout, "tag", "--force", TAG.removeprefix("refs/tags/"))
        self.tokens.claims["sha"] = self.head


def signing_of(checkout: Path) -> Path:
    """Return the file, beside a repository, that names its signing services."""
    return checkout.parent / f"{checkout.name}-signing.json"


def git(checkout: Path, *words: str) -> str:
    """Run git, and return what it says."""
    return subprocess.run(["git", "-C", checkout, *words], check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def calling(root: Path, programs: Path, registry: Served, authority: LocalSigstore) -> Iterator[Caller]:
    """Give the caller's repository, with its service, its policy and one commit, which a tag names."""
    ours = root / "repositories" / PIPELINE
    subprocess.run(["git", "clone", "-q", HOME, ours], check=True)
    revision = git(ours, "rev-parse", "HEAD")
    builder = f"{hosted.GITHUB}/{PIPELINE}/{WORKFLOW}@{revision}"
    checkout = root / "repositories" / REPOSITORY
    shutil.copytree(SAMPLES / "greetings", checkout)
    (checkout / ".github" / "workflows").mkdir(parents=True)
    caller = CALLER.format(pipeline=PIPELINE, workflow=WORKFLOW, commit=revision)
    (checkout / ".github" / "workflows" / "ours.yml").write_text(caller)
    configure(checkout, registry, authority, level=3, source=SOURCE, workflow="ours.yml", builder=builder)
    publish(checkout, SOURCE)
    with (
        hosted.token_endpoint(authority, claims(git(checkout, "rev-parse", "HEAD"), revision)) as tokens,
        mirror(root) as database,
    ):
        workflows = root / "workflows"
        (workflows / WORKFLOW).parent.mkdir(parents=True)
        shutil.copy(HOME / WORKFLOW, workflows / WORKFLOW)
        hosted.put_in(workflows / WORKFLOW, PIPELINE, revision, tokens.environment())
        hosted.without_root(root / "sudo")
        hosted.cache(root / "caches")
        yield Caller(root, programs, registry, tokens, database, revision, workflows)


def claims(sha: str, revision: str) -> dict[str, str]:
    """Return what GitHub claims of the signing job of a tag."""
    return {
        "sub": f"repo:{REPOSITORY}:environment:release",
        "repository": REPOSITORY,
        "repository_owner": "acme",
        "ref": TAG,
        "ref_type": "tag",
        "sha": sha,
        "event_name": "push",
        "environment": "release",
        "workflow_ref": f"{REPOSITORY}/.github/workflows/ours.yml@{TAG}",
        "job_workflow_ref": f"{PIPELINE}/{WORKFLOW}@{revision}",
        "job_workflow_sha": revision,
        "runner_environment": "github-hosted",
        "run_id": "17",
        "run_attempt": "1",
    }


def configure(
    checkout: Path,
    registry: Served,
    authority: LocalSigstore,
    *,
    level: int,
    source: str,
    workflow: str,
    builder: str = "",
) -> None:
    """Have the sample service in a checkout be released to a registry, and signed by an authority, of this machine."""
    signing = signing_of(checkout)
    signing.write_text(json.dumps(authority.signing_config()))
    (checkout / "rules" / "authority.json").write_text(json.dumps(authority.trusted_root()))
    configuration = (checkout / "pipeline.toml").read_text().replace("docker.io/example", f"{registry.host}/acme")
    configuration = configuration.replace("[image]\n", f'[image]\nsource = "{source}"\n')
    (checkout / "pipeline.toml").write_text(configuration + CONFIGURATION.format(signing=signing))
    named = f'builder = "{builder}"\n' if builder else ""
    said = POLICY.format(level=level, source=source, workflow=workflow, builder=named, issuer=ISSUER)
    with (checkout / "rules" / "verification.toml").open("a") as policy:
        policy.write(said)
    renew_statements(checkout / "rules" / "vex")


def publish(checkout: Path, source: str) -> None:
    """Commit everything, as a repository of its own that a tag names."""
    commit(checkout)
    git(checkout, "remote", "add", "origin", source)
    git(checkout, "tag", TAG.removeprefix("refs/tags/"))


@contextmanager
def mirror(root: Path) -> Iterator[str]:
    """Serve a vulnerability database of yesterday; give the address of its listing."""
    directory = root / "mirror"
    directory.mkdir()
    built = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=0)
    known = advisories.read(HOME / "policy" / "sample-advisories.toml").model_copy(update={"built": built})
    advisories.build(known, root / "vulnerability.db", processor="tests")
    with tarfile.open(directory / "whole.tar.gz", "w:gz") as archive:
        archive.add(root / "vulnerability.db", "vulnerability.db")
    checksum = hashlib.sha256((directory / "whole.tar.gz").read_bytes()).hexdigest()
    listing = {"status": "active", "schemaVersion": "v6.1.7", "built": f"{built:%Y-%m-%dT%H:%M:%SZ}"}
    listing |= {"path": "whole.tar.gz", "checksum": f"sha256:{checksum}"}
    (directory / "latest.json").write_text(json.dumps(listing))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=directory)) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/latest.json"
        finally:
            server.shutdown()
            thread.join()
