"""The registry: an app made ready for the engine - names to codecs, handlers and folds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zlib import crc32

from wherry.authoring.app import App
from wherry.authoring.decisions import Accepted, Context, StartTimer, StopTimer, Tell
from wherry.authoring.entity import Entity, Lifecycle
from wherry.authoring.messages import KEY_PATTERN, Event, reply_type
from wherry.authoring.pool import Pool, PoolRule
from wherry.codec import Codec, codec_of
from wherry.engine.envelope import Answer, Envelope, Problem
from wherry.errors import Misconfigured, NotFound


@dataclass(frozen=True, slots=True)
class AskOut:
    """An ask with the tag under which its answer comes back."""

    tag: str
    to: str
    command: Any
    type: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who waits for the answer to a command that is answered later."""

    id: str
    sender: str = ""
    tag: str = ""
    reply: str = ""
    corr: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """The answer to a command that came in an earlier turn."""

    origin: Origin
    asked: str
    reply: Any = None
    problem: Problem | None = None


class Later:
    """The reply of a decision that will be answered by a LateAnswer."""


LATER = Later()


@dataclass(frozen=True, slots=True)
class Call:
    """One handling of one message, as the engine's own handlers see it."""

    envelope: Envelope
    context: Context
    now_ms: int


@dataclass(frozen=True, slots=True)
class Folded:
    """A state after events, and the statuses that it went through."""

    state: Any
    statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a handler decided, in the engine's words; `folded` when it folded the events itself."""

    events: tuple[Event, ...] = ()
    reply: Any = None
    sends: tuple[Tell[Any], ...] = ()
    timers: tuple[StartTimer | StopTimer, ...] = ()
    asks: tuple[AskOut, ...] = ()
    answers: tuple[LateAnswer, ...] = ()
    folded: Folded | None = None


Decide = Callable[[Any, Any, Call], Decision]


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command of a kind. `internal` ones are refused when they come from outside."""

    name: str
    codec: Codec[Any]
    reply: Codec[Any]
    decide: Decide
    internal: bool = False


@dataclass(frozen=True, slots=True)
class EventSpec:
    """One event of a kind, with what it does to each pool."""

    name: str
    codec: Codec[Any]
    fold: Callable[[Any, Any], Any]
    pools: tuple[tuple[Pool, PoolRule], ...] = ()


@dataclass(frozen=True)
class KindSpec:
    """All that the engine knows of one kind."""

    name: str
    initial: Any
    state: Codec[Any]
    status: Callable[[Any], str]
    lifecycle: Lifecycle | None
    pools: tuple[Pool, ...]
    commands: dict[str, CommandSpec]
    events: dict[str, EventSpec]
    placed_with: Callable[[str], str] | None = None

    def may_follow(self, old: str, new: str) -> bool:
        """Whether the lifecycle allows a change of status."""
        return self.lifecycle is not None and new in self.lifecycle.get(old, ())


@dataclass
class Registry:
    """Everything that is deployed, by name, for a fixed number of partitions."""

    app: App
    partitions: int
    kinds: dict[str, KindSpec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from wherry.engine.saga import saga_kind  # the saga driver is written on top of this module

        for entity in self.app.entities.values():
            self.kinds[entity.kind] = entity_kind(entity)
        for saga in self.app.sagas.values():
            self.kinds[saga.kind] = saga_kind(saga, self)
        self.partition_of = lru_cache(maxsize=100_000)(self._partition_of)

    def kind(self, name: str) -> KindSpec:
        """Return a kind. Raises NotFound, naming those that there are."""
        try:
            return self.kinds[name]
        except KeyError:
            raise NotFound(
                f"no kind {name!r}; deployed are {', '.join(sorted(self.kinds))}"
            ) from None

    def command(self, kind: str, name: str) -> CommandSpec:
        """Return a command of a kind. Raises NotFound, naming those that there are."""
        commands = self.kind(kind).commands
        if name not in commands:
            known = ", ".join(sorted(n for n, c in commands.items() if not c.internal))
            raise NotFound(f"{kind} has no command {name!r}; it has {known}")
        return commands[name]

    def can_exist(self, address: str) -> bool:
        """Whether an address names a known kind and a possible key."""
        kind, _, key = address.partition("/")
        return kind in self.kinds and KEY_PATTERN.fullmatch(key) is not None

    def _partition_of(self, address: str) -> int:
        kind, _, key = address.partition("/")
        spec = self.kinds.get(kind)
        placement = spec.placed_with(key) if spec and spec.placed_with else address
        return crc32(placement.encode()) % self.partitions


def split_address(address: str) -> tuple[str, str]:
    """Return kind and key of `kind/key`. Raises NotFound when the key cannot exist."""
    kind, slash, key = address.partition("/")
    if not slash or not KEY_PATTERN.fullmatch(key):
        raise NotFound(
            f"{address!r} is not an address: write kind/key, the key {KEY_PATTERN.pattern}"
        )
    return kind, key


def entity_kind(entity: Entity[Any, Any]) -> KindSpec:
    """Compile an entity."""
    return KindSpec(
        name=entity.kind,
        initial=entity.initial,
        state=codec_of(type(entity.initial)),
        status=entity.status,
        lifecycle=entity.lifecycle,
        pools=entity.pools,
        commands={c.__name__: _command(c, fn) for c, fn in entity.handlers.items()},
        events={e.__name__: _event(entity, e, fn) for e, fn in entity.appliers.items()},
        placed_with=entity.placed_with,
    )


def _command(command: type[Any], handler: Callable[..., Accepted[Any]]) -> CommandSpec:
    def decide(state: Any, message: Any, call: Call) -> Decision:
        done = handler(state, message, call.context)
        return Decision(done.events, done.reply, done.sends, done.timers)

    return CommandSpec(command.__name__, codec_of(command), codec_of(reply_type(command)), decide)


def _event(entity: Entity[Any, Any], event: type[Event], fold: Callable[..., Any]) -> EventSpec:
    pools = tuple((p, p.rules[event]) for p in entity.pools if event in p.rules)
    return EventSpec(event.__name__, codec_of(event), fold, pools)


def check(registry: Registry) -> None:
    """Refuse what could never work: pool rules and lifecycles that name nothing.

    Raises Misconfigured.
    """
    for spec in registry.kinds.values():
        for pool in spec.pools:
            for event in pool.rules:
                if event.__name__ not in spec.events:
                    raise Misconfigured(
                        f"{spec.name}: pool {pool.name} follows {event.__name__},"
                        " which no fold applies"
                    )


ANSWER_CODEC: Codec[Answer] = codec_of(Answer)
