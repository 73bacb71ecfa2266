"""Three releases of one service in one registry: two by the signer that its policy names, one by another."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from shipseal.local.sigstore import LocalSigstore
from tests.release.projects import IDENTITY, POLICY, Project, import_database, make
from tests.release.registries import Served

OTHER = IDENTITY.replace("release.yml", "hotfix.yml")
OTHER_SIGNER = f"\n[[{POLICY.rpartition('[[')[2].replace(IDENTITY, OTHER)}"
# No two move the same tag, so they can be released at the same time.
VERSIONS = {"a": "1.0.1", "b": "2.0.0", "other": "3.0.0"}


@dataclass(frozen=True)
class Releases:
    """What was released; no two have the same digest.

    Args:
        a: the digest of a release that the policy takes.
        b: that of a later one, whose finished run is in the project.
        other: that of one by `OTHER`, whom the policy does not name.
        project: the service, with the run of `b`, and a policy that names one signer.
    """

    a: str
    b: str
    other: str
    project: Project

    def reference(self, digest: str) -> str:
        """Return an image by its digest, as a container names it."""
        return f"{self.project.registry.host}/acme/greetings@{digest}"


def release(directory: Path, registry: Served, authority: LocalSigstore, store: Path) -> Releases:
    """Release the service three times."""
    first = make(directory, registry, authority, store)
    _leave_manifests_out(first)
    ended = import_database(first)
    assert ended.code == 0, ended.output
    projects = {name: first.copy(directory / name) for name in VERSIONS}
    signers = {name: OTHER if name == "other" else IDENTITY for name in VERSIONS}
    with projects["other"].policy.open("a") as policy:
        policy.write(OTHER_SIGNER)
    with ThreadPoolExecutor() as pool:
        a, b, other = pool.map(_release, projects.values(), VERSIONS.values(), signers.values())
    assert len({a, b, other}) == len(VERSIONS)
    return Releases(a, b, other, projects["b"])


def _leave_manifests_out(project: Project) -> None:
    """A release needs none; whoever deploys brings some."""
    before = (project.root / "pipeline.toml").read_text()
    after = before.replace('[deploy]\nmanifests = "deploy"\ncontainer = "web"\n', "")
    assert before != after
    project.commit("pipeline.toml", after)


def _release(project: Project, version: str, signer: str) -> str:
    """Release one version; its number is in the wheel, and so in the image."""
    settings = project.root / "app" / "pyproject.toml"
    project.commit("app/pyproject.toml", settings.read_text().replace("1.0.0", version))
    ended = project.release(SIGSTORE_ID_TOKEN=project.token(signer))
    assert ended.code == 0, ended.output
    return str(project.read("verify/verification.json")["digest"])
