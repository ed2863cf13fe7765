"""Sagas on a real store: forward, back, and never back while an outcome is open."""

from collections import Counter
from datetime import timedelta
from typing import Any

import fakeredis
import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.support.yard import Add, Fill, Yard
from wherry.engine.envelope import Answer, Envelope, Result, raw_body
from wherry.engine.saga_state import Cancel, Kill, SagaState, Tick

SAGA = "saga.fill/s"
ALL = [10, 20, 21, 30, 31, 40]
KEPT_FOR_EVER = 40  # the step `last` has no undo


def run(yard: Yard, **how: str) -> Result:
    id_ = yard.start("s", Fill("b", {name.replace("_", " "): value for name, value in how.items()}))
    yard.settle()
    return yard.result(id_, SAGA)


def state(yard: Yard) -> SagaState[Any]:
    found: SagaState[Any] = yard.record(SAGA).state
    return found


def story(yard: Yard) -> list[str]:
    """The saga's events, shortly: type and step."""
    return [_line(fields) for fields in yard.events(SAGA)]


def _line(fields: dict[bytes, bytes]) -> str:
    name = fields[b"type"].decode()
    step = msgspec.json.decode(fields[b"data"]).get("step", "")
    return f"{name} {step}".strip()


def in_box(yard: Yard) -> list[int]:
    return sorted(number for _, number in yard.record("box/b").state.seen)


def test_all_steps_are_done_and_the_caller_gets_the_result(yard: Yard) -> None:
    result = run(yard)

    assert ("done", b"3") == (result.status, bytes(result.reply or b""))
    assert ALL == in_box(yard)
    assert "completed" == state(yard).status
    assert [] == yard.redis.zrange(yard.store.keys.partition(0).timers, 0, -1)


def test_a_step_runs_when_it_should(yard: Yard) -> None:
    run(yard, maybe="yes")

    assert sorted([*ALL, 15]) == in_box(yard)


def test_each_without_items_is_passed_over(yard: Yard) -> None:
    yard.start("s", Fill("b", parts=()))
    yard.settle()

    assert [10, 20, 21, 40] == in_box(yard)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"first": "refuse"}, "no"),
        ({"right": "refuse"}, "no"),
        ({"left": "explode"}, "handler-failed"),
        ({"part31": "refuse"}, "no"),
        ({"last": "refuse"}, "no"),
        ({"last": "ask"}, "saga-failed"),
        ({"part31": "unsendable"}, "saga-failed"),
        ({"first": "keep"}, "saga-failed"),
        ({"part30": "keep"}, "saga-failed"),
        ({"items": "x"}, "saga-failed"),
    ],
)
def test_a_failure_undoes_what_was_done(yard: Yard, how: dict[str, str], code: str) -> None:
    result = run(yard, **how)

    assert result.problem is not None
    assert ("rejected", code, "s") == (result.status, result.problem.code, result.problem.saga_id)
    assert [] == in_box(yard)
    assert "compensated" == state(yard).status
    assert (len(yard.dead()) == 1) == ("explode" in how.values())


def test_undos_come_last_first(yard: Yard) -> None:
    run(yard, last="refuse")

    undone = [line for line in story(yard) if line.startswith("UndoStarted")]
    steps = ["parts[1]", "parts[0]", "right", "left", "first"]
    assert [f"UndoStarted {step}" for step in steps] == undone


def test_a_result_that_fails_undoes_what_can_be_undone(yard: Yard) -> None:
    assert "rejected" == run(yard, result="x").status
    assert [KEPT_FOR_EVER] == in_box(yard)


def test_an_undo_that_fails_fails_the_saga_and_the_others_are_still_undone(yard: Yard) -> None:
    result = run(yard, last="refuse", undo_left="refuse")

    assert result.problem is not None
    assert "undo-failed" == result.problem.code
    assert "left" in result.problem.detail
    assert [20] == in_box(yard)
    assert "failed" == state(yard).status


def test_a_saga_starts_once(yard: Yard) -> None:
    run(yard)
    before = story(yard)
    result = run(yard)

    assert result.problem is not None
    assert "saga-exists" == result.problem.code
    assert before == story(yard)


@pytest.mark.parametrize("command", [Cancel("enough"), Kill("enough")])
def test_what_has_ended_cannot_be_ended_again(yard: Yard, command: Any) -> None:
    run(yard)
    id_ = yard.send(SAGA, command)
    yard.settle()

    result = yard.result(id_, SAGA)
    assert result.problem is not None
    assert "saga-ended" == result.problem.code


# -- with the box on another partition, so that answers take their time ----------------------------


@pytest.fixture
def far(redis: Any) -> Yard:
    """Three partitions: the saga on one, the box on the other."""
    return far_yard(redis)


def far_yard(redis: Any) -> Yard:
    yard = Yard(redis, 3)
    assert 2 == len({yard.registry.partition_of(a) for a in (SAGA, "box/b")})
    return yard


def turns(yard: Yard, *addresses: str) -> None:
    for address in addresses:
        yard.pump(yard.registry.partition_of(address)).step()


def test_a_timeout_waits_for_the_open_outcome_before_it_undoes(far: Yard) -> None:
    far.start("s", Fill("b"))
    turns(far, SAGA, "box/b", SAGA)  # first is done, left and right are asked
    far.fire(timedelta(seconds=11))
    turns(far, SAGA)

    assert "compensating" == state(far).status
    late = ["StepLate left", "CompensationStarted", "StepLate right", "Ticked"]
    assert late == story(far)[-4:]
    far.settle()
    assert "compensated" == state(far).status
    assert [] == in_box(far)
    problem = state(far).problem
    assert problem is not None
    assert "step-timeout" == problem.code


