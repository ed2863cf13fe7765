"""Order: what one sender sends to one entity arrives in that order, whatever path it takes."""

from collections import defaultdict

import fakeredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from tests.support.yard import Add, Blow, Pass, Yard
from wherry.authoring.app import App
from wherry.engine import turn
from wherry.engine.registry import Registry
from wherry.store.client import Refused


def numbers(yard: Yard, key: str) -> dict[str, list[int]]:
    """What a box has seen, by sender."""
    found: dict[str, list[int]] = defaultdict(list)
    for by, number in yard.record(f"box/{key}").state.seen:
        found[by].append(number)
    return found


def test_a_cascade_is_drained_before_the_next_entry(yard: Yard) -> None:
    yard.send("fan/f", Blow("b", 3, ("g",)))
    yard.send("box/b", Add(99, by="client"))
    assert yard.pump().step()

    expected = [("f", 0), ("f", 1), ("f", 2), ("g", 0), ("g", 1), ("g", 2), ("client", 99)]
    assert expected == list(yard.record("box/b").state.seen)


def test_a_budget_stops_between_entries_only(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "BUDGET", 3)
    for number in range(3):
        yard.send(f"fan/f{number}", Blow("b", 3))
    pump = yard.pump()
    pump.compute()

    assert pump.pending is not None
    assert (1, 4) == (pump.pending.taken, pump.pending.handled)
    pump.commit()
    assert [2] == yard.store.backlog(1)


def test_a_runaway_cascade_goes_on_through_the_inbox(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "CASCADE", 4)
    yard.send("fan/f", Blow("b", 9))
    pump = yard.pump()
    assert pump.step()

    assert [6] == yard.store.backlog(1)
    yard.settle()
    assert {"f": list(range(9))} == numbers(yard, "b")


SENDS = st.lists(
    st.tuples(
        st.sampled_from("fgh"),
        st.sampled_from("ab"),
        st.integers(1, 5),
        st.lists(st.sampled_from("fgh"), max_size=3),
    ),
    min_size=1,
    max_size=12,
)


@given(
    sends=SENDS,
    partitions=st.integers(1, 3),
    budget=st.integers(1, 6),
    cascade=st.integers(1, 6),
    batch=st.integers(1, 5),
    pauses=st.lists(st.integers(0, 3), max_size=8),
)
@settings(max_examples=120)
def test_the_order_of_each_sender_is_kept(
    sends: list[tuple[str, str, int, list[str]]],
    partitions: int,
    budget: int,
    cascade: int,
    batch: int,
    pauses: list[int],
) -> None:
    with pytest.MonkeyPatch.context() as patch, _fake() as redis:
        patch.setattr(turn, "BUDGET", budget)
        patch.setattr(turn, "CASCADE", cascade)
        yard = Yard(redis, partitions)
        pumps = [yard.pump(p) for p in range(partitions)]
        for number, (who, to, count, then) in enumerate(sends):
            yard.send(f"fan/{who}", Blow(to, count, tuple(then)))
            for partition in range(pauses[number] if number < len(pauses) else 0):
                pumps[partition % partitions].step(batch)
        yard.settle(batch)

        assert [] == [letter for p in range(partitions) for letter in yard.dead(p)]
        sent = sum(count * (1 + len(then)) for _, _, count, then in sends)
        got = [numbers(yard, key) for key in "ab"]
        assert sent == sum(len(found) for box in got for found in box.values())
        for box in got:
            for found in box.values():
                assert sorted(set(found)) == found


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 3)),
        st.tuples(st.just("repeat"), st.integers(0, 20)),
        st.tuples(st.just("compute"), st.integers(0, 1)),
        st.tuples(st.just("commit"), st.integers(0, 1)),
        st.tuples(st.just("commit_twice"), st.integers(0, 1)),
        st.tuples(st.just("crash"), st.integers(0, 1)),
    ),
    max_size=40,
)


