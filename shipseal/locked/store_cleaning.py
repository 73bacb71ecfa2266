"""Remove from a store what nobody has used for a while, and nothing while a run is using the store.

All checkouts of a user share a store, and nobody knows all their locks. So it is use that counts, as in the caches of
Go and Bazel: every run asks for each of its inputs, which marks them, and what no run has asked for in weeks goes.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta

from shipseal.digest import Digest
from shipseal.errors import ShipsealError, UsageError
from shipseal.locked.store import Store, StoreEntry

UNUSED_DAYS = 30
_ABANDONED = timedelta(days=1)  # after that a half-written entry belongs to no running process
_LOCK = "using.lock"
_READERS = 0o644  # who may only read a shared store keeps it from being cleaned, too


@contextmanager
def in_use(store: Store) -> Iterator[None]:
    """Keep a store from being cleaned for as long as the block runs; many may at a time.

    A store that this user may not write is cleaned by somebody else, who is kept from it where the lock is there.
    """
    handle = _open(store)
    try:
        if handle is not None:
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextmanager
def unused_by_others(store: Store) -> Iterator[None]:
    """Have a store alone for as long as the block runs; raise `UsageError` while a run is using it."""
    handle = store.open_lock(_LOCK, _READERS)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UsageError(
            f"a run is using the store {store.root}", remedy="wait for it, and clean the store then"
        ) from None
    finally:
        os.close(handle)


def stale(store: Store, keep: Collection[Digest], unused: timedelta) -> list[StoreEntry]:
    """Return the entries that `keep` does not name and that nobody has asked for in a time, in order of their digests.

    Args:
        store: the store.
        keep: what stays, however long it was not used.
        unused: how long nobody may have used the others.
    """
    before = time.time() - unused.total_seconds()
    return [entry for entry in store.entries() if entry.digest not in keep and entry.used <= before]


def remove(store: Store, entries: Collection[StoreEntry]) -> None:
    """Remove entries, and what killed runs left half-written; raise `UsageError` where that may not be written."""
    with store.writing("the removal of entries"):
        for entry in entries:
            shutil.rmtree(entry.path.parent)
            (store.root / "origins" / entry.digest.hex).unlink(missing_ok=True)
        for left in (*store.root.glob("arriving-*"), *store.root.glob("arriving/*")):
            if time.time() - left.stat().st_mtime > _ABANDONED.total_seconds():
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _open(store: Store) -> int | None:
    try:
        return store.open_lock(_LOCK, _READERS)
    except ShipsealError:
        pass  # it is another user's, or read-only: a lock that is there can still be held
    try:
        return os.open(store.root / _LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
