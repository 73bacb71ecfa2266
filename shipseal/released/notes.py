"""Tell a release to those who will use it: what has changed, which bytes it is, and how they find that out themselves.

All of it is from the run that has released: its records say that nobody has altered what is read.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shipseal.digest import Digest, Reference
from shipseal.documents.image import ImageDocument
from shipseal.documents.promote import TagsDocument
from shipseal.documents.verify import VerificationDocument
from shipseal.engine.record import Record
from shipseal.engine.run_contents import RunContents
from shipseal.errors import UsageError
from shipseal.project.changelog import section
from shipseal.project.config import Config
from shipseal.project.version import changelog
from shipseal.released.finding_diff import Since
from shipseal.statements.builders import PredicateType
from shipseal.verification.trust import FILENAME as POLICY

_READ = ("image", "attest", "verify", "promote")


@dataclass(frozen=True)
class Notes:
    """What is said of a release.

    Args:
        version: the service's.
        reference: the image.
        platforms: the manifest of each platform.
        tags: those that are at it.
        changes: what the changelog says of the version, in Markdown; empty where it says nothing.
        signers: who has signed its provenance, with the issuer of each.
        since: what is closed since an earlier release, where that was asked.
    """

    version: str
    reference: Reference
    platforms: Mapping[str, Digest]
    tags: tuple[str, ...]
    changes: str
    signers: tuple[tuple[str, str], ...]
    since: Since | None = None

    @property
    def digests(self) -> str:
        """The digest of the image and of each platform, as `sha256sum` writes them: with the name of the repository."""
        name = f"{self.reference.registry}/{self.reference.repository}"
        every = (self.reference.digest, *self.platforms.values())
        return "".join(f"{digest.hex}  {name}\n" for digest in every)

    def lines(self, title: str) -> Iterator[str]:
        """Yield the notes in Markdown."""
        yield from (f"# {title} {self.version}", "")
        if self.changes:
            yield from (*self.changes.splitlines(), "")
        if self.since:
            yield from (*self.since.lines(), "")
        yield from ("## The image", "", "```text", str(self.reference), "```", "")
        tags = ", ".join(f"`{tag}`" for tag in self.tags)
        yield f"Tags when it was released: {tags}. A tag may move; this digest is these bytes."
        yield from ("", "| platform | digest |", "| --- | --- |")
        yield from (f"| {platform} | `{digest}` |" for platform, digest in self.platforms.items())
        yield from ("", "## Verify it", "", "```console")
        yield f"$ shipseal verify {self.reference} --policy {POLICY}"
        for identity, issuer in self.signers:
            who = f"--certificate-identity {shlex.quote(identity)} --certificate-oidc-issuer {shlex.quote(issuer)}"
            yield f"$ cosign verify-attestation --type {PredicateType.PROVENANCE} {who} {self.reference}"
        yield "```"


def notes(config: Config, run_dir: Path) -> Notes:
    """Read what is said of the release that a run directory holds.

    Raises:
        UsageError: no release has ended there.
        VerificationFailed: what it has left was altered, or has another shape.
        ConfigError: the changelog cannot be read.
    """
    for stage in _READ:
        _require_released(run_dir, stage)
    left = RunContents(run_dir)
    image, verification = ImageDocument.read(left), VerificationDocument.read(left)
    found = changelog(config)
    built = [each for each in verification.statements if each.type == PredicateType.PROVENANCE]
    return Notes(
        image.service.version,
        verification.reference,
        image.manifests,
        TagsDocument.read(left).tags,
        section(found[1], image.service.version) if found else "",
        tuple(sorted({(each.signer, each.issuer) for each in built})),
    )


def _require_released(run_dir: Path, stage: str) -> None:
    try:
        record = Record.read(run_dir / stage)
    except FileNotFoundError:
        record = None
    if record is None or record.world != "release":
        raise UsageError(
            f"no release has ended in {run_dir}",
            why=f"{stage} was {'not finished' if record is None else f'done in a {record.world}'}",
            remedy="run `release` or `sign` to its end first",
        )
    record.check(run_dir / stage)
