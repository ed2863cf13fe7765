"""Messages: what can be asked of an entity, and what has happened to it.

    class PortKind(Kind):
        name = "port"

    @message
    class ReserveDocking(Command[PortKind, Reservation]):
        reservation_id: str
        vessel_id: str

A module of messages does no I/O and imports nothing else, so that any client may use it.
"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform, get_args, get_origin

from wherry.errors import Misconfigured

T = TypeVar("T")
K = TypeVar("K", bound="Kind")
R = TypeVar("R")

#: What a kind may be called; `saga.` is the prefix of every saga's own kind.
KIND_PATTERN = re.compile(r"[a-z][a-z0-9_.]*")
#: Words of the key table: an entity of such a kind would collide with the store's own keys.
RESERVED_KINDS = frozenset(
    {
        "inbox",
        "meta",
        "timers",
        "timer",
        "effects",
        "effect",
        "attempt",
        "parked",
        "attention",
        "counters",
        "outbox",
        "dead",
        "index",
        "result",
        "idem",
        "feed",
        "paused",
        "held",
    }
    | {"sagas", "breakers", "queues", "why"}  # paths of HTTP
)
#: What an entity's key may be: no colon (`rotterdam:log` is a log), no braces (a hash tag).
KEY_PATTERN = re.compile(r"[A-Za-z0-9_.~@-]{1,128}")


@dataclass_transform(frozen_default=True)
def message(cls: type[T]) -> type[T]:
    """Make a class a message: a frozen dataclass with slots."""
    return dataclass(frozen=True, slots=True)(cls)


class Kind:
    """Names a kind of entity, so that commands and references agree when types are checked."""

    name: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        if not KIND_PATTERN.fullmatch(cls.name) or cls.name in RESERVED_KINDS:
            raise Misconfigured(
                f"{cls.__qualname__}: a kind's name is {KIND_PATTERN.pattern} and none of"
                f" {', '.join(sorted(RESERVED_KINDS))}; {cls.name!r} is not"
            )

    @classmethod
    def ref(cls: type[K], key: str) -> "Ref[K]":
        """The entity of this kind with the given key."""
        return Ref(cls.name, key)


@dataclass(frozen=True, slots=True)
class Ref(Generic[K]):
    """The address of one entity. Written `kind/key`."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"


class Command(Generic[K, R]):
    """A message to an entity of kind K, answered by one R or one rejection."""

    __slots__ = ()


class Event:
    """A stored fact. State changes in no other way.

    An event whose fields have changed says so, `class BerthTaken(Event, version=2)`, and its
    entity has a function that reads the older ones: `@port.upcast("BerthTaken", version=1)`.
    """

    __slots__ = ()
    __schema_version__: ClassVar[int] = 1

    def __init_subclass__(cls, *, version: int | None = None) -> None:
        super().__init_subclass__()
        if version is not None and version < 1:
            raise Misconfigured(f"{cls.__name__}: versions of an event start at 1")
        # A dataclass with slots is made twice, the second time without arguments.
        if version is not None or "__schema_version__" not in cls.__dict__:
            cls.__schema_version__ = version or 1


def version_of(event: type[Event]) -> int:
    """Return the version of an event's fields."""
    return event.__schema_version__


def reply_type(command: type[Command[Any, Any]]) -> Any:
    """Return the type that answers a command."""
    return _parameters(command)[1]


def kind_of(command: type[Command[Any, Any]]) -> type[Kind]:
    """Return the kind that a command is for."""
    kind: type[Kind] = _parameters(command)[0]
    return kind


def _parameters(command: type[Command[Any, Any]]) -> tuple[Any, ...]:
    for base in getattr(command, "__orig_bases__", ()):
        if get_origin(base) is Command:
            return get_args(base)
    raise Misconfigured(f"{command.__name__} must name its kind and reply: Command[Kind, Reply]")
