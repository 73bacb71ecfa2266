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

from shipseal.digest import Digest, Reference
from shipseal.distribution.oras import Oras
from shipseal.errors import FailureReason, RemoteFailed, ToolFailed, UsageError
from shipseal.tools.outputs import ANSWER, Completed
from shipseal.tools.toolbox import Toolbox

_NO_REPOSITORY = re.compile(r"status code 404\b|\bname unknown\b", re.IGNORECASE)
_TRACED = 60  # seconds
_NO_API = "query referrers API: unsupported"
_NOT_THERE = re.compile(rf"{_NO_REPOSITORY.pattern}|\b(?:manifest|blob) unknown\b|: not found$", re.IGNORECASE)


def altered_there(error: RemoteFailed) -> bool:
    """Say whether ORAS, which compares every blob with its digest and size, found a difference."""
    return error.reason is FailureReason.ALTERED


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
        ca_file: certificates of the authorities that may vouch for it (PEM); this machine's where there is none.
        writable: whether anything may be pushed or tagged; the world says so, which knows whether anybody agreed.
    """

    tools: Toolbox
    host: str
    repository: str
    plain_http: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    ca_file: Path | None = None
    writable: bool = False

    def reference(self, digest: Digest) -> Reference:
        """Return the reference of a digest here."""
        return Reference(self.host, self.repository, digest)

    async def push(self, layout: Path, digest: Digest, *, recursive: bool = True, said: Path | None = None) -> None:
        """Copy a manifest and all that it names from an OCI layout.

        Args:
            layout: the layout.
            digest: of the manifest.
            recursive: whether all that refers to it comes too.
            said: a file for what ORAS says meanwhile: `following`.
        """
        self._require_writable()
        referrers = ("--recursive",) if recursive else ()
        await self._oras(
            "cp", *referrers, "--concurrency", "1", "--no-tty", "--from-oci-layout", *self._to,
            f"{layout}@{digest}", f"{self.host}/{self.repository}",
            said=said,
        )  # fmt: skip

    async def push_blob(self, path: Path, digest: Digest) -> None:
        """Push one blob, which nothing names yet; raise `RemoteFailed` where this login may not write."""
        self._require_writable()
        await self._oras("blob", "push", *self._flags, "--no-tty", str(self.reference(digest)), str(path))

    async def pull(self, digest: Digest, layout: Path) -> None:
        """Copy a manifest and all that it names, and nothing that refers to it, from the registry into a layout.

        No blob can be larger than the manifest says.
        """
        await self._oras(
            "cp", "--concurrency", "1", "--no-tty", "--to-oci-layout", *self._from,
            str(self.reference(digest)), str(layout),
        )  # fmt: skip

    async def manifest(self, digest: Digest) -> bytes:
        """Return a manifest's bytes, checked against the digest."""
        fetched = await self._oras("manifest", "fetch", *self._flags, str(self.reference(digest)))
        if Digest.of(fetched.stdout) != digest:
            raise RemoteFailed(
                f"{self.host} gave other bytes for {self.reference(digest)}",
                why=f"their digest is {Digest.of(fetched.stdout)}",
                remedy="do not use this registry, and find out what stands between it and you",
            )
        return fetched.stdout

    async def blob(self, digest: Digest) -> bytes:
        """Return a small blob's bytes; raise `RemoteFailed` unless they are those of its digest."""
        data = await self.blob_within(digest, ANSWER)
        if data is None:
            raise RemoteFailed(f"{self.host} gives more than {ANSWER >> 20} MB for {self.reference(digest)}")
        return data

    async def blob_within(self, digest: Digest, most: int) -> bytes | None:
        """Return a blob's bytes; None where there are more than `most`, of which no more is read.

        Raises:
            RemoteFailed: they are not those of its digest, or the registry did not answer as it should.
        """
        arguments = ("blob", "fetch", *self._flags, "--output", "-", str(self.reference(digest)))
        fetched = await self._oras(*arguments, most=most)
        if fetched.output.full:
            return None
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

    async def has(self, digest: Digest, *, blob: bool) -> bool:
        """Say whether the registry has a manifest, or a blob; its bytes are not fetched."""
        kind = "blob" if blob else "manifest"
        try:
            await self._oras(kind, "fetch", *self._flags, "--descriptor", str(self.reference(digest)))
        except RemoteFailed as error:
            if not not_there(error):
                raise
            return False
        return True

    async def try_blob(self, digest: Digest) -> None:
        """Fetch a blob and keep nothing; raise `RemoteFailed` unless its bytes are those of its digest."""
        await self._oras("blob", "fetch", *self._flags, "--output", os.devnull, str(self.reference(digest)))

    async def referrers(self, digest: Digest) -> list[dict[str, object]]:
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

    async def has_referrers_api(self, digest: Digest) -> bool:
        """Say whether the registry itself keeps what refers to a manifest; else whoever pushes it keeps an index."""
        api = ("--distribution-spec", "v1.1-referrers-api")
        try:
            await self._oras("discover", *self._flags, *api, "--format", "json", str(self.reference(digest)))
        except RemoteFailed as error:
            if not any(_NO_API in line for line in error.why):
                raise
            return False
        return True

    async def tagged(self, tag: str) -> bytes | None:
        """Return the manifest behind a tag, or None where there is no such tag; no header of an answer is believed."""
        try:
            return (await self._oras("manifest", "fetch", *self._flags, f"{self.host}/{self.repository}:{tag}")).stdout
        except RemoteFailed:
            if await self.resolve(tag) is None:
                return None
            raise

    async def push_manifest(self, tag: str, file: Path, media_type: str) -> None:
        """Push a manifest whose parts are there, by a tag."""
        self._require_writable()
        name = f"{self.host}/{self.repository}:{tag}"
        await self._oras("manifest", "push", *self._flags, "--media-type", media_type, name, str(file))

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

    async def trace(self, *arguments: str) -> str:
        """Return what ORAS tells of each request and answer, whether it was done or not; logins are left out of it."""
        flags = (*self._flags, "--debug")
        try:
            done = await self.tools.run("oras", *arguments, *flags, env=self.environment, ok=(0, 1), timeout=_TRACED)
        except ToolFailed as error:
            if not error.ran:
                raise
            raise RemoteFailed(f"{self.host} did not answer `oras {arguments[0]}`", why=error.what) from error
        return done.stderr.decode("utf-8", "replace")

    def _require_writable(self) -> None:
        """Refuse to write where this was opened to be read: a stage that does so is wrong."""
        if not self.writable:
            raise UsageError(
                f"{self.host}/{self.repository} was opened to be read, and something would be written there",
                remedy="nothing was written; report it: a stage says beforehand what it writes",
            )

    @property
    def _flags(self) -> tuple[str, ...]:
        if self.plain_http:
            return ("--plain-http",)
        # Said, for ORAS takes the name localhost to speak http.
        return ("--plain-http=false", "--ca-file", str(self.ca_file)) if self.ca_file else ()

    async def _oras(self, *arguments: str, said: Path | None = None, most: int | None = None) -> Completed:
        oras = Oras(self.tools, self.host, self.repository, self.environment)
        return await oras.run(*arguments, said=said, most=most)

    @property
    def _from(self) -> tuple[str, ...]:
        """The flags of a copy for where it comes from."""
        if self.plain_http:
            return ("--from-plain-http",)
        return ("--from-plain-http=false", "--from-ca-file", str(self.ca_file)) if self.ca_file else ()

    @property
    def _to(self) -> tuple[str, ...]:
        """The flags of a copy for where it goes."""
        if self.plain_http:
            return ("--to-plain-http",)
        return ("--to-plain-http=false", "--to-ca-file", str(self.ca_file)) if self.ca_file else ()
