"""One message: stored and answered, or refused, or buried - and the next one goes on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.support.yard import Add, Bad, Blow, Close, Hold, Keep, Remind, Resize, Yard
from wherry.engine.envelope import Answer, Envelope, raw_body
from wherry.errors import Unreachable

NOON = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)  # the yard's time, in the first second


def seen(yard: Yard, key: str = "b") -> list[int]:
    return [number for _, number in yard.record(f"box/{key}").state.seen]


def test_a_command_is_stored_and_answered(yard: Yard) -> None:
    id_ = yard.send("box/b", Add(7))
    yard.settle()

    result = yard.result(id_)
    assert ("done", 1, b"1", id_, "box/b") == (
        result.status,
        result.version,
        bytes(result.reply or b""),
        result.command_id,
        result.entity,
    )
    (event,) = yard.events("box/b")
    assert {b"type": b"Added", b"id": id_.encode(), b"at": str(yard.now).encode()} == {
        name: event[name] for name in (b"type", b"id", b"at")
    }
    assert b'"at":"2027-01-15T08:00:00.000Z"' in event[b"data"]


def test_a_rejection_stores_nothing(yard: Yard) -> None:
    yard.send("box/b", Add(1))
    id_ = yard.send("box/b", Add(2, how="refuse"))
    yard.settle()

    assert ("rejected", "no") == _problem(yard, id_)
    assert [1] == seen(yard)
    assert [] == yard.dead()


@pytest.mark.parametrize(
    ("to", "type_", "data", "code"),
    [
        ("box/b", "Nonsense", b"{}", "not-found"),
        ("box/b", "Tick", b"{}", "not-found"),
        ("balloon/b", "Add", b"{}", "not-found"),
        ("box/b:log", "Add", b"{}", "not-found"),
        ("box/", "Add", b"{}", "not-found"),
        ("saga.fill/s", "Tick", b"{}", "not-found"),
        ("saga.fill/s", "Answer", b'{"asked":"Add","tag":"first","status":"done"}', "not-found"),
        ("box/b", "Add", b"{}", "invalid"),
        ("box/b", "Add", b'{"number":1,"colour":"red"}', "invalid"),
        ("box/b", "Add", b'{"number":"1"}', "invalid"),
        ("box/b", "Add", b"[]", "invalid"),
        ("saga.fill/s", "Cancel", b"{}", "saga-not-started"),
    ],
)
def test_what_cannot_be_handled_is_rejected_with_a_reason(
    yard: Yard, to: str, type_: str, data: bytes, code: str
) -> None:
    id_ = yard.send_raw(to, type_, msgspec.Raw(data))
    yard.settle()

    result = yard.result(id_, to)
    assert result.problem is not None
    assert ("rejected", code) == (result.status, result.problem.code)


def test_an_expected_version_is_required(yard: Yard) -> None:
    good = yard.send("box/b", Add(1), expect=0)
    late = yard.send("box/b", Add(2), expect=0)
    yard.settle()

    assert "done" == yard.result(good).status
    assert ("rejected", "version-conflict") == _problem(yard, late)
    assert [1] == seen(yard)


def test_a_forbidden_status_and_a_full_pool_are_rejections(yard: Yard) -> None:
    ids = [
        yard.send("box/b", command)
        for command in (Resize(1), Hold("x", NOON), Hold("y", NOON), Resize(0), Close(), Close())
    ]
    again = yard.send("box/b", Add(1))
    yard.settle()

    found = [yard.result(id_).status for id_ in ids]
    assert ["done", "done", "rejected", "rejected", "done", "done"] == found
    assert ("rejected", "full") == _problem(yard, ids[2])
    assert ("rejected", "too-few") == _problem(yard, ids[3])
    assert "done" == yard.result(again).status


def test_a_handler_that_raises_is_buried_and_the_next_message_goes_on(yard: Yard) -> None:
    dead = yard.send("box/b", Add(1, how="explode"))
    yard.send("box/b", Add(2))
    yard.settle()

    assert ("dead", "handler-failed") == _problem(yard, dead)
    (letter,) = yard.dead()
    assert b"as it was told" in letter[b"error"]
    assert (b"box/b", b"Add", b"v1") == (letter[b"entity"], letter[b"type"], letter[b"version"])
    assert [2] == seen(yard)


@pytest.mark.parametrize(
    "what",
    ["reply", "event", "unknown event", "unreadable event", "message", "timer", "timer name",
     "nothing", "words", "wordless", "text"],
)  # fmt: skip
def test_what_cannot_be_stored_buries_only_its_own_message(yard: Yard, what: str) -> None:
    bad = yard.send("box/b", Bad(what))
    yard.send("box/b", Add(2))
    yard.settle()

    assert ("dead", "handler-failed") == _problem(yard, bad)
    assert 1 == len(yard.dead())
    assert [2] == seen(yard)
    assert 1 == len(yard.events("box/b"))


def test_a_rejection_in_words_that_are_no_text_is_still_a_rejection(yard: Yard) -> None:
    id_ = yard.send("box/b", Bad("rejection"))
    yard.settle()

    assert ("rejected", "\\ud800") == _problem(yard, id_)


@pytest.mark.parametrize("what", ["rejection with no JSON", "rejection with no text"])
def test_a_rejection_with_data_that_cannot_be_stored_goes_without_it(yard: Yard, what: str) -> None:
    """It must not end the turn: the same would happen to the next one, for ever."""
    id_ = yard.send("box/b", Bad(what))
    yard.send("box/b", Add(2))
    yard.settle()

    problem = yard.result(id_).problem
    assert problem is not None
    assert ("no", "but why", {}) == (problem.code, problem.detail, problem.data)
    assert [2] == seen(yard)


def test_a_state_that_is_no_json_is_rebuilt_from_the_log(yard: Yard) -> None:
    yard.send("box/b", Add(1))
    yard.send("box/b", Bad("state"))
    yard.send("box/b", Add(2))
    yard.settle()

    assert [1, 2] == seen(yard)
    assert yard.record("box/b").snapshot < 3


def test_a_message_that_is_no_envelope_is_buried_once(yard: Yard) -> None:
    for text in (b"", b"{", b"[]", b'{"id":1}', b"\xff", b"[" * 100_000):
        yard.redis.xadd(yard.store.keys.partition(0).inbox, {"message": text})
    yard.redis.xadd(yard.store.keys.partition(0).inbox, {"other": "field"})
    yard.send("box/b", Add(2))
    yard.settle()

    assert [b"unreadable"] * 7 == [letter[b"code"] for letter in yard.dead()]
    assert [2] == seen(yard)


def test_what_a_budget_leaves_is_not_buried_yet(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wherry.engine.turn.BUDGET", 1)
    yard.send("box/b", Add(1))
    yard.redis.xadd(yard.store.keys.partition(0).inbox, {"message": "?"})

    yard.pump().step()
    assert [] == yard.dead()
    yard.settle()
    assert 1 == len(yard.dead())


def test_a_store_that_does_not_answer_ends_the_turn_and_buries_nothing(yard: Yard) -> None:
    yard.send("fan/f", Blow("b", 1))
    pump = yard.pump()

    def load(addresses: list[str]) -> dict[str, Any]:
        if "box/b" in addresses:
            raise Unreachable("gone")
        return yard.store.load(yard.registry, addresses)

    pump._load = load  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        pump.compute()

    yard.settle()
    assert [] == yard.dead()
    assert [0] == seen(yard)


def test_an_ask_is_answered_to_the_one_who_asked(yard: Yard) -> None:
    envelope = Envelope("m1", "box/b", "Add", raw_body(Add(1)), sender="fan/f", tag="t")
    yard.put(envelope)
    pump = yard.pump()
    pump.compute()

    assert pump.pending is not None
    assert [] == pump.pending.results
    assert isinstance(pump.commit(), object)
    yard.settle()
    assert [1] == seen(yard)


def test_an_answer_that_nobody_awaits_is_dropped(yard: Yard) -> None:
    answer = Answer("Add", "first", "done", msgspec.Raw(b"1"))
    yard.put(Envelope("m1", "saga.fill/s", "Answer", raw_body(answer), sender="box/b"))
    yard.settle()

    assert [] == yard.events("saga.fill/s")
    assert [] == yard.dead()


# -- timers --------------------------------------------------------------------------------------


def test_a_timer_sends_its_message_when_it_is_due(yard: Yard) -> None:
    yard.send("box/b", Remind(5, NOON + timedelta(seconds=30)))
    yard.settle()
    yard.fire(timedelta(seconds=29))
    yard.settle()
    assert [] == seen(yard)

    yard.fire(timedelta(seconds=1))
    yard.settle()
    assert [5] == seen(yard)


def test_a_timer_is_replaced_by_name_and_can_be_stopped(yard: Yard) -> None:
    yard.send("box/b", Remind(5, NOON + timedelta(seconds=30)))
    yard.send("box/b", Remind(6, NOON + timedelta(seconds=40)))
    yard.send("box/c", Remind(7, NOON))
    yard.send("box/c", Remind(-1, NOON))
    yard.settle()
    yard.fire(timedelta(hours=1))
    yard.settle()

    assert ([6], []) == (seen(yard), seen(yard, "c"))


def test_a_timer_before_1970_is_due_at_once(yard: Yard) -> None:
    yard.send("box/b", Bad("early timer"))
    yard.send("box/b", Resize(1))
    yard.send("box/b", Hold("x", datetime(1960, 1, 1, tzinfo=UTC)))
    yard.settle()
    yard.fire()
    yard.settle()

    assert [8] == seen(yard)
    assert {} == yard.record("box/b").books["places"].holds


def test_a_hold_ends_unless_it_is_kept(yard: Yard) -> None:
    yard.send("box/b", Resize(2))
    yard.send("box/b", Hold("x", NOON + timedelta(seconds=5)))
    yard.send("box/b", Hold("y", NOON + timedelta(seconds=5)))
    yard.send("box/b", Keep("x"))
    yard.settle()
    yard.fire(timedelta(seconds=5))
    yard.settle()

    assert {"x": "kept"} == yard.record("box/b").books["places"].holds


def _problem(yard: Yard, id_: str) -> tuple[str, str]:
    result = yard.result(id_)
    assert result.problem is not None
    return result.status, result.problem.code
