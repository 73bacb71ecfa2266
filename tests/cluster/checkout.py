"""A checkout that a deploy begins from, whose manifests and configuration a test changes as people do: in files."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.manifests import write
from tests.release.projects import Project

NAME = "greetings"
OVERLAY = Path("k8s", "overlays", "production")
PLAYED = "cluster.pipeline.invalid"
DEPLOY = {
    "manifests": str(OVERLAY),
    "platform": "k8s/platform",
    "container": "app",
    "kubernetes": "1.35",
    "timeout-seconds": 30,
}


@dataclass(frozen=True)
class Checkout:
    """A checkout whose last commit has whatever was changed.

    Args:
        project: where it is, and who releases from it.
        namespace: which one its manifests are for.
        settings: the keys of its [deploy].
    """

    project: Project
    namespace: str
    settings: dict[str, Any] = field(default_factory=lambda: dict(DEPLOY))

    @property
    def root(self) -> Path:
        """Where it is."""
        return self.project.root

    def write(self) -> None:
        """Write the manifests and [deploy] for the first time."""
        write(self.root, self.namespace, NAME)
        self.configure()

    def configure(self, **settings: Any) -> None:
        """Set keys of [deploy]; None takes one away."""
        self.settings.update({key.replace("_", "-"): value for key, value in settings.items()})
        lines = (f"{key} = {json.dumps(value)}" for key, value in self.settings.items() if value is not None)
        before = (self.root / "pipeline.toml").read_text().partition("\n[deploy]\n")[0]
        self.save("pipeline.toml", "\n".join([before, "[deploy]", *lines, ""]))

    def trust(self, signer: str) -> None:
        """Have the policy name one signer more."""
        self.save(self.project.policy, f"{self.project.policy.read_text()}\n{signer}")

    def annotate_pods(self, **played: str) -> None:
        """Have kwok play pods otherwise: `ready="never"`, or `runs="sha256:…"`; nothing for as usual."""
        annotations = {f"{PLAYED}/{key}": value for key, value in played.items()}
        self.patch("pods.yaml", {"spec": {"template": {"metadata": {"annotations": annotations}}}})

    def patch(self, file: str, body: Any, kind: str = "Deployment", version: str = "apps/v1") -> None:
        """Have the overlay change an object, by a file of its own; a second time that file is another."""
        metadata = {"name": NAME, "namespace": self.namespace, **body.get("metadata", {})}
        self._list("patches", {"path": file})
        whole = {"apiVersion": version, "kind": kind, **body, "metadata": metadata}
        self.save(OVERLAY / file, yaml.safe_dump(whole))

    def add(self, file: str, *objects: Any) -> None:
        """Have the overlay bring more objects."""
        self._list("resources", file)
        self.save(OVERLAY / file, yaml.safe_dump_all(objects))

    def leave_out(self, file: str) -> None:
        """Have the overlay no longer bring or change what a file of it says."""
        document = self._kustomization()
        for key in ("resources", "patches"):
            document[key] = [each for each in document[key] if each not in (file, {"path": file})]
        (self.root / OVERLAY / file).unlink()
        self.save(OVERLAY / "kustomization.yaml", yaml.safe_dump(document))

    def save(self, path: str | Path, text: str) -> None:
        """Write a file and commit everything, if the file is another than before."""
        file = self.root / path
        if not file.exists() or file.read_text() != text:
            self.project.commit(str(path), text)

    def with_run_of(self, other: Project) -> None:
        """Have a copy of another checkout's run."""
        shutil.copytree(other.run_dir, self.project.run_dir, symlinks=True)

    def _list(self, key: str, entry: Any) -> None:
        document = self._kustomization()
        if entry not in document[key]:
            document[key].append(entry)
            (self.root / OVERLAY / "kustomization.yaml").write_text(yaml.safe_dump(document))

    def _kustomization(self) -> Any:
        return yaml.safe_load((self.root / OVERLAY / "kustomization.yaml").read_text())
