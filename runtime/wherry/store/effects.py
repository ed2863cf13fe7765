"""What the store says about calls to the outside world: the words of the library as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TakenCall:
    """One call that a runner has.

    n     the runner's proof that it has it
    made  number of this attempt, from 1
    lost  whether the runner before was lost: nobody knows if it made the call
    note  what the last attempt that ended left; empty when there was none
    """

    id: str
    envelope: bytes
    n: int
    made: int
    lost: bool
    note: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What take.lua gave; `next_due` is when the earliest of all calls may be taken, ms."""

    next_due: int | None
    calls: list[TakenCall]


@dataclass(frozen=True, slots=True)
class Renewed:
    """How many calls a runner still has, and the ids of those that it has not."""

    count: int
    lost: list[str]


@dataclass(frozen=True, slots=True)
class Permission:
    """What a breaker says.

    granted      how many of the wanted calls may be made
    retry_at_ms  when to ask for the rest; None when all may be made
    failures     in a row
    """

    state: str
    granted: int
    retry_at_ms: int | None
    failures: int


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call that is not settled yet.

    due_ms     when it may be taken, or when the lease of its runner ends; None when it is parked
    parked_ms  since when it waits for a person; None when it does not
    n          how often it was taken
    made       attempts begun
    running    whether a runner has it
    note       what the last attempt that ended left
    """

    partition: int
    id: str
    envelope: bytes
    due_ms: int | None = None
    parked_ms: int | None = None
    n: int = 0
    made: int = 0
    running: bool = False
    note: bytes = b""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many calls wait for their time or run, and how many wait for a person."""

    due: int
    parked: int


@dataclass(frozen=True, slots=True)
class BreakerState:
    """A breaker as it is stored. One that is open past `until_ms` lets the next call probe."""

    target: str
    state: str
    failures: int
    until_ms: int
    probes: int
    since_ms: int


def taken(reply: list[Any]) -> Taken:
    """Read the answer of take.lua."""
    words = _expect(reply, b"TAKEN")
    calls = [_call(words[at : at + 6]) for at in range(1, len(words), 6)]
    return Taken(_ms(words[0]), calls)


def _call(words: Sequence[Any]) -> TakenCall:
    id_, envelope, n, made, lost, note = words
    return TakenCall(id_.decode(), envelope, int(n), int(made), bool(lost), note)


def renewed(reply: list[Any]) -> Renewed:
    """Read the answer of renew.lua."""
    count, lost = _expect(reply, b"RENEWED")
    return Renewed(int(count), [id_.decode() for id_ in lost])


def settled(reply: list[Any]) -> bool | None:
    """Read the answer of settle.lua: whether to start a pump; None when the call is gone."""
    if reply[0] == b"GONE":
        return None
    return bool(_expect(reply, b"SETTLED")[0])


def resumed(reply: list[Any]) -> int | None:
    """Read the answer of resume_effect.lua: how many runners heard; None: gone, or running."""
    if reply[0] == b"GONE":
        return None
    return int(_expect(reply, b"SENT")[0])


def permission(reply: list[Any]) -> Permission:
    """Read the answer of breaker.lua."""
    state, granted, retry, failures = _expect(reply, b"BREAKER")
    return Permission(state.decode(), int(granted), _ms(retry), int(failures))


def stored_call(
    partition: int,
    effect_id: str,
    envelope: bytes,
    attempt: bytes | None,
    due: float | None,
    parked: float | None,
) -> StoredCall:
    """Read what is stored of a call; `attempt` is as lua/lib/attempt.lua writes it."""
    n, made, running, note = (attempt or b"0 0 0 ").split(b" ", 3)
    return StoredCall(
        partition,
        effect_id,
        envelope,
        due_ms=None if due is None else int(due),
        parked_ms=None if parked is None else int(parked),
        n=int(n),
        made=int(made),
        running=running == b"1",
        note=note,
    )


def breaker_state(target: str, stored: dict[bytes, bytes]) -> BreakerState:
    """Read the hash of a breaker; one that was never asked is closed."""

    def number(name: bytes) -> int:
        return int(stored.get(name, b"0"))

    return BreakerState(
        target, stored.get(b"state", b"closed").decode(),
        number(b"failures"), number(b"until"), number(b"probes"), number(b"since"),
    )  # fmt: skip


def _expect(reply: list[Any], word: bytes) -> list[Any]:
    if reply[0] != word:
        raise AssertionError(f"expected {word!r}, got {reply!r}")
    return reply[1:]


def _ms(value: bytes) -> int | None:
    return int(float(value)) if value else None
