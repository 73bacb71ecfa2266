"""A place to deploy to: a checkout with manifests of its own, a namespace, and somebody who may deploy there."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from tests.cluster.checkout import NAME, Checkout
from tests.cluster.manifests import apply, bound, build, without
from tests.cluster.releases import Releases
from tests.cluster.running import Kubectl, Running
from tests.cluster.visitors import Visitors
from tests.commands import Ended, arguments
from tests.release.watching import tracing


@dataclass(frozen=True)
class Ground:
    """What a test deploys from and to; nothing of it is another test's, but the cluster, the registry and the images.

    Args:
        releases: the images.
        checkout: where a deploy begins.
        kubectl: the administrator's, in the namespace.
        kubeconfig: of whoever deploys, who has the rights of the platform and no other.
        visitors: lets further users into the cluster.
        platform: what the administrator has applied.
    """

    releases: Releases
    checkout: Checkout
    kubectl: Kubectl
    kubeconfig: Path
    visitors: Visitors
    platform: list[Any]

    @property
    def namespace(self) -> str:
        """The namespace that is deployed to."""
        return self.kubectl.namespace

    @property
    def deployer(self) -> Kubectl:
        """The kubectl of whoever deploys."""
        return self.kubectl.of(self.kubeconfig)

    def deploy(self, *words: str, to: str = "", code: int = 0, **variables: str) -> Ended:
        """Deploy an image; without one, that of the run in the checkout."""
        agreed = () if "--diff" in words else ("--yes",)
        return self.run("deploy", *agreed, *(("--to", to) if to else ()), *words, code=code, **variables)

    def rollback(self, *words: str, code: int = 0, **variables: str) -> Ended:
        """Roll back."""
        return self.run("rollback", "--yes", *words, code=code, **variables)

    def status(self, *words: str, code: int = 0, **variables: str) -> Ended:
        """Ask what runs, as somebody who cannot sign."""
        return self.run("status", *words, code=code, **{"SIGSTORE_ID_TOKEN": "", **variables})

    def run(self, verb: str, *words: str, code: int = 0, **variables: str) -> Ended:
        """Run a verb as whoever deploys; it is to end with a code."""
        ended = self.checkout.project.run(verb, *self._reached(words), *words, **variables)
        assert code == ended.code, ended.output
        return ended

    def start(self, verb: str, *words: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a verb, and give its process, whose standard output is one event a line."""
        return subprocess.Popen(
            arguments(verb, *self._reached(words), *words, "--json", "--store", self.checkout.project.store),
            cwd=self.checkout.root,
            env={**os.environ, **self.checkout.project.variables(**variables)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def _reached(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return () if "--kubeconfig" in words else ("--kubeconfig", str(self.kubeconfig))

    def beside(self, root: Path) -> Self:
        """Return the same with a copy of the checkout, for changes that are not to last."""
        copied = Path(shutil.copytree(self.checkout.root, root, symlinks=True))
        settings, project = dict(self.checkout.settings), replace(self.checkout.project, root=copied)
        return replace(self, checkout=replace(self.checkout, project=project, settings=settings))

    def traced(self, log: Path) -> Self:
        """Return the same with a file to which each program that is started is written."""
        project = replace(self.checkout.project, prefix=tracing(log))
        return replace(self, checkout=replace(self.checkout, project=project))

    def leave(self) -> None:
        """Have the administrator delete the namespace, with all that is in it."""
        self.kubectl("delete", "namespace", self.namespace, "--wait=false")

    def deployer_without(self, resource: str) -> Path:
        """Return the kubeconfig of somebody who has what the platform gives, but for the rule for one resource."""
        user = f"{self.namespace}-without-{resource.replace('/', '-')}"
        roles = [each for each in self.platform if each["kind"] == "Role"]
        lesser = [without(each, resource) if _names(each, resource) else each for each in roles]
        assert lesser != roles, resource
        given = [each for role in lesser if role["rules"] for each in bound(role, user)]
        apply(self.kubectl.within(""), given, manager="administrator")
        return self.visitors.kubeconfig(user)

    def kubeconfig_with(
        self, name: str, cluster: Mapping[str, Any] | None = None, user: Mapping[str, Any] | None = None
    ) -> Path:
        """Return the deployer's kubeconfig with some keys of the cluster others, or with all of the user's."""
        document = json.loads(self.kubeconfig.read_text())
        document["clusters"][0]["cluster"].update(cluster or {})
        document["users"][0]["user"] = document["users"][0]["user"] if user is None else user
        other = self.checkout.root.with_name(f"{name}.kubeconfig")
        other.write_text(json.dumps(document))
        return other

    def pods(self) -> list[Any]:
        """Return the pods of the service that are not on their way out."""
        found = self.kubectl.read("pods", f"--selector=app={NAME}")["items"]
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def images(self) -> set[str]:
        """Return the digests that ready pods say they run."""
        states = [each for pod in self.pods() for each in pod["status"].get("containerStatuses", [])]
        return {each["imageID"].rpartition("@")[2] for each in states if each["ready"]}

    def replicas(self) -> int:
        """Return how many pods the Deployment is to have."""
        return int(self.kubectl.read("deployment", NAME)["spec"]["replicas"])

    def receipts(self) -> dict[str, dict[str, str]]:
        """Return what the receipts in the namespace hold, by their names."""
        found = self.kubectl.read("configmaps")["items"]
        named = {each["metadata"]["name"]: each.get("data", {}) for each in found}
        return {name: data for name, data in sorted(named.items()) if name.startswith("deploy-receipt-")}


def make(
    releases: Releases, running: Running, visitors: Visitors, kustomize: Path, root: Path, namespace: str
) -> Ground:
    """Make a checkout with manifests for a namespace of its own, and have the administrator apply the platform."""
    shutil.copytree(releases.project.root, root, symlinks=True, ignore=shutil.ignore_patterns(".run"))
    checkout = Checkout(replace(releases.project, root=root), namespace)
    checkout.write()
    platform = build(kustomize, root / "k8s" / "platform")
    apply(running.kubectl.within(""), platform, manager="administrator")
    kubeconfig = visitors.kubeconfig(f"{namespace}-ann", f"{namespace}-deployers")
    return Ground(releases, checkout, running.kubectl.within(namespace), kubeconfig, visitors, platform)


def progress(process: "subprocess.Popen[str]") -> Iterator[str]:
    """Yield what a verb that was started says of its progress."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "progress":
            yield event["text"]
    process.stdout.close()


def until(process: "subprocess.Popen[str]", *cues: str) -> list[str]:
    """Return what a verb that was started says until it says one of some words."""
    said = []
    for text in progress(process):
        said.append(text)
        if any(cue in text for cue in cues):
            break
    return said


def killed_at(ground: Ground, cue: str, image: str = "") -> list[str]:
    """Start a deploy, of `a` unless an image is named, and kill it when it says something; return what it has said."""
    process = ground.start("deploy", "--yes", "--to", image or ground.releases.a)
    said = until(process, cue)
    process.kill()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, (cue, said)
    return said


def _names(role: Any, resource: str) -> bool:
    return any(resource in rule["resources"] for rule in role["rules"])