def test_the_deadline_turns_back(far: Yard) -> None:
    id_ = far.start("s", Fill("b"))
    turns(far, SAGA, "box/b")
    for _ in range(7):
        far.fire(timedelta(seconds=9))
    far.settle()

    result = far.result(id_, SAGA)
    assert result.problem is not None
    assert result.problem.code in {"deadline-passed", "step-timeout"}
    assert [] == in_box(far)


def test_a_tick_that_comes_too_early_is_set_again(far: Yard) -> None:
    far.start("s", Fill("b"))
    turns(far, SAGA)
    far.fire(timedelta(seconds=10))
    far.now -= 5  # another pump's clock is a little behind
    turns(far, SAGA)
    assert 1 == far.redis.zcard(far.store.keys.partition(_place(far)).timers)

    far.fire(timedelta(seconds=1))
    turns(far, SAGA)
    assert "compensating" == state(far).status


def test_a_cancel_waits_for_the_open_outcome(far: Yard) -> None:
    id_ = far.start("s", Fill("b"))
    turns(far, SAGA)
    far.send(SAGA, Cancel("enough"))
    turns(far, SAGA)
    assert ["SagaStarted", "StageStarted", "CompensationStarted"] == story(far)

    far.settle()
    result = far.result(id_, SAGA)
    assert result.problem is not None
    assert ("cancelled", "enough") == (result.problem.code, result.problem.detail)
    assert [] == in_box(far)


def test_a_kill_ends_at_once_and_its_undos_follow_the_steps(far: Yard) -> None:
    id_ = far.start("s", Fill("b"))
    turns(far, SAGA, "box/b", SAGA)
    far.send(SAGA, Kill("enough"))
    turns(far, SAGA)

    assert "failed" == state(far).status
    assert "rejected" == far.result(id_, SAGA).status
    before = story(far)
    far.settle()
    assert [] == in_box(far)
    assert before == story(far)


@pytest.mark.parametrize("tag", ["first", "undo:first", "nothing", "parts[9]", "undo:", "["])
def test_answers_that_nobody_awaits_change_nothing(yard: Yard, tag: str) -> None:
    run(yard)
    before = story(yard)
    for status in ("done", "rejected", "dead"):
        answer = Answer("Add", tag, status, msgspec.Raw(b"1"))
        yard.put(Envelope(f"late{status}", SAGA, "Answer", raw_body(answer), sender="box/b"))
    yard.put(Envelope("tick", SAGA, "Tick", raw_body(Tick()), sender=SAGA))
    yard.settle()

    assert before == story(yard)
    assert [] == yard.dead()


STEPS = ["first", "maybe", "left", "right", "part30", "part31", "last"]
HOW = st.dictionaries(
    st.sampled_from(STEPS), st.sampled_from(["", "refuse", "explode", "ask", "keep"]), max_size=2
)
BAD_UNDOS = st.lists(st.sampled_from(["undo first", "undo left", "undo part30"]), max_size=1)
ACTIONS = st.lists(
    st.sampled_from(["saga", "saga", "box", "box", "wait", "wait long", "cancel", "kill", "add"]),
    max_size=16,
)


@given(how=HOW, bad_undos=BAD_UNDOS, actions=ACTIONS)
@settings(max_examples=120)
def test_a_saga_always_ends_and_never_undoes_what_is_open(
    how: dict[str, str], bad_undos: list[str], actions: list[str]
) -> None:
    with fakeredis.FakeRedis(server=fakeredis.FakeServer(version=(7,))) as redis:
        yard = far_yard(redis)
        killed = play(yard, {**how, **dict.fromkeys(bad_undos, "refuse")}, actions)

        require_closed_before_each_undo(yard)
        ended = state(yard)
        event(f"{ended.status} {ended.problem.code if ended.problem else ''}")
        assert ended.ended
        left = [n for n in in_box(yard) if n < 90 and n != KEPT_FOR_EVER]
        stuck = {"undo first": 10, "undo left": 20, "undo part30": 30}
        match ended.status:
            case "completed":
                assert set(left) >= {10, 20, 21, 30, 31}
            case "compensated":
                assert [] == left
            case _:
                assert killed or left
                assert set(left) <= {stuck[name] for name in bad_undos}
        added = Counter(by for by, _ in yard.record("box/b").state.seen if by != "client")
        assert all(times == 1 for times in added.values())
        assert yard.folded(SAGA) == ended


def play(yard: Yard, how: dict[str, str], actions: list[str]) -> bool:
    """Run a saga with things happening in between; whether it was killed."""
    yard.start("s", Fill("b", how))
    for number, action in enumerate(actions):
        match action:
            case "saga":
                turns(yard, SAGA)
            case "box":
                turns(yard, "box/b")
            case "wait":
                yard.fire(timedelta(seconds=4))
            case "wait long":
                yard.fire(timedelta(seconds=25))
            case "cancel":
                yard.send(SAGA, Cancel())
            case "kill":
                yard.send(SAGA, Kill())
            case _:
                yard.send("box/b", Add(90 + number, by="client"))
    yard.settle()
    yard.fire(timedelta(minutes=10))
    yard.settle()
    return any(b"killed" in fields[b"data"] for fields in yard.events(SAGA))


def require_closed_before_each_undo(yard: Yard) -> None:
    spec = yard.registry.kind("saga.fill")
    now: Any = spec.initial
    for fields in yard.events(SAGA):
        of = spec.events[fields[b"type"].decode()]
        if of.name == "UndoStarted":
            assert not any(step.open for step in now.steps)
        now = of.fold(now, of.codec.decode(fields[b"data"]))


def _place(yard: Yard) -> int:
    return yard.registry.partition_of(SAGA)
