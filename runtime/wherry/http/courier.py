"""The courier: sends commands and waits for what becomes of them, for many callers at once.

Results arrive on one channel of this process. A message on it can be lost, with its connection
or because another process had sent the command first; so whoever waits also looks for itself,
more and more rarely, and makes sure that somebody is at work.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool

from wherry.engine.envelope import Result, read_result
from wherry.errors import Unreachable, WherryError
from wherry.gateway.requests import Request, new_id
from wherry.gateway.sending import NUDGE_S, Sender
from wherry.http.waiting import Arrival, Waiters, listen
from wherry.store import calls
from wherry.store.batching import Batcher
from wherry.store.client import Sent, sent
from wherry.store.clock import SAMPLE_S, Clock
from wherry.store.link import Link
from wherry.wiring import Runtime

log = logging.getLogger(__name__)

#: How long to wait for the channel before serving; without it answers are a second late.
SUBSCRIBING_S = 2.0
#: The first pause of a caller whose answer goes to somebody else's channel.
FIRST_LOOK_S = 0.02


class Delivered(msgspec.Struct, frozen=True):
    """What became of a request. No result: not known yet. `repeated`: it had been sent before."""

    command_id: str
    result: Result | None
    repeated: bool


class Courier:
    """Sends and waits. Start it inside the event loop that uses it."""

    def __init__(self, runtime: Runtime, sender: Sender) -> None:
        self._runtime = runtime
        self._sender = sender
        self._keys = runtime.store.keys
        self.channel = self._keys.replies(new_id())
        self.waiters = Waiters()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect, and begin to listen."""
        self.link = Link(self._runtime.url, self._runtime.namespace)
        self.batcher = Batcher(self.link.run)
        self.clock = Clock(self._server_ms)
        subscribed = asyncio.Event()
        self._keep(listen(self.waiters, lambda: self.link.replies(self.channel), subscribed))
        self._keep(self._look_at_clock())
        try:
            await asyncio.wait_for(subscribed.wait(), SUBSCRIBING_S)
        except TimeoutError:
            log.warning("Redis does not answer yet; answers will be late until it does")

    async def stop(self) -> None:
        """End what was begun, and disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.link.close()

    # -- sending ---------------------------------------------------------------------------------

    async def send(self, request: Request) -> Sent:
        """Send a request. Raises Overloaded, Paused, KeyReused, Unreachable."""
        sending = request.sending
        words = calls.send(self._keys, sending).words(self._runtime.namespace)
        done = sent(sending, await self.batcher.ask(words))
        if done.wake:
            self.wake()
        return done

    def wake(self) -> None:
        """Start a pump; nobody waits for that."""
        self._keep(_attempt(self._sender.wake))

    def nudge(self) -> None:
        """Start a pump when none is alive; nobody waits for that."""
        self._keep(_attempt(self._sender.nudge))

    # -- waiting ---------------------------------------------------------------------------------

    async def deliver(self, request: Request, seconds: float) -> Delivered:
        """Send a request, and wait for its result for up to `seconds`. Raises what `send` does."""
        if not seconds:
            done = await self._send_traced(request)
            return _delivered(request, done, _outcome(done))
        with self.waiters.expect(request.command_id) as arrival:
            done = await self._send_traced(request)
            result = _outcome(done) or await self._wait(request, done, arrival, seconds)
        return _delivered(request, done, result)

    async def _send_traced(self, request: Request) -> Sent:
        with request.span:
            return await self.send(request)

    async def _wait(
        self, request: Request, done: Sent, arrival: Arrival, seconds: float
    ) -> Result | None:
        ends = time.monotonic() + seconds
        pause = NUDGE_S if done.result is None else FIRST_LOOK_S
        while (left := ends - time.monotonic()) > 0:
            if await arrival.within(min(pause, left)):
                return arrival.result
            if found := await self._look(request, done.command_id):
                return found
            if pause >= NUDGE_S:
                self.nudge()
            pause = min(pause * 2, NUDGE_S)
        return None

    async def _look(self, request: Request, command_id: str) -> Result | None:
        """The stored result, unless the command is pending or Redis is away."""
        own = self._keys.partition(request.sending.partition)
        try:
            found = await self.batcher.ask(("GET", own.result(command_id)))
        except Unreachable:
            return None
        result = read_result(found) if found else None
        return None if result is None or result.status == "pending" else result

    # -- what goes on beside ---------------------------------------------------------------------

    async def _server_ms(self) -> int:
        seconds, micros = await self.batcher.ask(("TIME",))
        return int(seconds) * 1000 + int(micros) // 1000

    async def _look_at_clock(self) -> None:
        while True:
            await self.clock.sample_safely()
            await asyncio.sleep(SAMPLE_S)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        # The loop itself holds tasks weakly; without this one could vanish while it waits.
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _outcome(done: Sent) -> Result | None:
    """What is known of a command that was sent before, unless it is pending."""
    return None if done.result is None or done.result.status == "pending" else done.result


def _delivered(request: Request, done: Sent, result: Result | None) -> Delivered:
    repeated = done.result is not None or done.command_id != request.command_id
    return Delivered(done.command_id, result, repeated)


async def _attempt(action: Callable[[], None]) -> None:
    try:
        await run_in_threadpool(action)
    except WherryError as error:
        log.warning("no pump could be started: %s", error)
