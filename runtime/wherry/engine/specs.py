"""What the engine knows of a kind: its commands, events and rules, by name, with their codecs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wherry.authoring.decisions import Accepted
from wherry.authoring.entity import Entity, Lifecycle
from wherry.authoring.messages import Event, reply_type
from wherry.authoring.pool import Pool, PoolRule
from wherry.codec import Codec, codec_of
from wherry.engine.decision import Call, Decide, Decision


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
