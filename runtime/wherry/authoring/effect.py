"""Effects: functions that touch the outside world. They run beside the entities, never in them.

    class GatewayKind(Kind):
        name = "gateway"

    @message
    class Capture(Command[GatewayKind, Captured]):
        amount: Decimal

    gateway = Target(GatewayKind, breaker=Breaker(failures=5))

    @gateway.effect(Capture, timeout=timedelta(seconds=5), unknown="query")
    async def capture(call: Capture, attempt: Attempt) -> Captured: ...

    @gateway.finds(Capture)
    async def find(call: Capture, attempt: Attempt) -> Captured | None: ...

A handler asks for one as it asks an entity: `Ask(GatewayKind.ref("payment-17"), Capture(amount))`.
The key of the reference is the idempotency key: all attempts at one call have the same.

What a function raises says what is known. `Rejected`: a definite no. `Transient`: certainly not
done, try again. Anything else, the time limit and a lost runner: it may have been done.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from wherry.authoring.messages import Command, Kind, kind_of
from wherry.errors import Misconfigured

if TYPE_CHECKING:
    import httpx

K = TypeVar("K", bound=Kind)
R = TypeVar("R")
C = TypeVar("C")

#: What to do when a call may have been done: try again with the same key, ask the target with
#: the function that `finds` it and only then try again, or wait for a person to decide.
Unknown = Literal["retry", "query", "park"]


@dataclass(frozen=True, slots=True)
class Retry:
    """When a call is tried again: after `first`, then `factor` times as long, at most `most`.

    Each pause is shortened at random by up to `jitter` of itself. It ends after `attempts` (0: no
    end), or when `within` has passed since the first. Attempts that an open breaker holds
    back do not count.
    """

    first: timedelta = timedelta(milliseconds=200)
    factor: float = 2.0
    most: timedelta = timedelta(seconds=30)
    attempts: int = 8
    within: timedelta | None = None
    jitter: float = 0.5


@dataclass(frozen=True, slots=True)
class Breaker:
    """Stops calls to a target that fails (Nygard, Release It!, 2007).

    Closed: calls pass. After `failures` in a row: open, no call passes. After `reset`: half-open,
    `probes` calls may pass; one success closes it, one failure opens it again.
    """

    failures: int = 5
    reset: timedelta = timedelta(seconds=10)
    probes: int = 1


@dataclass(frozen=True)
class Attempt:
    """One attempt at a call.

    key      idempotency key: the same for every attempt
    number   1 for the first attempt
    timeout  seconds that this attempt may take
    headers  to send along: the key, and the trace
    """

    key: str
    number: int
    timeout: float
    headers: Mapping[str, str] = field(default_factory=dict)
    _http: "Callable[[], httpx.AsyncClient] | None" = field(default=None, repr=False)

    @property
    def http(self) -> "httpx.AsyncClient":
        """A client whose connections all calls of the process share. Not for plain functions."""
        if self._http is None:
            raise Misconfigured("only async effects that run in a runner have a shared client")
        return self._http()


EffectFunction = Callable[[Any, Attempt], Awaitable[Any] | Any]


@dataclass(frozen=True, slots=True)
class EffectRule:
    """How the calls of one command are made."""

    run: EffectFunction
    timeout: timedelta
    retry: Retry
    unknown: Unknown
    isolate: bool


class EffectRegistrar(Generic[R]):
    """Takes the function of an effect; checks that it returns what the command promises."""

    def __init__(self, take: Callable[[EffectFunction], None]) -> None:
        self._take = take

    def __call__(
        self, fn: Callable[[C, Attempt], Awaitable[R] | R]
    ) -> Callable[[C, Attempt], Awaitable[R] | R]:
        """Take the function, and leave it as it is."""
        self._take(fn)
        return fn


class Target(Generic[K]):
    """One outside system: what can be asked of it, and the breaker that all calls share."""

    def __init__(self, kind: type[K], *, breaker: Breaker | None = None) -> None:
        self.kind = kind.name
        self.breaker = breaker or Breaker()
        self.rules: dict[type[Command[Any, Any]], EffectRule] = {}
        self.finders: dict[type[Command[Any, Any]], EffectFunction] = {}

    def effect(
        self,
        command: type[Command[K, R]],
        *,
        timeout: timedelta = timedelta(seconds=10),
        retry: Retry | None = None,
        unknown: Unknown = "retry",
        isolate: bool = False,
    ) -> EffectRegistrar[R]:
        """Register the function that carries out a call.

        A coroutine function shares the runner's loop, a plain one gets a thread; `isolate` gives
        each call a process of its own, which is killed at its time limit.
        """

        def take(fn: EffectFunction) -> None:
            self._check(command, self.rules)
            self.rules[command] = EffectRule(fn, timeout, retry or Retry(), unknown, isolate)

        return EffectRegistrar(take)

    def finds(self, command: type[Command[K, R]]) -> EffectRegistrar[R | None]:
        """Register the function that asks what became of a call; None: it was not done."""

        def take(fn: EffectFunction) -> None:
            self._check(command, self.finders)
            self.finders[command] = fn

        return EffectRegistrar(take)

    def _check(self, command: type[Command[Any, Any]], known: Mapping[Any, Any]) -> None:
        if kind_of(command).name != self.kind:
            raise Misconfigured(
                f"{command.__name__} is for {kind_of(command).name}, not {self.kind}"
            )
        if command in known:
            raise Misconfigured(f"{self.kind} has {command.__name__} twice")
