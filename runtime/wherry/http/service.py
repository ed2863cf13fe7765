"""What all routes share. Made once, started in the event loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

from wherry.gateway.attention import AttentionList
from wherry.gateway.breakers import Breakers
from wherry.gateway.dead import DeadLetters
from wherry.gateway.effects import Effects
from wherry.gateway.pauses import Pauses
from wherry.gateway.queues import Queues
from wherry.gateway.sending import Sender
from wherry.gateway.timers import Timers
from wherry.gateway.views import Views
from wherry.gateway.why import Why
from wherry.http.courier import Courier
from wherry.http.security.access import Access
from wherry.http.security.guard import Guard
from wherry.http.security.quota import Quota
from wherry.http.security.trail import Trail
from wherry.store.link import Words
from wherry.wiring import Runtime

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Service:
    """One process that serves a namespace.

    wait       seconds that a caller waits for a reply, unless it says how long
    backlog    messages that may wait in an inbox; beyond it commands are refused
    heartbeat  seconds between two signs of life on a stream where nothing happens
    access     who may come in, and how often
    audit      entries that the audit keeps, about
    """

    runtime: Runtime
    wait: float = 5.0
    backlog: int = 100_000
    heartbeat: float = 15.0
    access: Access = field(default_factory=Access)
    audit_limit: int = 100_000
    open_requests: int = 0
    followers: set[asyncio.Task[None]] = field(default_factory=set)
    views: Views = field(init=False)
    dead: DeadLetters = field(init=False)
    attention: AttentionList = field(init=False)
    effects: Effects = field(init=False)
    breakers: Breakers = field(init=False)
    pauses: Pauses = field(init=False)
    queues: Queues = field(init=False)
    timers: Timers = field(init=False)
    why: Why = field(init=False)
    courier: Courier = field(init=False)
    guard: Guard = field(init=False)
    quota: Quota = field(init=False)
    trail: Trail = field(init=False)
    draining: bool = False

    def __post_init__(self) -> None:
        sender = Sender(self.runtime)
        self.views = Views(self.runtime)
        self.dead = DeadLetters(self.runtime, sender)
        self.attention = AttentionList(self.runtime)
        self.effects = Effects(self.runtime, sender)
        self.breakers = Breakers(self.runtime)
        self.pauses = Pauses(self.runtime, sender)
        self.queues = Queues(self.runtime)
        self.timers = Timers(self.runtime, self.views, sender)
        self.why = Why(self.runtime, self.views, self.dead)
        self.courier = Courier(self.runtime, sender)
        keys = self.runtime.store.keys
        self.guard = Guard(self.access, keys, self._ask, self._now_ms)
        self.quota = Quota(self.access.rate, keys, self.runtime.namespace, self._ask, self._now_ms)
        self.trail = Trail(keys.audit, self.audit_limit, self._ask, self._now_ms)

    async def _ask(self, words: Words) -> Any:
        return await self.courier.batcher.ask(words)

    async def _now_ms(self) -> int:
        return await self.courier.clock.now_ms()

    async def read(self, view: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that waits for Redis, without keeping the others from their turn."""
        return await run_in_threadpool(view, *args, **kwargs)

    def drain(self) -> None:
        """Take no more commands, and end the streams, which would not end by themselves."""
        self.draining = True
        for follower in self.followers:
            follower.cancel()
