"""Queue work in place of Waitress's threads: the loop does it after each poll."""

from __future__ import annotations

from collections import deque

from waitress.task import ThreadedTaskDispatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from service.channel import Channel


class InLoop(ThreadedTaskDispatcher):
    """A dispatcher that queues channels; the loop serves them after each poll."""

    def __init__(self) -> None:  # the base class would make locks
        self.queue: deque[Channel] = deque()  # type: ignore[assignment]

    def set_thread_count(self, count: int) -> None:
        """Do nothing: there are no threads."""

    def add_task(self, task: Channel) -> None:  # type: ignore[override]
        """Queue only: Waitress calls this while it holds the channel's lock."""
        self.queue.append(task)

    def run(self) -> None:
        """Serve all that is queued, and what that queues in its turn (pipelined requests)."""
        while self.queue:
            self.queue.popleft().service()

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:  # noqa: ARG002 Waitress's signature
        """Serve what is left."""
        self.run()
        return True
