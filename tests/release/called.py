"""A project that calls a workflow of others, which builds in one job and signs in another, as GitHub tells of it."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from shipseal.local.sigstore import ISSUER
from tests.commands import Ended
from tests.conftest import commit
from tests.release.projects import BRANCH, POLICY, SOURCE, Project, head

GITHUB = "https://github.com/"
CALLER = f"{GITHUB}acme/greetings"
WORKFLOW = ".github/workflows/release.yml"
BUILDER = f"{GITHUB}tools/pipeline/.github/workflows/build-and-sign.yml@{'4b825dc6' * 5}"
UP_TO_THE_GATE = "facts,test,smoke,admit"

# What a token of GitHub's says, and where Fulcio puts it (docs/oid-info.md, "Mapping OIDC token claims").
CLAIMS: Mapping[str, str] = {
    "job_workflow_ref": "build_signer_uri",
    "workflow_ref": "build_config_uri",
    "repository": "source_repository_uri",
    "sha": "source_repository_digest",
    "ref": "source_repository_ref",
    "event_name": "build_trigger",
    "runner_environment": "runner_environment",
    "environment": "deployment_environment",
}
_ADDRESSES = frozenset({"job_workflow_ref", "workflow_ref", "repository"})

RULES = f"""
[[policies.production.signers]]
repository = "{CALLER}"
workflow = "{WORKFLOW}"
ref = ["{BRANCH}", "refs/tags/v*"]
builder = "{BUILDER}"
runner = "github-hosted"
environment = "release"
issuer = "{ISSUER}"
"""


@dataclass(frozen=True)
class Called(Project):
    """The project as the jobs of the called workflow see it; `changed` replaces what a token says."""

    changed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, project: Project) -> Self:
        """Give a project the policy of a build at level 3."""
        before, _, _ = POLICY.partition("[[policies.production.signers]]")
        rules = before.replace("slsa-build-level = 1", "slsa-build-level = 3") + RULES
        project.policy.write_text(project.policy.read_text().replace(POLICY, rules).replace(SOURCE, CALLER))
        configuration = project.root / "pipeline.toml"
        configuration.write_text(configuration.read_text().replace(SOURCE, CALLER))
        commit(project.root)
        return cls(**vars(project))

    def token(self, identity: str = "") -> str:
        """Return a token as the job that signs has one."""
        said = {
            "job_workflow_ref": BUILDER.removeprefix(GITHUB),
            "workflow_ref": f"acme/greetings/{WORKFLOW}@{BRANCH}",
            "repository": "acme/greetings",
            "sha": head(self.root),
            "ref": BRANCH,
            "event_name": "push",
            "runner_environment": "github-hosted",
            "environment": "release",
            **self.changed,
        }
        certified = {CLAIMS[name]: f"{GITHUB if name in _ADDRESSES else ''}{value}" for name, value in said.items()}
        self.tokens.append(self.authority.token(identity or certified["build_signer_uri"], {**said, **certified}))
        return self.tokens[-1]

    @property
    def services(self) -> Path:
        """The signing services that this machine knows."""
        return self.home / "signing.json"

    def build(self) -> None:
        """Do what the first job does."""
        ended = self.run("release", "--to", UP_TO_THE_GATE, SIGSTORE_ID_TOKEN="")
        assert ended.code == 0, ended.output

    def elsewhere(self, place: Path) -> Self:
        """Return another machine with a checkout of the same commit, on which nothing has run."""
        shutil.copytree(self.root, place / "greetings", symlinks=True, ignore=shutil.ignore_patterns(".run"))
        (place / "home").mkdir()
        shutil.copy(self.services, place / "home")  # it is that machine that knows them
        return replace(self, root=place / "greetings", home=place / "home")

    def sign(self, given: Path, *words: str) -> Ended:
        """Do what the second job does."""
        return self.run("sign", "--yes", "--run", given, "--signing-config", self.services, *words)
