"""Patience with clients that do not say what they want: a connection must not be held for nothing.

Nearly every body is there already when it is asked for, so that a timer for each would be set in
vain. One timer looks at all that are being read, while any is.
"""

import asyncio
from types import TracebackType

#: A client that needs longer for a body is told so.
PATIENCE_S = 30.0
#: How often somebody looks.
LOOK_S = 1.0

Task = asyncio.Task[object]


class _Watch:
    """Those who wait in one event loop, and since when."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.since: dict[Task, float] = {}
        self.late: set[Task] = set()
        self._looks = False

    def begin(self, task: Task) -> None:
        self.since[task] = self.loop.time()
        if not self._looks:
            self._looks = True
            self.loop.call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._looks = bool(self.since)
        if not self._looks:
            return
        self.loop.call_later(LOOK_S, self._look)
        ends = self.loop.time() - PATIENCE_S
        for task, since in self.since.items():
            if since < ends and task not in self.late:
                self.late.add(task)
                task.cancel()


_watch: _Watch | None = None


class Patiently:
    """Ends what is done inside when it takes too long: raises TimeoutError."""

    __slots__ = ("_task", "_watch")

    def __enter__(self) -> None:
        global _watch
        loop = asyncio.get_running_loop()
        if _watch is None or _watch.loop is not loop:
            _watch = _Watch(loop)
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 - every request is served by a task
        self._watch, self._task = _watch, task
        _watch.begin(task)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._watch.since[self._task]
        if self._task not in self._watch.late:
            return
        self._watch.late.discard(self._task)
        # As asyncio.timeout does it: when somebody else cancels the task too, that goes on.
        if self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error
