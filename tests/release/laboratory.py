"""A small project with a registry that can be exchanged behind its address, and a machine that releases it."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipseal.digest import Digest
from shipseal.local.sigstore import ISSUER, LocalSigstore
from shipseal.project.config import HOME
from shipseal.statements.builders import PredicateType
from shipseal.statements.intent import intent
from tests.conftest import PIPELINE_TOML, commit
from tests.release.effects import Between, Deadly, Effects, between
from tests.release.projects import BRANCH, IDENTITY, SOURCE
from tests.release.registries import INDEX, MANIFEST, Served

REPOSITORY = "acme/sample"


@dataclass(frozen=True)
class Content:
    """What a registry has: what is meant by each statement at each subject, and what each tag is."""

    said: dict[str, list[str]]
    tags: dict[str, str]

    @classmethod
    def of(cls, registry: Served, subjects: Sequence[str]) -> "Content":
        """Read it all."""

        bundles: dict[str, bytes] = {}
        places: dict[str, list[str]] = {}
        for subject in subjects:
            for referrer in registry.referrers(REPOSITORY, subject):
                manifest = json.loads(registry.get(f"{REPOSITORY}/manifests/{referrer}", MANIFEST))
                places.setdefault(subject, []).append(digest := manifest["layers"][0]["digest"])
                bundle = json.loads(registry.get(f"{REPOSITORY}/blobs/{digest}"))
                bundles[digest] = base64.b64decode(bundle["dsseEnvelope"]["payload"])
        said = {subject: sorted(_meant(bundles, each) for each in found) for subject, found in places.items()}
        names = registry.tags(REPOSITORY)
        tags = {tag: str(Digest.of(registry.get(f"{REPOSITORY}/manifests/{tag}", INDEX))) for tag in names}
        return cls(said, tags)


def _meant(bundles: Mapping[str, bytes], bundle: str) -> str:
    """Return what a bundle means; a summary names others, for whose meaning it stands and not for their bytes."""
    said = bundles[bundle]
    if PredicateType.SUMMARY.encode() in said:
        for name, other in bundles.items():
            if meant := intent(other):
                said = said.replace(name.removeprefix("sha256:").encode(), meant.hex.encode())
        value = json.loads(said)
        value["predicate"]["inputAttestations"].sort(key=lambda each: each["uri"])
        said = json.dumps(value).encode()
    return str(intent(said))


@dataclass
class Laboratory:
    """A project with a registry that can be exchanged behind its address, and machines that release it.

    Args:
        root: the project.
        effects: what stands between it and whatever it writes to.
        registry: the address of the registry.
        authority: who certifies its signer.
        zygote: starts a process for each attempt.
        served: the registry that is behind the address.
        homes: how many machines there were.
        image: what is in the image, where it is another than the usual one.
    """

    root: Path
    effects: Effects
    registry: Between
    authority: LocalSigstore
    zygote: "subprocess.Popen[str]"
    served: Served
    homes: int = 0
    image: str = ""

    def machine(self) -> None:
        """Go on with a machine that knows nothing."""
        shutil.rmtree(self.root / ".run", ignore_errors=True)
        self.homes += 1

    def exchange(self, served: Served) -> None:
        """Put an empty registry in the place of the one that was there."""
        self.served, self.registry.behind, self.effects.attempts = served, served.host, []

    def release(self, deadly: Deadly = lambda _: False) -> int:
        """Release, and be killed right after an effect; return the exit code."""
        assert self.zygote.stdin
        assert self.zygote.stdout
        home = self.root.with_name(f"home-{self.homes}")
        home.mkdir(exist_ok=True)
        token = {"SIGSTORE_ID_TOKEN": self.token()}
        login = {"DOCKER_AUTH_CONFIG": self.served.login.configuration(self.registry.host)} if self.served.login else {}
        order = {"root": str(self.root), "environment": {"HOME": str(home), **token, **login}, "image": self.image}
        self.effects.attempt(deadly)
        self.zygote.stdin.write(f"{json.dumps(order)}\n")
        self.zygote.stdin.flush()
        self.effects.process = int(json.loads(self.zygote.stdout.readline())["process"])
        return int(json.loads(self.zygote.stdout.readline())["code"])

    def token(self) -> str:
        """Return an identity token as a CI job has one."""
        commits = ["git", "-C", str(self.root), "rev-parse", "HEAD"]
        revision = subprocess.run(commits, check=True, capture_output=True, text=True).stdout.strip()
        claims = {"source_repository_uri": SOURCE, "source_repository_digest": revision}
        claims |= {"source_repository_ref": BRANCH, "build_signer_uri": IDENTITY}
        return self.authority.token(IDENTITY, claims)

    def content(self) -> Content:
        """Return what the registry has."""
        return Content.of(self.served, json.loads((self.root / ".run/publish/receipt.json").read_bytes())["subjects"])

    def read(self, name: str) -> Any:
        """Return what a stage of the last release has written."""
        return json.loads((self.root / ".run" / name).read_bytes())

    def said(self) -> str:
        """Return what the last attempt has said."""
        return self.root.with_suffix(".said").read_text()


def make(root: Path, registry: Between, signing: Between, authority: LocalSigstore) -> None:
    """Make the project."""
    for directory in ("service", "tests", "policy"):
        (root / directory).mkdir(parents=True)
    config = PIPELINE_TOML.replace("registry.example", registry.host) + f'source = "{SOURCE}"\n'
    config += '[registry]\nplain-http = true\n[sign]\nsigning-config = "signing.json"\ntrusted-root = "root.json"\n'
    (root / "pipeline.toml").write_text(config)
    services = json.dumps(authority.signing_config()).replace(authority.url, f"http://{signing.host}")
    (root / "signing.json").write_text(services)
    for name in ("root.json", "policy/root.json"):
        (root / name).write_text(json.dumps(authority.trusted_root()))
    require = (HOME / "policy" / "verification.toml").read_text().partition("[policies.production]")[0]
    (root / "policy" / "verification.toml").write_text(
        f'{require}[policies.production]\ntrust-root = "file"\ntrust-root-file = "root.json"\nslsa-build-level = 1\n'
        f'source = "{SOURCE}"\n[[policies.production.signers]]\nidentity = "{IDENTITY}"\nissuer = "{ISSUER}"\n'
    )
    commit(root)


@contextmanager
def laboratory(
    directory: Path, authority: LocalSigstore, where: Callable[[str], Served], registry: Between | None = None
) -> Iterator[Laboratory]:
    """Give a laboratory; `where` starts another empty registry, behind the address of another laboratory if need be."""
    effects, root = Effects(), directory / "sample"
    with ExitStack() as stack:
        registry = registry or stack.enter_context(between(effects))
        signing = stack.enter_context(between(effects, authority.url.removeprefix("http://")))
        make(root, registry, signing, authority)
        zygote = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.release.machine"],
                cwd=HOME,
                env={**os.environ, "PYTHONPATH": str(HOME)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(zygote.kill)
        served = where("undisturbed")
        registry.behind = served.host
        yield Laboratory(root, effects, registry, authority, zygote, served)
