"""Talk to an OCI registry, by digest, through the real ORAS.

Everything is pushed one piece after another: some registries keep referrers in an index that parallel writers overwrite
without an error, and the client then still exits 0.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.digest import Digest, Reference
from pipeline.distribution.credentials import CONTENT
from pipeline.errors import Reason, RemoteFailed, ToolFailed, UsageError
from pipeline.tools.outputs import Completed
from pipeline.tools.toolbox import Toolbox

# ORAS says so in its own words, or repeats the registry's (OCI distribution 1.1, "Error Codes").
_NOT_LET_IN = re.compile(r"status code 40[13]\b|\bunauthorized\b|\bdenied\b|credential not found", re.IGNORECASE)
_OTHER_BYTES = "mismatch"  # of a digest or a size
_NO_REPOSITORY = re.compile(r"status code 404\b|\bname unknown\b", re.IGNORECASE)
_NOT_THERE = re.compile(rf"{_NO_REPOSITORY.pattern}|\b(?:manifest|blob) unknown\b|: not found$", re.IGNORECASE)


def altered_there(error: RemoteFailed) -> bool:
    """Say whether ORAS, which compares every blob with its digest and size, found a difference."""
    return error.reason is Reason.ALTERED


def not_there(error: RemoteFailed) -> bool:
    """Say whether the registry answered, and said that it has no such thing."""
    return any(_NOT_THERE.search(line) for line in error.why)


@dataclass(frozen=True)
class Registry:
    """One repository of one registry.

    Args:
        tools: where ORAS comes from.
        host: registry name, with a port where it has one.
        repository: the repository inside it.
        plain_http: whether it speaks http; only ever a registry on loopback.
        environment: where its credentials are (`DOCKER_CONFIG`); never on a command line.
        writable: whether anything may be pushed or tagged; the world says so, which knows whether anybody agreed.
    """

    tools: Toolbox
    host: str
    repository: str
    plain_http: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    writable: bool = False

    def reference(self, digest: Digest) -> Reference:
        """Return the reference of a digest here."""
        return Reference(self.host, self.repository, digest)

    async def push(self, layout: Path, digest: Digest, *, recursive: bool = True) -> None:
        """Copy a manifest and all that it names from an OCI layout; `recursive`: and whatever refers to those."""
        self._require_writable()
        target = ("--to-plain-http",) if self.plain_http else ()
        referrers = ("--recursive",) if recursive else ()
        await self._oras(
            "cp", *referrers, "--concurrency", "1", "--no-tty", "--from-oci-layout", *target,
            f"{layout}@{digest}", f"{self.host}/{self.repository}",
        )  # fmt: skip

    async def push_blob(self, path: Path, digest: Digest) -> None:
        """Push one blob, which nothing names yet; raise `RemoteFailed` where this login may not write."""
        self._require_writable()
        await self._oras("blob", "push", *self._flags, "--no-tty", str(self.reference(digest)), str(path))

    async def pull(self, digest: Digest, layout: Path) -> None:
        """Copy a manifest and all that it names, and nothing that refers to it, from the registry into a layout.

        No blob can be larger than the manifest says.
        """
        source = ("--from-plain-http",) if self.plain_http else ()
        await self._oras(
            "cp", "--concurrency", "1", "--no-tty", "--to-oci-layout", *source,
            str(self.reference(digest)), str(layout),
        )  # fmt: skip

    async def manifest(self, digest: Digest) -> bytes:
        """Return a manifest's bytes, checked against the digest."""
        fetched = await self._oras("manifest", "fetch", *self._flags, str(self.reference(digest)))
        if Digest.of(fetched.stdout) != digest:
            raise RemoteFailed(
                f"{self.host} gave other bytes for {self.reference(digest)}",
                why=f"their digest is {Digest.of(fetched.stdout)}",
                do="do not use this registry, and find out what stands between it and you",
            )
        return fetched.stdout

    async def blob(self, digest: Digest) -> bytes:
        """Return a small blob's bytes; raise `RemoteFailed` unless they are those of its digest."""
        fetched = await self._oras("blob", "fetch", *self._flags, "--output", "-", str(self.reference(digest)))
        if Digest.of(fetched.stdout) != digest:
            raise RemoteFailed(f"{self.host} gave other bytes for {self.reference(digest)}")
        return fetched.stdout

    async def blob_size(self, digest: Digest) -> int:
        """Return how large the registry says that a blob is, in bytes."""
        found = await self._oras("blob", "fetch", *self._flags, "--descriptor", str(self.reference(digest)))
        try:
            return int(json.loads(found.stdout)["size"])
        except (ValueError, KeyError, TypeError) as error:
            raise RemoteFailed(f"{self.host} does not say how large {digest} is", why=str(error)) from error

    async def try_blob(self, digest: Digest) -> None:
        """Fetch a blob and keep nothing; raise `RemoteFailed` unless its bytes are those of its digest."""
        await self._oras("blob", "fetch", *self._flags, "--output", os.devnull, str(self.reference(digest)))

    async def referrers(self, digest: Digest) -> list[dict[str, Any]]:
        """Return the descriptors of what refers to a manifest, however this registry keeps them.

        Whoever may write to the registry may have put them there: nothing is known of what they hold.
        """
        found = await self._oras(
            "discover", *self._flags, "--format", "json", "--depth", "1", str(self.reference(digest))
        )
        try:
            listed = json.loads(found.stdout)
            return [item for item in listed.get("referrers") or listed.get("manifests") or () if isinstance(item, dict)]
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise RemoteFailed(f"{self.host} lists referrers in an unknown shape", why=str(error)) from error

    async def tag(self, digest: Digest, *names: str) -> None:
        """Move tags to a digest that the registry has."""
        self._require_writable()
        await self._oras("tag", *self._flags, str(self.reference(digest)), *names)

    async def tags(self) -> list[str]:
        """Return the names of all tags; raise `RemoteFailed` where this login may not even ask."""
        try:
            found = await self._oras("repo", "tags", *self._flags, f"{self.host}/{self.repository}")
        except RemoteFailed as error:
            if any(_NO_REPOSITORY.search(line) for line in error.why):  # the first release makes the repository
                return []
            raise
        return found.stdout.decode().split()

    async def resolve(self, tag: str) -> Digest | None:
        """Return the digest behind a tag, or None where there is no such tag."""
        reference = f"{self.host}/{self.repository}:{tag}"
        try:
            found = await self._oras("resolve", *self._flags, reference)
        except RemoteFailed as error:
            if any(line.endswith(f"{reference}: not found") for line in error.why):
                return None
            raise
        return Digest.parse(found.stdout.decode().strip())

    def _require_writable(self) -> None:
        """Refuse to write where this was opened to be read: a stage that does so is wrong."""
        if not self.writable:
            raise UsageError(
                f"{self.host}/{self.repository} was opened to be read, and something would be written there",
                do="nothing was written; report it: a stage says beforehand what it writes",
            )

    @property
    def _flags(self) -> tuple[str, ...]:
        return ("--plain-http",) if self.plain_http else ()

    async def _oras(self, *arguments: str) -> Completed:
        try:
            return await self.tools.run("oras", *arguments, env=self.environment)
        except ToolFailed as error:
            if not error.ran:
                raise
            reason = Reason.ALTERED if any(_OTHER_BYTES in line for line in error.why) else error.reason
            if any(_NOT_LET_IN.search(line) for line in error.why):
                raise RemoteFailed(
                    f"{self.host} does not allow this login `oras {arguments[0]}` in {self.repository}",
                    why=error.why,
                    do=f"run `docker login {self.host}` as somebody who may write there, or set {CONTENT}",
                    reason=reason,
                ) from error
            raise RemoteFailed(
                f"{self.host} did not do `oras {arguments[0]}` for {self.repository}",
                why=error.why,
                do="see whether the registry is up and answers, then run this again: it goes on here",
                reason=reason,
            ) from error
