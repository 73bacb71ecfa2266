"""A project that is released: another service, with a registry, a signing authority and a policy of its own."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, Self

from shipseal.local import advisories
from shipseal.local.sigstore import ISSUER
from shipseal.project.config import HOME
from tests.commands import SAMPLES, Ended, pipeline, read
from tests.conftest import commit
from tests.release.registries import Served

REPOSITORY = "acme/greetings"
SOURCE = "https://code.invalid/acme/greetings"
IDENTITY = f"{SOURCE}/.github/workflows/release.yml@refs/heads/main"
BRANCH = "refs/heads/main"

POLICY = f"""
[policies.production]
trust-root = "file"
trust-root-file = "authority.json"
slsa-build-level = 1
source = "{SOURCE}"
maximum-age-days = {{ vulns = 7, openvex = 1, verdict = 1 }}

[[policies.production.signers]]
identity = "{IDENTITY}"
issuer = "{ISSUER}"
"""


class Authority(Protocol):
    """Whoever certifies the signer of a release, while it runs."""

    @property
    def url(self) -> str:
        """Where it is."""

    def token(self, identity: str, claims: Mapping[str, str]) -> str:
        """Return an identity token."""

    def signing_config(self) -> Mapping[str, Any]:
        """Return where a signer finds the services."""

    def trusted_root(self) -> Mapping[str, Any]:
        """Return what a verifier has to trust."""


@dataclass(frozen=True)
class Project:
    """A clone of the sample, set up to be released.

    Args:
        root: the checkout.
        registry: where it is released to.
        authority: who certifies its signer.
        home: the home directory of whoever releases; temporary files go there too.
        store: where the pipeline's inputs lie.
        tokens: the identity tokens that were used.
        prefix: a command in front of the pipeline's.
    """

    root: Path
    registry: Served
    authority: Authority
    home: Path
    store: Path
    tokens: list[str] = field(default_factory=list)
    prefix: tuple[str, ...] = ()

    @property
    def run_dir(self) -> Path:
        """The run directory."""
        return self.root / ".run"

    @property
    def policy(self) -> Path:
        """The policy file."""
        return self.root / "rules" / "verification.toml"

    def token(self, identity: str = IDENTITY) -> str:
        """Return an identity token as a CI job has one."""
        claims = {"source_repository_uri": SOURCE, "source_repository_digest": head(self.root)}
        claims |= {"source_repository_ref": BRANCH, "build_signer_uri": identity}
        self.tokens.append(self.authority.token(identity, claims))
        return self.tokens[-1]

    def variables(self, **more: str) -> dict[str, str]:
        """Return what a release sees; `more` replaces it."""
        (self.home / "tmp").mkdir(exist_ok=True)
        own = {"HOME": str(self.home), "TMPDIR": str(self.home / "tmp"), "SIGSTORE_ID_TOKEN": self.token()}
        return {**own, **self.registry.environment(), **more}

    def release(self, *words: str, **more: str) -> Ended:
        """Release, and return how that ended."""
        return self.run("release", "--yes", *words, **more)

    def run(self, *words: str | Path, **more: str) -> Ended:
        """Run a verb as whoever releases."""
        return pipeline(*words, "--store", self.store, cwd=self.root, prefix=self.prefix, env=self.variables(**more))

    def read(self, name: str) -> Any:
        """Read what a stage wrote."""
        return read(self.run_dir, name)

    def commit(self, path: str, text: str) -> None:
        """Write a file, and commit it."""
        (self.root / path).write_text(text)
        commit(self.root)

    def copy(self, target: Path) -> Self:
        """Return a copy, with what was run in it; its database and its registry are the same."""
        return replace(self, root=Path(shutil.copytree(self.root, target, symlinks=True)))


def head(root: Path) -> str:
    """Return the commit that is checked out."""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def make(directory: Path, registry: Served, authority: Authority, store: Path, *, database: bool = True) -> Project:
    """Make the project: the sample, with a registry, a signing authority and, if wanted, a database of its own."""
    root = directory / "greetings"
    shutil.copytree(SAMPLES / "greetings", root)
    return _set_up(root, registry, authority, store, database=database)


def make_own(directory: Path, registry: Served, authority: Authority, store: Path) -> Project:
    """Make a project of what the pipeline's own checkout releases: the same image, for all of its platforms.

    Its suite does not run once more on the image's files: that has tests of its own, and they measure time.
    """
    root = directory / "own"
    for name in ("service", "tests/service", "image", "k8s"):
        shutil.copytree(HOME / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(HOME / "policy", root / "rules", ignore=shutil.ignore_patterns("vex"))
    shutil.copy(SAMPLES / "greetings" / "rules" / "verification.toml", root / "rules")
    text = (HOME / "pipeline.toml").read_text().replace('directory = "policy"', 'directory = "rules"')
    before, _, after = text.partition('suite = ["tests/service"]')
    text = before + after[after.index("[image]") :]
    (root / "pipeline.toml").write_text(text.replace("example/simpletimeservice", "example/greetings"))
    return _set_up(root, registry, authority, store, database=True)


def _set_up(root: Path, registry: Served, authority: Authority, store: Path, *, database: bool) -> Project:
    """Give a project its registry, its signer and its policy."""
    home = root.parent / "home"
    home.mkdir()
    (home / "signing.json").write_text(json.dumps(authority.signing_config()))
    (root / "rules" / "authority.json").write_text(json.dumps(authority.trusted_root()))
    configuration = (root / "pipeline.toml").read_text().replace("docker.io/example", f"{registry.host}/acme")
    configuration += "\n[registry]\nplain-http = true\n"
    configuration += f'[sign]\nsigning-config = "{home}/signing.json"\ntrusted-root = "rules/authority.json"\n'
    configuration += f'[scan]\ndatabase = "{home}/database"\n' if database else ""
    configuration = configuration.replace("[image]\n", f'[image]\nsource = "{SOURCE}"\n')
    (root / "pipeline.toml").write_text(configuration)
    with (root / "rules" / "verification.toml").open("a") as policy:
        policy.write(POLICY)
    renew_statements(root / "rules" / "vex")
    commit(root)
    return Project(root, registry, authority, home, store)


def import_database(project: Project) -> Ended:
    """Import a vulnerability database of yesterday, as people do who have a file of one."""
    known = advisories.read(HOME / "policy" / "sample-advisories.toml")
    file = project.home / "vulnerability.db"
    file.unlink(missing_ok=True)
    advisories.build(known.model_copy(update={"built": datetime.now(UTC) - timedelta(days=1)}), file, processor="tests")
    return project.run("db", "import", file)


@contextmanager
def another_database(project: Project) -> Iterator[Path]:
    """Give the directory of a project's database, to change it for a while: copies of the project share it."""
    own, before = project.home / "database", project.home / "before"
    shutil.copytree(own, before)
    try:
        yield own
    finally:
        shutil.rmtree(own)
        before.rename(own)


def renew_statements(directory: Path) -> None:
    """Give the project the pipeline's own VEX statements with dates around today, so that no test ends with them."""
    directory.mkdir()
    today = datetime.now(UTC)
    for path in (HOME / "policy" / "vex").glob("*.json"):
        document = json.loads(path.read_bytes())
        document["timestamp"] = (today - timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")
        for statement in document["statements"]:
            statement["valid_until"] = (today + timedelta(days=60)).strftime("%Y-%m-%d")
        (directory / path.name).write_text(json.dumps(document))
