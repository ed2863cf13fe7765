"""What the engine knows of a kind: its commands, events and rules, by name, with their codecs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from wherry.authoring.effect import Breaker, EffectFunction, EffectRule, Target
from wherry.authoring.entity import Entity, Lifecycle, ReceiveTimeout
from wherry.authoring.messages import Event, reply_type, version_of
from wherry.authoring.pool import Pool, PoolRule
from wherry.authoring.supervision import RESUME, OneForOne
from wherry.codec import Codec, codec_of
from wherry.engine.decision import Decide
from wherry.engine.envelope import ANSWER, Answer
from wherry.engine.upcasting import Upcasts, sound_upcasts
from wherry.engine.words import Words
from wherry.errors import Misconfigured

ANSWER_CODEC: Codec[Answer] = codec_of(Answer)


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
    version: int = 1


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
    receive_timeout: ReceiveTimeout[Any] | None = None
    supervision: OneForOne = RESUME
    upcasts: Upcasts = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()

    @cached_property
    def _initial_json(self) -> bytes:
        try:
            return self.state.encode(self.initial)
        except Exception:  # noqa: BLE001 - a bundle's type may hold what is no JSON
            return b""

    def first_state(self) -> Any:
        """The state of an entity without events: a new one, since a handler may spoil it."""
        return self.state.decode(self._initial_json) if self._initial_json else self.initial

    def may_follow(self, old: str, new: str) -> bool:
        """Whether the lifecycle allows a change of status."""
        return self.lifecycle is not None and new in self.lifecycle.get(old, ())


@dataclass(frozen=True, slots=True)
class EffectSpec:
    """One command of a target: how it is read, carried out and answered."""

    name: str
    codec: Codec[Any]
    reply: Codec[Any]
    rule: EffectRule
    find: EffectFunction | None


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """All that the engine and the runners know of one outside system."""

    name: str
    breaker: Breaker
    effects: dict[str, EffectSpec]


def target_spec(target: Target[Any]) -> TargetSpec:
    """Compile a target. Raises Misconfigured when an effect that is queried has no finder."""
    return TargetSpec(
        target.kind,
        target.breaker,
        {c.__name__: _effect(target, c, rule) for c, rule in target.rules.items()},
    )


def _effect(target: Target[Any], command: type[Any], rule: EffectRule) -> EffectSpec:
    find = target.finders.get(command)
    if rule.unknown == "query" and find is None:
        raise Misconfigured(
            f"{target.kind}: {command.__name__} has unknown='query', but nothing finds it: "
            f"write @{target.kind}.finds({command.__name__})"
        )
    return EffectSpec(
        command.__name__, codec_of(command), codec_of(reply_type(command)), rule, find
    )


def entity_kind(entity: Entity[Any, Any]) -> KindSpec:
    """Compile an entity. Raises Misconfigured when an upcaster leads nowhere."""
    return KindSpec(
        name=entity.kind,
        initial=entity.initial,
        state=codec_of(type(entity.initial)),
        status=entity.status,
        lifecycle=entity.lifecycle,
        pools=entity.pools,
        commands=_commands(entity),
        events={e.__name__: _event(entity, e, fn) for e, fn in entity.appliers.items()},
        placed_with=entity.placed_with,
        receive_timeout=entity.receive_timeout,
        supervision=entity.supervision,
        upcasts=sound_upcasts(entity),
        dropped=frozenset(entity.dropped),
    )


def _commands(entity: Entity[Any, Any]) -> dict[str, CommandSpec]:
    """What an entity takes: its commands, and the answers to what it asks."""
    words = Words(entity)
    commands = {
        command.__name__: CommandSpec(
            command.__name__, codec_of(command), codec_of(reply_type(command)),
            words.handler(fn), internal=command in entity.internal,
        )
        for command, fn in entity.handlers.items()
    }  # fmt: skip
    if entity.answerers:
        commands[ANSWER] = CommandSpec(
            ANSWER, ANSWER_CODEC, codec_of(Any), words.answer, internal=True
        )
    return commands


def _event(entity: Entity[Any, Any], event: type[Event], fold: Callable[..., Any]) -> EventSpec:
    pools = tuple((p, p.rules[event]) for p in entity.pools if event in p.rules)
    return EventSpec(event.__name__, codec_of(event), fold, pools, version_of(event))
