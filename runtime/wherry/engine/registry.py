"""The registry: an app made ready for the engine - names to kinds, addresses to partitions."""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zlib import crc32

from wherry.authoring.app import App
from wherry.authoring.entity import Entity
from wherry.authoring.messages import KEY_PATTERN
from wherry.codec import Codec
from wherry.engine.saga import saga_kind
from wherry.engine.specs import (
    CommandSpec,
    EffectSpec,
    KindSpec,
    TargetSpec,
    entity_kind,
    target_spec,
)
from wherry.errors import Misconfigured, NotFound
from wherry.redaction import Redactor


@dataclass
class Registry:
    """Everything that is deployed, by name, for a fixed number of partitions."""

    app: App
    partitions: int
    kinds: dict[str, KindSpec] = field(default_factory=dict)
    targets: dict[str, TargetSpec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.redactor = Redactor(self.app.redact)
        for entity in self.app.entities.values():
            self.kinds[entity.kind] = entity_kind(entity)
        for saga in self.app.sagas.values():
            self.kinds[saga.kind] = saga_kind(saga, self.reply_of, self.redactor)
        self.targets = {target.kind: target_spec(target) for target in self.app.targets.values()}
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

    def effect(self, target: str, name: str) -> EffectSpec:
        """Return an effect of a target. Raises NotFound, naming those that there are."""
        effects = self.targets[target].effects
        if name not in effects:
            raise NotFound(f"target {target} has no {name!r}; it has {', '.join(sorted(effects))}")
        return effects[name]

    def reply_of(self, kind: str, name: str) -> Codec[Any]:
        """Return what answers a command of a kind or of a target. Raises NotFound."""
        known = self.effect(kind, name) if kind in self.targets else self.command(kind, name)
        return known.reply

    def can_exist(self, address: str) -> bool:
        """Whether an address names a known kind and a possible key."""
        kind, _, key = address.partition("/")
        return kind in self.kinds and KEY_PATTERN.fullmatch(key) is not None

    def neighbours(self, address: str) -> list[str]:
        """The entities of the same key that are placed with this one: it will talk to them."""
        key = address.partition("/")[2]
        entities = self.app.entities.values()
        return [f"{e.kind}/{key}" for e in entities if _is_placed_with(e, key, address)]

    def _partition_of(self, address: str) -> int:
        kind, _, key = address.partition("/")
        spec = self.kinds.get(kind)
        placement = spec.placed_with(key) if spec and spec.placed_with else address
        return crc32(placement.encode()) % self.partitions


def _is_placed_with(entity: Entity[Any, Any], key: str, address: str) -> bool:
    if entity.placed_with is None:
        return False
    # It knows keys of its own kind, and this one is of another: it may raise anything.
    with suppress(Exception):
        return entity.placed_with(key) == address
    return False


def split_address(address: str) -> tuple[str, str]:
    """Return kind and key of `kind/key`. Raises NotFound when the key cannot exist."""
    kind, slash, key = address.partition("/")
    if not slash or not KEY_PATTERN.fullmatch(key):
        raise NotFound(
            f"{address!r} is not an address: write kind/key, the key {KEY_PATTERN.pattern}"
        )
    return kind, key


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
