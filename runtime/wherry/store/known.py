"""What a name of a key stands for: the inverse of `store.keys`."""

import re
from dataclasses import dataclass

from wherry.authoring.messages import KEY_PATTERN, KIND_PATTERN

#: The keys that each partition has once, and their types.
ONCE = {
    "inbox": "stream", "meta": "hash", "timers": "zset", "timer": "hash", "effects": "zset",
    "effect": "hash", "attempt": "hash", "parked": "zset", "attention": "hash", "paused": "hash",
    "held": "zset", "counters": "hash", "dead": "stream", "feed": "stream",
}  # fmt: skip
#: Those that it has many of: what comes before the first colon, and their types.
MANY = {"index": "zset", "result": "string", "idem": "string", "held": "list"}
#: The keys of the namespace itself; after one that ends in a colon there is a name.
OF_NAMESPACE = {
    "pumps": "zset", "wake": "string", "deployment": "hash", "releases": "stream",
    "breaker:": "hash", "apikeys": "hash", "apikeys:used": "hash", "rate:": "hash",
    "audit": "stream",
}  # fmt: skip

_PARTITION = re.compile(r"\{[^{}]+:(?P<number>0|[1-9]\d{0,5})\}:(?P<name>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class KeyName:
    """A key of a partition.

    group  `entity` or `log` of an entity, or one of ONCE or MANY; empty when nobody knows it
    rest   what stands behind the group: of an entity kind and key
    type   that it has to have
    """

    text: str
    partition: int
    group: str = ""
    rest: tuple[str, ...] = ()
    type: str = ""


def read_name(text: str, partitions: int) -> KeyName:
    """Read the name of a key below `{ns:`."""
    match = _PARTITION.fullmatch(text)
    if match is None or int(match["number"]) >= partitions:
        return KeyName(text, -1)
    number, name = int(match["number"]), match["name"]
    if name in ONCE:
        return KeyName(text, number, name, (), ONCE[name])
    group, *rest = name.split(":")
    if group in MANY and all(rest) and rest:
        whole = (name.removeprefix(f"{group}:"),) if group in {"result", "idem"} else tuple(rest)
        return KeyName(text, number, group, whole, MANY[group])
    return _entity(text, number, group, rest)


def is_of_namespace(name: str) -> bool:
    """Whether the namespace has a key of this name, which comes after `ns:`."""
    group, colon, _ = name.partition(":")
    return name in OF_NAMESPACE or bool(colon and f"{group}:" in OF_NAMESPACE)


def _entity(text: str, number: int, kind: str, rest: list[str]) -> KeyName:
    known = KIND_PATTERN.fullmatch(kind) and rest and KEY_PATTERN.fullmatch(rest[0])
    if known and len(rest) == 1:
        return KeyName(text, number, "entity", (kind, rest[0]), "hash")
    if known and rest[1:] == ["log"]:
        return KeyName(text, number, "log", (kind, rest[0]), "stream")
    return KeyName(text, number)