class Fight:
    """Two pumps that both believe that the one partition is theirs."""

    def __init__(self, yard: Yard, partition: int = 0) -> None:
        self.yard = yard
        self.partition = partition
        self.pumps = [yard.pump(partition), yard.pump(partition)]
        self.sent: list[tuple[str, str]] = []

    def act(self, what: str, which: int) -> None:
        getattr(self, what)(which)

    def send(self, which: int) -> None:
        to = f"fan/f{which}"
        self.sent.append((self.yard.send(to, Blow("b", 2)), to))

    def repeat(self, which: int) -> None:
        """The reply to a send was lost: send it again."""
        if self.sent:
            id_, to = self.sent[which % len(self.sent)]
            before, self.yard.sent = self.yard.sent, int(id_[1:]) - 1
            assert id_ == self.yard.send(to, Blow("b", 2))
            self.yard.sent = before

    def compute(self, which: int) -> None:
        if self.pumps[which].pending is None:
            self.pumps[which].compute(batch=2)

    def commit(self, which: int) -> None:
        if self.pumps[which].pending is not None:
            self.pumps[which].commit()

    def commit_twice(self, which: int) -> None:
        """The reply to a commit was lost: commit it again."""
        pending = self.pumps[which].pending
        if pending is not None:
            self.pumps[which].commit()
            assert isinstance(self.yard.store.commit(pending, result_ttl_ms=60_000), Refused)

    def crash(self, which: int) -> None:
        self.pumps[which] = self.yard.pump(self.partition)

    def end(self) -> None:
        for which in (0, 1):
            self.commit(which)
        self.yard.settle()


@given(actions=ACTIONS, cascade=st.integers(1, 4))
@settings(max_examples=150)
def test_two_pumps_on_one_partition_apply_each_command_once(
    actions: list[tuple[str, int]], cascade: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, _fake() as redis:
        patch.setattr(turn, "CASCADE", cascade)
        fight = Fight(yard := Yard(redis))
        for what, which in actions:
            fight.act(what, which)
        fight.end()

        assert [] == yard.dead()
        results = [yard.result(id_, to).status for id_, to in fight.sent]
        assert ["done"] * len(fight.sent) == results
        for who, found in numbers(yard, "b").items():
            times = sum(to == f"fan/{who}" for _, to in fight.sent)
            assert list(range(2 * times)) == found
        for address in ("box/b", "fan/f0", "fan/f1", "fan/f2", "fan/f3"):
            record = yard.record(address)
            assert len(yard.events(address)) == record.version
            assert yard.folded(address) == record.state


def test_a_pump_that_read_more_cannot_send_again_what_another_has_sent(redis: Redis) -> None:
    yard = Yard(redis, 3)
    fight = Fight(yard, yard.registry.partition_of("fan/p"))
    yard.send("fan/p", Pass("b", 0))
    fight.compute(0)
    yard.send("fan/p", Pass("b", 1))
    fight.compute(1)
    fight.commit(0)
    fight.end()

    assert {"p": [0, 1]} == numbers(yard, "b")


@given(actions=ACTIONS)
@settings(max_examples=60)
def test_two_pumps_send_each_message_once(actions: list[tuple[str, int]]) -> None:
    """The sender stores nothing and the box is elsewhere: no version can help, only the cursor."""
    with _fake() as redis:
        yard = Yard(redis, 3)
        here = yard.registry.partition_of("fan/p")
        assert here != yard.registry.partition_of("box/b")
        fight = Fight(yard, here)
        sent = 0
        for what, which in actions:
            if what == "send":
                yard.send("fan/p", Pass("b", sent))
                sent += 1
            elif what not in {"repeat", "commit_twice"}:
                fight.act(what, which)
        fight.end()

        assert {"p": list(range(sent))} == numbers(yard, "b") or sent == 0


def test_places_never_move() -> None:
    """Golden values: a change here loses every entity that is stored."""
    registry = Registry(App([]), 16)
    places = {a: registry.partition_of(a) for a in ("port/rotterdam", "order/17", "saga.docking/x")}

    assert {"port/rotterdam": 0, "order/17": 10, "saga.docking/x": 10} == places


def _fake() -> Redis:
    return fakeredis.FakeRedis(server=fakeredis.FakeServer(version=(7,)))
