"""An entity: a kind, an initial state, handlers that decide, folds that apply.

    port = Entity(PortKind, Port(), lifecycle=LIFECYCLE, pools=[berths])

    @port.handles(ReserveDocking)
    def reserve(port: Port, command: ReserveDocking, ctx: Context) -> Accepted[Reservation]: ...

    @port.answers(Weigh)
    def weighed(port: Port, answer: Answered[Weight], ctx: Context) -> Accepted[None]: ...

    @port.folds(DockingReserved)
    def reserved(port: Port, event: DockingReserved) -> Port: ...

    @port.upcast("DockingReserved", version=1)
    def with_vessel(data: dict[str, Any]) -> dict[str, Any]: ...

Decorators return the function unchanged, so that tests call it directly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from wherry.authoring.decisions import Accepted, Answered, Context
from wherry.authoring.messages import Command, Event, Kind, kind_of, reply_type
from wherry.authoring.pool import Pool
from wherry.authoring.supervision import RESUME, OneForOne
from wherry.authoring.upcast import Upcast, Upcaster
from wherry.errors import Misconfigured

K = TypeVar("K", bound=Kind)
S = TypeVar("S")
R = TypeVar("R")
E = TypeVar("E", bound=Event)
C = TypeVar("C")
U = TypeVar("U", bound=Upcaster)

#: From a status to those that may follow it; "" is the status of an entity without events.
Lifecycle = Mapping[str, Sequence[str]]
Handler = Callable[[S, Any, Context], Accepted[R]]


AnswerHandler = Callable[[S, Answered[R], Context], Accepted[None]]


@dataclass(frozen=True)
class ReceiveTimeout(Generic[S]):
    """Sends `command` to an entity that has got no message for a time, while it waits for one."""

    after: timedelta
    command: Command[Any, Any]
    waiting: Callable[[S], bool]


class Registrar(Generic[S, R]):
    """Takes the handler of one command; checks that it answers with the command's reply."""

    def __init__(self, take: Callable[[Callable[..., Any]], None]) -> None:
        self._take = take

    def __call__(
        self, fn: Callable[[S, C, Context], Accepted[R]]
    ) -> Callable[[S, C, Context], Accepted[R]]:
        """Take the handler, and leave it as it is."""
        self._take(fn)
        return fn


class Entity(Generic[K, S]):
    """The definition of one kind of entity.

    `lifecycle` is the table of status changes that Redis enforces; a state with a table has a
    field `status`. `placed_with(key)` returns the placement key, for entities that should share
    a partition with another (`order/17` for the payment of order 17). `supervision` decides what
    happens when a handler raises.
    """

    def __init__(  # noqa: PLR0913 - all but two are options
        self,
        kind: type[K],
        initial: S,
        *,
        lifecycle: Lifecycle | None = None,
        pools: Sequence[Pool] = (),
        placed_with: Callable[[str], str] | None = None,
        receive_timeout: ReceiveTimeout[S] | None = None,
        supervision: OneForOne = RESUME,
    ) -> None:
        self.kind = kind.name
        self.initial = initial
        self.lifecycle = lifecycle
        self.pools = tuple(pools)
        self.placed_with = placed_with
        self.receive_timeout = receive_timeout
        self.supervision = supervision
        self.internal: set[type[Command[Any, Any]]] = set()
        self.answerers: dict[type[Command[Any, Any]], AnswerHandler[S, Any]] = {}
        self.handlers: dict[type[Command[Any, Any]], Handler[S, Any]] = {}
        self.appliers: dict[type[Event], Callable[[S, Any], S]] = {}
        self.upcasts: dict[tuple[str, int], Upcast] = {}
        self.dropped: set[str] = set()
        if lifecycle is not None and not hasattr(initial, "status"):
            raise Misconfigured(f"{self.kind}: a state with a lifecycle needs a field `status`")

    def handles(self, command: type[Command[K, R]], *, internal: bool = False) -> Registrar[S, R]:
        """Register the function that decides about a command.

        An `internal` command comes from other entities, sagas and timers only.
        """

        def take(fn: Callable[..., Any]) -> None:
            self._check_handler(command, fn)
            self.handlers[command] = fn
            if internal:
                self.internal.add(command)

        return Registrar(take)

    def answers(
        self, command: type[Command[Any, R]]
    ) -> Callable[[AnswerHandler[S, R]], AnswerHandler[S, R]]:
        """Register the function that decides what follows from the answer to an ask."""

        def register(fn: AnswerHandler[S, R]) -> AnswerHandler[S, R]:
            self._check_answerer(command, fn)
            self.answerers[command] = fn
            return fn

        return register

    def folds(self, event: type[E]) -> Callable[[Callable[[S, E], S]], Callable[[S, E], S]]:
        """Register the function that returns the state after an event."""

        def register(fn: Callable[[S, E], S]) -> Callable[[S, E], S]:
            if event in self.appliers:
                raise Misconfigured(f"{self.kind} folds {event.__name__} twice")
            self.appliers[event] = fn
            return fn

        return register

    def upcast(
        self,
        event: str,
        *,
        version: int = 1,
        to: type[Event] | str = "",
        to_version: int | None = None,
    ) -> Callable[[U], U]:
        """Register the function that turns stored data of an older event into newer data.

        Without `to` it makes the next version of the same event. With `to` the event has another
        name now; `to_version` says in which version, once that one has several. The function
        gets plain JSON data and returns it, or None: then the event counts for nothing.
        """

        def register(fn: U) -> U:
            if (event, version) in self.upcasts:
                raise Misconfigured(f"{self.kind} upcasts {event} of version {version} twice")
            name = to if isinstance(to, str) else to.__name__
            next_version = to_version if name else version + 1
            self.upcasts[event, version] = Upcast(event, version, name or event, next_version, fn)
            return fn

        return register

    def drops(self, event: str) -> None:
        """Let stored events of this name, whose class is gone, count for nothing."""
        self.dropped.add(event)

    def status(self, state: S) -> str:
        """The status of a state; empty when this kind has no lifecycle."""
        return "" if self.lifecycle is None else str(getattr(state, "status"))  # noqa: B009

    def _check_handler(self, command: type[Command[Any, Any]], fn: Callable[..., Any]) -> None:
        if kind_of(command).name != self.kind:
            raise Misconfigured(
                f"{command.__name__} is for {kind_of(command).name}, not {self.kind}"
            )
        if command in self.handlers:
            raise Misconfigured(f"{self.kind} handles {command.__name__} twice")
        taken = list(get_type_hints(fn).values())[1:2]
        if taken and taken[0] is not command:
            raise Misconfigured(
                f"{fn.__name__} takes {taken[0]}, but is registered for {command.__name__}"
            )

    def _check_answerer(self, command: type[Command[Any, Any]], fn: Callable[..., Any]) -> None:
        if command in self.answerers:
            raise Misconfigured(f"{self.kind} takes answers to {command.__name__} twice")
        taken = list(get_type_hints(fn).values())[1:2]
        if taken and get_args(taken[0]) not in {(), (reply_type(command),), (Any,)}:
            raise Misconfigured(
                f"{fn.__name__} takes {taken[0]}, but {command.__name__} is answered by "
                f"{reply_type(command)}"
            )
