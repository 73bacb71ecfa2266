"""What is attacked: a dry run that has finished, and copies of it that have all that a gate looks at."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from shipseal.attacks import copies
from shipseal.attacks.content import RepositoryContent
from shipseal.attacks.forging import Forge, said
from shipseal.attacks.pointers import at
from shipseal.digest import Digest, Reference
from shipseal.documents.image import ImageDocument
from shipseal.documents.publish import PublishedDocument
from shipseal.engine.record import FILENAME
from shipseal.engine.run import Run
from shipseal.engine.run_contents import RunContents
from shipseal.engine.world import DryRun
from shipseal.project.config import Config
from shipseal.statements.builders import PredicateType
from shipseal.verification.trust import Policy

RECEIPT = "publish/receipt.json"
_ROOT = "trusted_root.json"
_BUNDLES, _BUNDLE = "bundles", ".sigstore.json"


@dataclass(frozen=True)
class AttackTarget:
    """A run, and what attacks on it share.

    Args:
        run: whose directory has finished.
        forge: what signs for attackers.
        policy: what a dry run's image must satisfy, and the directory of the file that says so.
        now: the time to judge by.
        work: an empty directory for the copies, on the disk of the run.
    """

    run: Run
    forge: Forge
    policy: tuple[Policy, Path]
    now: datetime
    work: Path

    @property
    def image(self) -> Digest:
        """The digest of the image's index."""
        return self.described.digest

    @property
    def platforms(self) -> list[Digest]:
        """The digests of its platform manifests."""
        return [each.digest for each in self.described.platforms.values()]

    @property
    def described(self) -> ImageDocument:
        """The image, by name and digest of everything in it."""
        return ImageDocument.read(RunContents(self.run.directory))

    @property
    def published(self) -> Reference:
        """The image where the run has published it."""
        return PublishedDocument.read(RunContents(self.run.directory)).reference

    @property
    def every(self) -> list[str]:
        """The names of all its statements."""
        files = (self.run.directory / "attest" / _BUNDLES).glob(f"*{_BUNDLE}")
        return sorted(path.name.removesuffix(_BUNDLE) for path in files)

    def names(self, kind: PredicateType) -> list[str]:
        """Return the names of the run's statements of a kind."""
        return [name for name in self.every if self.kind(name) == kind]

    def kind(self, name: str) -> str:
        """Return the type of a statement of the run."""
        return str(at(self.said(name), "/predicateType"))

    def bundle(self, name: str) -> bytes:
        """Return a bundle of the run."""
        return (self.run.directory / "attest" / _BUNDLES / f"{name}{_BUNDLE}").read_bytes()

    def said(self, name: str) -> dict[str, Any]:
        """Return a statement of the run, to be changed at will."""
        return said(self.bundle(name))

    def subjects(self, name: str) -> list[Digest]:
        """Return what a statement of the run speaks of."""
        return [Digest("sha256", at(each, "/digest/sha256")) for each in at(self.said(name), "/subject")]


@dataclass(frozen=True)
class Stand(DryRun):
    """The world of a dry run in which another policy is applied, or which calls itself a release."""

    applied: tuple[Policy, Path] | None = None

    def policy(self) -> tuple[Policy, Path]:
        """Return the policy that is applied."""
        return self.applied or super().policy()


@dataclass
class Copy:
    """Some stages of the run, to be changed at will.

    Args:
        target: what it is a copy of.
        directory: where it is.
        world: what the gate is performed in.
        config: the project that it belongs to.
        now: the time to judge by.
    """

    target: AttackTarget
    directory: Path
    world: Stand
    config: Config
    now: datetime

    @classmethod
    def of(cls, target: AttackTarget, name: str, stages: Iterable[str]) -> "Copy":
        """Copy stages of the run."""
        directory = target.work / name
        directory.mkdir()
        for stage in stages:
            copies.link_tree(target.run.directory / stage, directory / stage)
        return cls(target, directory, Stand(target.run.config), target.run.config, target.now)

    @property
    def run(self) -> Run:
        """The run that goes on from what the copy has."""
        own = self.target.run
        return Run(self.directory, self.config, own.store, own.locked, self.world, clock=lambda: self.now)

    @property
    def content(self) -> RepositoryContent:
        """What the registry of the copy holds."""
        repository = self.config.image.repository.partition("/")[2]
        return RepositoryContent(self.directory / "publish" / "registry" / repository)

    def trust(self) -> None:
        """Leave nothing of `attest` but the trust root, with the authority in it that attackers may use too."""
        own = (self.target.run.directory / "attest" / _ROOT).read_bytes()
        directory = self.directory / "attest"
        record = (directory / FILENAME).read_bytes()
        shutil.rmtree(directory)
        directory.mkdir()
        (directory / _ROOT).write_bytes(self.target.forge.root(own))
        (directory / FILENAME).write_bytes(record)
        copies.fit(directory)

    def edit(self, name: str, change: Callable[[Any], Any]) -> None:
        """Change a document, and make the record of its stage fit."""
        copies.edit_json(self.directory / name, change)
        self.fit(name.partition("/")[0])

    def put(self, name: str, data: bytes) -> None:
        """Put other bytes in the place of a file, and make the record of its stage fit."""
        copies.replace(self.directory / name, data)
        self.fit(name.partition("/")[0])

    def fit(self, *stages: str) -> None:
        """Make records fit what is there."""
        for stage in stages:
            copies.fit(self.directory / stage)

    def apply(self, **rules: Any) -> None:
        """Judge by the policy of dry runs with some of its rules changed."""
        policy, directory = self.target.policy
        changed = replace(policy, rules=policy.rules.model_copy(update=rules))
        self.world = replace(self.world, applied=(changed, directory))

    def exchange(self, name: str, bundle: bytes | None, *, stand_for: bool = True) -> None:
        """Have another bundle attached wherever one of the run is, or none.

        Args:
            name: of the run's own statement.
            bundle: what takes its place.
            stand_for: whether the receipt says that the run stands for the new one.
        """
        old, subjects = self.target.bundle(name), self.target.subjects(name)
        self.content.detach(Digest.of(old), subjects)
        new = self.content.attach(bundle, self.target.kind(name), subjects, self.now) if bundle is not None else None
        if stand_for:
            replaced = {str(Digest.of(old)): str(new) if new else ""}
            self.stand_for(lambda bundles: sorted(filter(None, (replaced.get(each, each) for each in bundles))))
        self.fit("publish")

    def stand_for(self, change: Callable[[list[str]], list[str]]) -> None:
        """Change the list of the bundles that the run stands for."""
        copies.edit_json(self.directory / RECEIPT, lambda it: {**it, "bundles": change(at(it, "/bundles"))})

    def forged(self, name: str, change: Callable[[dict[str, Any]], object], **who: Any) -> None:
        """Change a statement, have it signed, and attach it in the place of the run's own.

        Args:
            name: of the run's own statement.
            change: changes it.
            who: signs it, as for `Forge.sign`; the run's own signer if that is not said.
        """
        statement = self.target.said(name)
        change(statement)
        self.exchange(name, self.target.forge.sign(statement, **who))
