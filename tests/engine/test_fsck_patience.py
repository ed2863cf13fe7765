"""The audit and the patience of entities: its end is told by a timer that any message puts off."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.support.yard import Yard
from wherry import (
    Accepted,
    App,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    OneForOne,
    ReceiveTimeout,
    accept,
    message,
)
from wherry.store.curing import cure
from wherry.store.fsck import Fsck

TIMER = "guest/g:receive-timeout"
TIMERS, MESSAGES = "{yard:0}:timers", "{yard:0}:timer"


class GuestKind(Kind):
    name = "guest"


@message
class Sit(Command[GuestKind, None]):
    pass


@message
class Wave(Command[GuestKind, None]):
    """Nothing comes of it but that the guest waits on."""


@message
class Complain(Command[GuestKind, None]):
    pass


@message
class Sat(Event):
    pass


@dataclass(frozen=True, slots=True)
class Guest:
    sits: bool = False


guest = Entity(
    GuestKind, Guest(), supervision=OneForOne(otherwise="stop"),
    receive_timeout=ReceiveTimeout(timedelta(minutes=5), Complain(), waiting=lambda g: g.sits),
)  # fmt: skip


@guest.handles(Sit)
def sit(guest: Guest, command: Sit, ctx: Context) -> Accepted[None]:
    return accept(command, Sat(), reply=None)


@guest.handles(Wave)
def wave(guest: Guest, command: Wave, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None)


@guest.handles(Complain)
def complain(guest: Guest, command: Complain, ctx: Context) -> Accepted[None]:
    raise RuntimeError("too late")


@guest.folds(Sat)
def sat(guest: Guest, event: Sat) -> Guest:
    return Guest(sits=True)


@pytest.fixture
def yard(fake_redis: Any) -> Yard:
    yard = Yard(fake_redis, app=App([guest]))
    yard.send("guest/g", Sit())
    yard.settle()
    return yard


def found(yard: Yard) -> list[tuple[str, str]]:
    return [(f.subject, f.code) for f in Fsck(yard.store, yard.registry).everything()]


def test_a_message_puts_off_the_end_of_patience(yard: Yard) -> None:
    due = yard.redis.zscore(TIMERS, TIMER)
    yard.now += 60_000
    yard.send("guest/g", Wave())
    yard.settle()

    assert yard.redis.zscore(TIMERS, TIMER) != due
    assert found(yard) == []


@pytest.mark.parametrize("lost", ["timer", "time"])
def test_patience_without_an_end_is_found_and_mended(yard: Yard, lost: str) -> None:
    before = (yard.redis.zscore(TIMERS, TIMER), yard.redis.hgetall(MESSAGES))
    yard.redis.zrem(TIMERS, TIMER)
    if lost == "timer":
        yard.redis.delete(MESSAGES)

    wrong = list(Fsck(yard.store, yard.registry).everything())

    assert [(f.subject, f.code) for f in wrong] == [("guest/g", "timer-missing")]
    assert list(cure(yard.store, yard.registry, wrong, "")) == [("guest/g", "")]
    assert (yard.redis.zscore(TIMERS, TIMER), yard.redis.hgetall(MESSAGES)) == before


def test_an_entity_that_was_stopped_waits_for_nothing(yard: Yard) -> None:
    yard.fire(timedelta(minutes=6))
    yard.settle()

    assert yard.redis.zscore(TIMERS, TIMER) is None
    assert found(yard) == []
