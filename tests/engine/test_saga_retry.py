"""What cancel, kill and retry do to a saga in each of its states; undos that are sent again."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from redis import Redis

from tests.support.yard import Yard
from wherry import (
    Accepted,
    App,
    Ask,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    Rejected,
    Saga,
    Tell,
    accept,
    message,
)
from wherry.engine.envelope import Result, raw_body
from wherry.engine.saga_state import Cancel, Kill, Retry, SagaState
from wherry.store.pauses import Mark, PauseStore


class ShelfKind(Kind):
    name = "shelf"


@message
class Put(Command[ShelfKind, None]):
    refuse: bool = False


@message
class Take(Command[ShelfKind, None]):
    pass


@message
class Lock(Command[ShelfKind, None]):
    locked: bool


@message
class PutDown(Event):
    pass


@message
class Taken(Event):
    pass


@message
class Locked(Event):
    locked: bool


@dataclass(frozen=True, slots=True)
class Shelf:
    things: int = 0
    locked: bool = False
    takes: int = 0


shelf = Entity(ShelfKind, Shelf())


@shelf.handles(Put)
def put(state: Shelf, command: Put, ctx: Context) -> Accepted[None]:
    if command.refuse:
        raise Rejected("no-room")
    return accept(command, PutDown(), reply=None)


@shelf.handles(Take)
def take(state: Shelf, command: Take, ctx: Context) -> Accepted[None]:
    if state.locked:
        raise Rejected("locked")
    return accept(command, Taken(), reply=None)


@shelf.handles(Lock)
def lock(state: Shelf, command: Lock, ctx: Context) -> Accepted[None]:
    return accept(command, Locked(command.locked), reply=None)


@shelf.folds(PutDown)
def put_down(state: Shelf, event: PutDown) -> Shelf:
    return replace(state, things=state.things + 1)


@shelf.folds(Taken)
def taken(state: Shelf, event: Taken) -> Shelf:
    return replace(state, things=state.things - 1, takes=state.takes + 1)


@shelf.folds(Locked)
def locked(state: Shelf, event: Locked) -> Shelf:
    return replace(state, locked=event.locked)


@message
class Stock:
    fails: bool = True


@dataclass(frozen=True, slots=True)
class Stocking:
    fails: bool


def _start(given: Stock, ctx: Context) -> Stocking:
    return Stocking(given.fails)


def _result(state: Stocking) -> str:
    return "stocked"


stock = Saga("stock", start=_start, result=_result, deadline=timedelta(minutes=1))


def _ask(key: str, *, refuse: bool = False) -> Ask[ShelfKind, None]:
    return Ask(ShelfKind.ref(key), Put(refuse), timeout=timedelta(seconds=10))


stock.step("a", lambda _: _ask("a"), undo=lambda _: Tell(ShelfKind.ref("a"), Take()))
stock.step("b", lambda _: _ask("b"), undo=lambda _: Tell(ShelfKind.ref("b"), Take()))
stock.step("c", lambda s: _ask("c", refuse=s.fails))

APP = App([shelf, stock])


@pytest.fixture
def house(redis: Redis) -> Yard:
    return Yard(redis, app=APP)


def pause(yard: Yard, what: str, *, to: bool = True) -> None:
    PauseStore(yard.store).mark(range(yard.partitions), what, Mark(1) if to else None)


def tell(yard: Yard, command: Any) -> Result:
    id_ = yard.send_raw("saga.stock/s", type(command).__name__, raw_body(command))
    yard.settle()
    return yard.result(id_)


def state(yard: Yard) -> SagaState[Any]:
    found: SagaState[Any] = yard.record("saga.stock/s").state
    return found


def steps(yard: Yard) -> dict[str, str]:
    return {step.name: step.status for step in state(yard).steps}


def things(yard: Yard) -> list[int]:
    return [yard.record(f"shelf/{key}").state.things for key in "abc"]


def reach(yard: Yard, status: str) -> str:
    """Bring the saga into a status; return the id of its start."""
    if status == "running":
        pause(yard, "shelf/b")
    if status == "compensating":
        yard.send("shelf/a", Lock(False))
        yard.settle()
    if status in {"failed", "killed"}:
        yard.send("shelf/a", Lock(True))
    id_ = yard.send_raw("saga.stock/s", "Start", raw_body(Stock(status != "completed")))
    if status == "killed":
        pause(yard, "shelf/b")
    if status == "compensating":
        pause(yard, "shelf/b")
        yard.settle()
        tell(yard, Cancel())
    yard.settle()
    if status == "killed":
        tell(yard, Kill())
    return id_


def test_undos_that_failed_are_sent_again(house: Yard) -> None:
    start = reach(house, "failed")
    assert (state(house).status, things(house)) == ("failed", [1, 0, 0])
    first = house.result(start)
    house.send("shelf/a", Lock(False))
    house.settle()

    done = tell(house, Retry("the lock was changed"))

    assert done.status == "done"
    assert state(house).status == "compensated"
    assert steps(house) == {"a": "undone", "b": "undone", "c": "rejected"}
    assert things(house) == [0, 0, 0]
    assert [house.record(f"shelf/{key}").state.takes for key in "ab"] == [1, 1]
    problem = state(house).problem
    assert problem is not None
    assert problem.code == "no-room"
    # Who started it was told once: what came later does not change the first answer.
    assert house.result(start) == first
    assert first.problem is not None
    assert first.problem.code == "undo-failed"
    assert house.folded("saga.stock/s") == state(house)


def test_an_undo_that_fails_again_fails_the_saga_again(house: Yard) -> None:
    reach(house, "failed")

    tell(house, Retry())

    assert (state(house).status, things(house)) == ("failed", [1, 0, 0])
    problem = state(house).problem
    assert problem is not None
    assert problem.code == "undo-failed"
    house.send("shelf/a", Lock(False))
    house.settle()
    assert tell(house, Retry()).status == "done"
    assert (state(house).status, things(house)) == ("compensated", [0, 0, 0])


def test_an_undo_that_was_sent_again_may_be_waited_for_or_killed(house: Yard) -> None:
    reach(house, "failed")
    pause(house, "shelf/a")

    assert msgspec.json.decode(tell(house, Retry()).reply) == {"status": "compensating"}
    assert steps(house)["a"] == "undoing"
    assert tell(house, Kill()).status == "done"
    assert state(house).status == "failed"


#: What becomes of each word in each state: the code of the refusal, or the state after it.
TABLE = {
    "completed": ("saga-ended", "saga-ended", "saga-ended"),
    "compensated": ("saga-ended", "saga-ended", "saga-ended"),
    "failed": ("saga-ended", "saga-ended", "-> failed"),
    "killed": ("saga-ended", "saga-ended", "saga-ended"),
    "running": ("-> compensating", "-> failed", "saga-running"),
    "compensating": ("-> compensating", "-> failed", "saga-running"),
    "": ("saga-not-started", "saga-not-started", "saga-not-started"),
}


@pytest.mark.parametrize("word", [0, 1, 2], ids=["cancel", "kill", "retry"])
@pytest.mark.parametrize("status", TABLE)
def test_each_word_in_each_state_has_one_clear_answer(
    fake_redis: Redis, status: str, word: int
) -> None:
    house = Yard(fake_redis, app=APP)
    if status:
        reach(house, status)
        reached = {"killed": "failed"}.get(status, status)
        assert state(house).status == reached
    before = house.events("saga.stock/s")

    result = tell(house, (Cancel(), Kill(), Retry())[word])

    wanted = TABLE[status][word]
    if wanted.startswith("-> "):
        assert result.status == "done"
        assert state(house).status == wanted.removeprefix("-> ")
    else:
        assert result.status == "rejected"
        assert result.problem is not None
        assert result.problem.code == wanted
        assert result.problem.detail
        assert house.events("saga.stock/s") == before


def test_a_clock_that_rings_while_undos_wait_is_stopped(house: Yard) -> None:
    reach(house, "compensating")
    house.fire(timedelta(minutes=2))
    house.settle()

    assert (state(house).status, state(house).tick) == ("compensating", 0)
    assert not house.redis.zcard(house.store.keys.partition(0).timers)
    pause(house, "shelf/b", to=False)
    house.settle()
    assert (state(house).status, things(house)) == ("compensated", [0, 0, 0])
