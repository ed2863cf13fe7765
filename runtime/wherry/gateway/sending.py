"""Sending and waiting, for callers that may block."""

import time
from collections.abc import Callable

from wherry.engine.envelope import Result
from wherry.gateway.requests import Request
from wherry.store.client import Sent, reaching
from wherry.wiring import Runtime
from wherry.workers.queue import enqueue_pump, open_queue

#: After this long without an answer, a waiter makes sure that somebody is at work.
NUDGE_S = 1.0


class Sender:
    """Sends requests, starts a pump when none is alive, waits for results."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._queue = open_queue(runtime.redis, runtime.namespace)

    def send(self, request: Request) -> Sent:
        """Send a request. Raises Overloaded, Paused, KeyReused, Unreachable."""
        with request.span:
            sent = self._runtime.store.send(request.sending)
        if sent.wake:
            self.wake()
        return sent

    def wait(
        self,
        request: Request,
        sent: Sent,
        seconds: float,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Result | None:
        """Wait for the result; None when the time is over first. `meanwhile` is called often."""
        if sent.result is not None and sent.result.status != "pending":
            return sent.result
        ends = time.monotonic() + seconds
        pause, nudge_at = 0.002, time.monotonic() + NUDGE_S
        while True:
            result = self._runtime.store.result(request.sending.partition, sent.command_id)
            if result is not None and result.status != "pending":
                return result
            now = time.monotonic()
            if now >= ends:
                return None
            if now >= nudge_at:
                self.nudge()
                nudge_at = now + NUDGE_S
            meanwhile()
            time.sleep(min(pause, ends - now))
            pause = min(pause * 1.5, 0.1)

    def nudge(self) -> None:
        """Start a pump when none is alive."""
        store = self._runtime.store
        if not store.alive(store.now_ms()):
            self.wake()

    def wake(self) -> None:
        """Start a pump."""
        with reaching():
            enqueue_pump(self._queue)
