"""What a release by Dagger goes to: a registry with TLS and a login, and a signing authority, on this machine.

The project knows both by names that nobody else has, as those of a private network. The engine reaches neither.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shipseal.local.sigstore import LocalSigstore
from tests.commands import Ended, pipeline
from tests.conftest import commit
from tests.gate import Authority, Gate, basic, gate
from tests.release.projects import Project, import_database, make
from tests.release.registries import Login, Served

REGISTRY, SIGNING = "registry.acme.internal", "sigstore.acme.internal"


@dataclass(frozen=True)
class Named:
    """A signing authority of this machine, by a name that is not this machine's."""

    own: LocalSigstore

    @property
    def url(self) -> str:
        """Where it is, for whoever is given it by its name."""
        return self._named(self.own.url)

    @property
    def service(self) -> str:
        """Where it is on this machine, as Dagger is told."""
        return self.own.url.replace("http://", "tcp://")

    def token(self, identity: str, claims: Mapping[str, str]) -> str:
        """Return an identity token."""
        return self.own.token(identity, claims)

    def signing_config(self) -> Mapping[str, Any]:
        """Return where a signer finds the services."""
        found: Mapping[str, Any] = json.loads(self._named(json.dumps(self.own.signing_config())))
        return found

    def trusted_root(self) -> Mapping[str, Any]:
        """Return what a verifier has to trust."""
        return self.own.trusted_root()

    def _named(self, text: str) -> str:
        return text.replace("//127.0.0.1:", f"//{SIGNING}:")


@dataclass(frozen=True)
class Place:
    """Where releases go.

    Args:
        project: what is released, with nothing outside of it that a release reads.
        at: what stands before the registry.
        registry: the registry, for whoever reaches it here.
        authority: who certifies the signer.
        vouches: whose certificate the registry has.
        login: who may write to the registry.
    """

    project: Project
    at: Gate
    registry: Served
    authority: Named
    vouches: Authority
    login: Login

    @property
    def services(self) -> tuple[str, ...]:
        """The arguments by which Dagger is given both."""
        port = self.at.host.rpartition(":")[2]
        return (f"--registry-service=tcp://127.0.0.1:{port}", f"--signing-service={self.authority.service}")

    def secrets(self) -> dict[str, str]:
        """Return the variables of a release, as a CI job has them."""
        return {"TOKEN": self.project.token(), "LOGIN": self.login.configuration(self.at.host)}

    def verify(self, reference: str, policy: Path) -> Ended:
        """Verify as a consumer on this machine, who reads the registry itself in the place of the name it goes by."""
        return pipeline(
            "verify", reference, "--policy", policy, "--mirror", self.registry.host, "--json", cwd=policy.parent
        )


@contextmanager
def place(directory: Path, registry: Served, own: LocalSigstore, store: Path) -> Iterator[Place]:
    """Set up the sample service to be released through a gate before a registry."""
    vouches, login, authority = Authority.make(directory, REGISTRY), Login(), Named(own)
    with gate(tls=vouches, name=REGISTRY) as at:
        at.behind, at.tokens = (registry.host, ""), (basic(login.user, login.password), 1 << 30)
        project = make(directory, Served(at.host, registry.log, login), authority, store)
        ended = import_database(project)
        assert ended.code == 0, ended.output
        yield Place(_whole(project, vouches), at, registry, authority, vouches, login)


def _whole(project: Project, vouches: Authority) -> Project:
    """Put into a project what it names beside it: a container of Dagger's is given nothing else."""
    root, home = project.root, str(project.home)
    shutil.copy(vouches.file, root / "rules" / "registry.pem")
    shutil.copy(project.home / "signing.json", root / "rules" / "signing.json")
    shutil.move(project.home / "database", root / "database")
    (root / ".gitignore").write_text("/database\n")
    text = (root / "pipeline.toml").read_text().replace("plain-http = true", 'ca-file = "rules/registry.pem"')
    text = text.replace(f"{home}/signing.json", "rules/signing.json").replace(f"{home}/database", "database")
    (root / "pipeline.toml").write_text(text)
    commit(root)
    return replace(project, root=root)
