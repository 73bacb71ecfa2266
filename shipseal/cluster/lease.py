"""Let one deploy at a time change a namespace, by a Lease (coordination.k8s.io/v1), as client-go elects leaders.

Whether another has stopped is judged by whether its lease changes while this one watches, on this one's own clock: two
machines need not agree on the time. While the API server is away nobody can take a lease: the block goes on, and the
lease is its own still if nobody has taken it by the time the server answers. What is on its way while it turns out to
be lost may still arrive.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio

from shipseal.cluster.api import Api, Refused
from shipseal.cluster.resources import collection, member
from shipseal.deploying.manifests import Object, dig
from shipseal.errors import RemoteFailed, ShipsealError
from shipseal.terminal_text import line

_RETRY = 2.0  # seconds between two looks at a lease that another has
_LEAVE = 5.0  # seconds for giving it back


@dataclass
class _Lease:
    """A lease as this one has seen it last, and when it changed."""

    api: Api
    namespace: str
    name: str
    holder: str
    seconds: int
    seen: Object | None = None
    since: float = 0

    @property
    def title(self) -> str:
        return f"the lease {self.name} in {self.namespace}"

    @property
    def remedy(self) -> str:
        return f"kubectl delete lease {self.name} --namespace {self.namespace}"

    @property
    def path(self) -> str:
        return member(self._all, self.name)

    @property
    def _all(self) -> str:
        return collection(self.namespace, "coordination.k8s.io", "leases")

    @property
    def other(self) -> str:
        """Who has it, where that is somebody else; as a line."""
        found = dig(self.seen, "spec").get("holderIdentity")
        return line(str(found))[:200] if found and found != self.holder else ""

    async def look(self) -> None:
        """See it, and note when it is another than before."""
        found = await self.api.get(self.path)
        if _version(found) != _version(self.seen):
            self.since = anyio.current_time()
        self.seen = found

    def is_free(self) -> bool:
        """Say whether it is this one's to take: nobody has it, or who has it has not renewed it in its own time."""
        told = dig(self.seen, "spec").get("leaseDurationSeconds")
        lasts = told if isinstance(told, int) and told > 0 else self.seconds
        return not self.other or anyio.current_time() - self.since > lasts

    async def take(self) -> bool:
        """Take or renew it; say whether that has worked, or another was faster."""
        try:
            if self.seen is None:
                self.seen = await self.api.create(self._all, self._body(acquired=True))
            else:
                self.seen = await self.api.merge(self.path, self._body(acquired=self._holder() != self.holder))
        except Refused as refused:
            if refused.code not in {404, 409}:
                raise
            if refused.code == 404 and self.seen is None:  # there is no such namespace
                raise
            await self.look()  # after a lost answer this may be what the first of two requests has done
            return self.seen is not None and self._holder() == self.holder
        return True

    async def leave(self) -> None:
        """Give it back, so that the next need not wait; one that is another's stays that."""
        await self.look()  # the last renewal may have arrived, though nobody has waited for its answer
        if self.seen is not None and self._holder() == self.holder:
            body = self._body(acquired=False)
            await self.api.merge(self.path, {**body, "spec": {**body["spec"], "holderIdentity": ""}})

    def _holder(self) -> Any:
        return dig(self.seen, "spec").get("holderIdentity")

    def _body(self, *, acquired: bool) -> dict[str, Any]:
        """Return what is written; what has changed since it was seen is not written over."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: dict[str, Any] = {"holderIdentity": self.holder, "leaseDurationSeconds": self.seconds, "renewTime": now}
        if acquired:
            before = dig(self.seen, "spec").get("leaseTransitions")
            spec |= {"acquireTime": now, "leaseTransitions": (before if isinstance(before, int) else 0) + 1}
        metadata = {"name": self.name, "namespace": self.namespace}
        if self.seen is not None:
            metadata["resourceVersion"] = _version(self.seen)
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


@asynccontextmanager
async def held(
    api: Api,
    namespace: str,
    name: str,
    holder: str,
    *,
    say: Callable[[str], None],
    seconds: int = 15,
    patience: float = 300,
) -> AsyncIterator[None]:
    """Have a lease for as long as the block runs.

    Args:
        api: the API server; this login may get, create and patch leases.
        namespace: where the lease is.
        name: its name.
        holder: who has it then, for others to read; a lease of that very holder is taken at once.
        say: is told who has it, while that is somebody else.
        seconds: how long it lasts when it is not renewed any longer.
        patience: seconds for which another is waited for.

    Raises:
        RemoteFailed: another had it for too long; or it was lost, and the block was stopped for that.
    """
    lease = _Lease(api, namespace, name, holder, seconds)
    await _wait(lease, say, patience)
    lost: list[ShipsealError] = []
    failed: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_renew, lease, lost, group.cancel_scope)
            try:
                yield
            except (anyio.get_cancelled_exc_class(), GeneratorExit):
                raise
            except BaseException as error:
                failed = error  # it is raised below: it arrives as it is, and in no group
            group.cancel_scope.cancel()
    finally:
        with anyio.move_on_after(_LEAVE, shield=True), suppress(ShipsealError):
            await lease.leave()
    if lost:
        raise lost[0] from failed
    if failed:
        raise failed


async def _wait(lease: _Lease, say: Callable[[str], None], patience: float) -> None:
    """Take a lease as soon as nobody has it; say who has it until then."""
    began, told = anyio.current_time(), ""
    while True:
        await lease.look()
        if lease.is_free() and await lease.take():
            if told:
                say(f"{lease.title} is free, after {anyio.current_time() - began:.0f} s")
            return
        left = began + patience - anyio.current_time()
        if left <= 0:
            raise RemoteFailed(
                f"{lease.title} is not free: {lease.other or 'somebody else'} has it",
                why=f"it was waited for {patience:g} s",
                remedy=f"wait until that one is done; if it is dead for certain: {lease.remedy}",
            )
        if lease.other != told:
            told = lease.other
            say(f"{told} has {lease.title}: waiting for up to {left:.0f} s")
        await anyio.sleep(min(_RETRY, left))


async def _renew(lease: _Lease, lost: list[ShipsealError], block: anyio.CancelScope) -> None:
    """Renew a lease for ever; where that cannot be done, stop the block."""
    try:
        while True:
            await anyio.sleep(lease.seconds / 3)
            while not await lease.take():
                if lease.other:
                    raise RemoteFailed(
                        f"{lease.title} was lost: {lease.other} has it now",
                        why=f"it was not renewed within {lease.seconds} s",
                        remedy="see what that one does, then run this again",
                    )
                await anyio.sleep(_RETRY / 10)  # somebody has deleted it, and nobody has taken it
    except ShipsealError as error:
        lost.append(error)
        block.cancel()


def _version(lease: Object | None) -> str:
    return str(dig(lease, "metadata").get("resourceVersion", ""))
