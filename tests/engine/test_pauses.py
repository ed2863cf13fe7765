"""Pauses: messages are held back in order, and go on in order, each once."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from tests.support.yard import (
    NOW,
    Add,
    Blow,
    Close,
    Fill,
    Free,
    Hold,
    Pump,
    Remind,
    Resize,
    Yard,
)  # fmt: skip
from wherry.engine.supervision import RESTART
from wherry.store.client import Committed, Refused
from wherry.store.pauses import Mark, PauseStore


def pause(yard: Yard, what: str) -> None:
    PauseStore(yard.store).mark(range(yard.partitions), what, Mark(yard.now))


def resume(yard: Yard, what: str) -> None:
    PauseStore(yard.store).mark(range(yard.partitions), what, None)


def numbers(yard: Yard, address: str = "box/b") -> list[int]:
    return [n for _, n in yard.record(address).state.seen]


def held(yard: Yard) -> dict[str, int]:
    resting = PauseStore(yard.store).resting(yard.partitions)
    assert sum(len(one.held) for one in resting) or not any(one.count for one in resting)
    return {
        address: yard.redis.llen(own.held_for(*address.split("/")))
        for number, one in enumerate(resting)
        for own in [yard.store.keys.partition(number)]
        for address in one.held
    }


@pytest.mark.parametrize("what", ["box/b", "box"])
def test_what_is_paused_takes_nothing_until_it_goes_on(yard: Yard, what: str) -> None:
    yard.send("box/b", Add(1))
    yard.settle()
    pause(yard, what)
    ids = [yard.send("box/b", Add(n)) for n in (2, 3)]
    yard.settle()

    assert numbers(yard) == [1]
    assert held(yard) == {"box/b": 2}
    assert [yard.result(id_).status for id_ in ids] == ["pending", "pending"]

    resume(yard, what)
    yard.send("box/b", Add(4))
    yard.settle()

    assert numbers(yard) == [1, 2, 3, 4]
    assert [yard.result(id_).status for id_ in ids] == ["done", "done"]
    assert held(yard) == {}


def test_others_go_on_meanwhile(yard: Yard) -> None:
    pause(yard, "box/b")
    yard.send("fan/f", Blow("b", 2))
    yard.send("fan/f", Blow("c", 2))
    yard.settle()

    assert numbers(yard, "box/c") == [2, 3]
    assert held(yard) == {"box/b": 2}
    resume(yard, "box/b")
    yard.settle()
    assert numbers(yard) == [0, 1]


def test_messages_that_come_while_it_catches_up_stay_behind(yard: Yard) -> None:
    pause(yard, "box/b")
    for n in range(6):
        yard.send("box/b", Add(n))
    yard.settle()
    resume(yard, "box/b")
    pump = yard.pump()
    for n in range(6, 12):
        yard.send("box/b", Add(n))
        pump.step(batch=2)
    yard.settle()

    assert numbers(yard) == list(range(12))
    assert held(yard) == {}


def test_an_entity_that_is_paused_with_its_kind_goes_on_when_both_do(yard: Yard) -> None:
    pause(yard, "box")
    yard.send("box/b", Add(1))
    yard.settle()
    pause(yard, "box/b")
    yard.send("box/b", Add(2))
    yard.settle()

    resume(yard, "box")
    yard.send("box/b", Add(3))
    yard.settle()
    assert held(yard) == {"box/b": 3}

    resume(yard, "box/b")
    yard.settle()
    assert numbers(yard) == [1, 2, 3]


def test_a_pause_in_the_middle_of_catching_up_keeps_the_rest(yard: Yard) -> None:
    pause(yard, "box/b")
    for n in range(5):
        yard.send("box/b", Add(n))
    yard.settle()
    resume(yard, "box/b")
    yard.pump().step(batch=2)
    pause(yard, "box/b")
    yard.send("box/b", Add(5))
    yard.settle()

    assert numbers(yard) == [0, 1]
    resume(yard, "box/b")
    yard.settle()
    assert numbers(yard) == list(range(6))


def test_a_turn_that_was_computed_before_a_pause_is_not_stored(yard: Yard) -> None:
    yard.send("box/b", Add(1))
    pump = yard.pump()
    pump.compute()
    pause(yard, "box/b")

    outcome = pump.commit()

    assert isinstance(outcome, Refused)
    assert outcome.code == "FENCED"
    yard.settle()
    assert held(yard) == {"box/b": 1}


@pytest.mark.parametrize("first", [0, 1])
def test_two_pumps_that_release_the_same_messages_apply_them_once(yard: Yard, first: int) -> None:
    pause(yard, "box/b")
    yard.send("box/b", Add(1))
    yard.settle()
    resume(yard, "box/b")
    pumps = [yard.pump(), yard.pump()]
    for pump in pumps:
        pump.compute()

    outcomes = [pumps[first].commit(), pumps[1 - first].commit()]

    assert isinstance(outcomes[0], Committed)
    assert isinstance(outcomes[1], Refused)
    assert numbers(yard) == [1]


def test_a_message_that_cannot_be_handled_fails_when_it_goes_on(yard: Yard) -> None:
    pause(yard, "box/b")
    bad = yard.send("box/b", Add(1, how="explode"))
    no = yard.send("box/b", Add(2, how="refuse"))
    good = yard.send("box/b", Add(3))
    yard.settle()
    resume(yard, "box/b")
    yard.settle()

    assert [yard.result(id_).status for id_ in (bad, no, good)] == ["dead", "rejected", "done"]
    assert [letter[b"code"] for letter in yard.dead()] == [b"handler-failed"]


def test_what_could_never_be_delivered_is_refused_as_ever(yard: Yard) -> None:
    pause(yard, "box")

    id_ = yard.send_raw("box/a:b", "Add", raw('{"number":1}'))
    yard.settle()

    assert yard.result(id_, "box/a:b").status == "rejected"
    assert held(yard) == {}


def raw(text: str) -> Any:
    import msgspec

    return msgspec.Raw(text.encode())


def test_a_restart_reaches_what_is_paused(yard: Yard) -> None:
    pause(yard, "box/b")

    id_ = yard.send_raw("box/b", RESTART)
    yard.settle()

    assert yard.result(id_).status == "done"


def test_an_entry_that_nobody_can_read_becomes_a_dead_letter(yard: Yard) -> None:
    pause(yard, "box/b")
    yard.send("box/b", Add(1))
    yard.settle()
    yard.redis.lset(yard.store.keys.partition(0).held_for("box", "b"), 0, "no JSON")
    resume(yard, "box/b")
    yard.settle()

    assert [letter[b"code"] for letter in yard.dead()] == [b"unreadable"]
    assert held(yard) == {}


def test_messages_that_somebody_took_away_by_hand_block_nothing(yard: Yard) -> None:
    pause(yard, "box/b")
    yard.send("box/b", Add(1))
    yard.settle()
    yard.redis.delete(yard.store.keys.partition(0).held_for("box", "b"))
    resume(yard, "box/b")
    yard.send("box/b", Add(2))
    pump = yard.pump()
    pump.step()

    assert numbers(yard) == [2]
    assert not pump.compute()


def test_a_long_row_leaves_room_for_others_and_ends(yard: Yard) -> None:
    pause(yard, "box/b")
    for n in range(900):
        yard.send("box/b", Add(n))
    yard.settle()
    resume(yard, "box/b")
    yard.send("box/c", Add(1))
    pump = yard.pump()
    pump.step(batch=1_000)

    assert numbers(yard, "box/c") == [1]
    assert 0 < len(numbers(yard)) < 900
    yard.settle()
    assert numbers(yard) == list(range(900))


# -- timers, holds, sagas --------------------------------------------------------------------------


def test_a_timer_that_fires_meanwhile_waits_in_its_place(yard: Yard) -> None:
    due = datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(seconds=5)
    yard.send("box/b", Remind(7, due))
    yard.settle()
    pause(yard, "box/b")
    yard.send("box/b", Add(1))
    yard.settle()
    yard.fire(timedelta(seconds=6))
    yard.settle()
    yard.send("box/b", Add(2))
    yard.settle()
    assert held(yard) == {"box/b": 3}

    resume(yard, "box/b")
    yard.settle()

    assert numbers(yard) == [1, 7, 2]


def test_a_hold_that_ends_meanwhile_is_freed_when_its_entity_goes_on(yard: Yard) -> None:
    until = datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(seconds=5)
    for command in (Resize(1), Hold("h", until)):
        yard.send("box/b", command)
    yard.settle()
    pause(yard, "box")
    yard.fire(timedelta(seconds=6))
    late = yard.send("box/b", Hold("i", until + timedelta(hours=1)))
    yard.settle()
    assert yard.record("box/b").books["places"].holds.keys() == {"h"}

    resume(yard, "box")
    yard.settle()

    assert yard.record("box/b").books["places"].holds.keys() == {"i"}
    assert yard.result(late).status == "done"
    yard.send("box/b", Free("i"))
    yard.settle()


def test_a_saga_waits_for_a_paused_entity_and_can_be_paused_itself(yard: Yard) -> None:
    pause(yard, "box/b")
    yard.start("s", Fill("b"))
    yard.settle()
    assert yard.record("saga.fill/s").status == "running"

    pause(yard, "saga.fill/s")
    resume(yard, "box/b")
    yard.settle()
    assert numbers(yard) == [10]
    assert held(yard) == {"saga.fill/s": 1}

    resume(yard, "saga.fill/s")
    yard.settle()
    assert yard.record("saga.fill/s").status == "completed"


def test_a_halted_namespace_takes_no_turn(yard: Yard) -> None:
    yard.send("box/b", Add(1))
    pause(yard, "*")
    pump = yard.pump()
    pump.compute()

    outcome = pump.commit()

    assert isinstance(outcome, Refused)
    assert outcome.code == "HALTED"
    assert numbers(yard) == []
    resume(yard, "*")
    yard.settle()
    assert numbers(yard) == [1]


# -- everything at once ----------------------------------------------------------------------------


FANS, BOXES = ("x", "y", "z"), "abcd"


class Game:
    """Three fans blow into four boxes; who is paused, and which of two pumps commits, is chance."""

    def __init__(self, yard: Yard, seed: int) -> None:
        self.yard = yard
        self.chance = random.Random(seed)
        self.pumps = [yard.pump(number) for number in (0, 1) for _ in range(2)]
        self.marks = ["box", "fan", "fan/x", *(f"box/{key}" for key in BOXES)]
        self.sent = 0

    def act(self) -> None:
        what = self.chance.randrange(8)
        if what == 0:
            pause(self.yard, self.chance.choice(self.marks))
        elif what == 1:
            resume(self.yard, self.chance.choice(self.marks))
        elif what == 2 and self.sent < 150:
            then = tuple(self.chance.sample(FANS, 2))
            blow = Blow(self.chance.choice(BOXES), 2, then)
            self.yard.send(f"fan/{self.chance.choice(FANS)}", blow)
            self.sent += 1
        else:
            self._turn(self.chance.choice(self.pumps))

    def _turn(self, pump: Pump) -> None:
        """Half a turn: another pump may commit before the second half."""
        if pump.pending is not None:
            pump.commit()
        else:
            pump.compute(self.chance.choice((1, 2, 50)))

    def end(self) -> None:
        for mark in self.marks:
            resume(self.yard, mark)
        self.yard.settle()


@pytest.mark.parametrize("seed", range(12))
def test_order_and_once_whatever_is_paused_and_whichever_pump_is_first(
    fake_redis: Redis, seed: int
) -> None:
    yard = Yard(fake_redis, partitions=2)
    game = Game(yard, seed)
    for _ in range(250):
        game.act()
    game.end()

    assert held(yard) == {}
    everything: dict[str, list[int]] = {fan: [] for fan in FANS}
    for key in BOXES:
        box = yard.record(f"box/{key}").state
        assert box == yard.folded(f"box/{key}")
        for fan in FANS:
            mine = [n for by, n in box.seen if by == fan]
            assert mine == sorted(set(mine)), f"{fan} overtook itself, or came twice, at box/{key}"
            everything[fan] += mine
    assert sum(len(yard.events(f"fan/{fan}")) for fan in FANS) == 3 * game.sent
    for fan, seen in everything.items():
        assert sorted(seen) == list(range(yard.record(f"fan/{fan}").state.sent))
    assert yard.dead() == yard.dead(1) == []


def test_a_box_that_is_closed_stays_as_it_was(yard: Yard) -> None:
    pause(yard, "box/b")
    yard.send("box/b", Add(1))
    yard.send("box/b", Close())
    yard.settle()
    resume(yard, "box/b")
    yard.settle()

    assert yard.record("box/b").status == "closed"
