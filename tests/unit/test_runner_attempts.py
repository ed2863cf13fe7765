"""What follows from an attempt at a call: decided without Redis, a clock or a network."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.authoring.effect import EffectRule, Retry, Unknown
from wherry.engine.envelope import Problem
from wherry.workers.attempts import (
    Came,
    Case,
    Ended,
    Next,
    NotDone,
    Note,
    NotTold,
    Parked,
    Refused,
    Repeat,
    Replied,
    Unclear,
    held_back,
    how_to_begin,
    interrupted,
    may_run,
    pause_ms,
    read_note,
    what_follows,
)

NOW = 1_800_000_000_000
RETRY = Retry(timedelta(milliseconds=100), most=timedelta(seconds=1), attempts=3, jitter=0.5)


def case(
    number: int = 1, note: Note | None = None, *, unknown: Unknown = "retry", **retry: Any
) -> Case:
    rule = EffectRule(print, timedelta(seconds=5), replace(RETRY, **retry), unknown, isolate=False)
    return Case(rule, note or Note(NOW), number)


def follows(came: Came, case: Case, chance: float = 0) -> Next:
    return what_follows(came, case, NOW, chance)


MAYBE = Note(NOW, unknown=True, error="cut off")


def test_a_reply_and_a_definite_no_end_the_call() -> None:
    problem = Problem("no-money")

    assert follows(Replied(b'"r"'), case()) == Ended("done", b'"r"')
    assert follows(Refused(problem), case()) == Ended("rejected", problem=problem)
    assert follows(Refused(problem), case(2, MAYBE)) == Ended("rejected", problem=problem)


def test_what_was_not_done_is_tried_again_with_longer_and_longer_pauses() -> None:
    pauses = [follows(NotDone("down"), case(number, attempts=0)) for number in range(1, 7)]

    assert [p.due_ms - NOW for p in pauses if isinstance(p, Repeat)] == [
        100, 200, 400, 800, 1000, 1000,
    ]  # fmt: skip


def test_pauses_are_shortened_at_random_so_that_calls_do_not_come_back_together() -> None:
    assert pause_ms(RETRY, 1, 0.0) == 100
    assert pause_ms(RETRY, 1, 1.0) == 50


@given(number=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_a_pause_is_never_longer_than_the_rule_says_nor_nothing(number: int, chance: float) -> None:
    assert 1 <= pause_ms(RETRY, number, chance) <= 1000


def test_after_its_attempts_a_call_has_failed() -> None:
    assert isinstance(follows(NotDone("down"), case(2)), Repeat)
    assert follows(NotDone("down"), case(3)) == Ended(
        "failed", problem=Problem("effect-failed", "down")
    )


def test_without_a_number_of_attempts_there_is_no_end() -> None:
    assert isinstance(follows(NotDone("down"), case(1_000_000, attempts=0)), Repeat)


def test_a_call_that_may_have_been_done_ends_unknown_whatever_comes_later() -> None:
    second = follows(Unclear("cut off"), case())
    assert isinstance(second, Repeat)
    assert second.note.unknown

    assert follows(NotDone("down"), case(3, second.note)) == Ended(
        "unknown", problem=Problem("outcome-unknown", "down")
    )


def test_a_call_that_is_for_a_person_is_parked_when_it_may_have_been_done() -> None:
    parked = follows(Unclear("cut off"), case(unknown="park"))

    assert parked == Parked(Note(NOW, unknown=True, parked=True, error="cut off"))
    assert how_to_begin(case(2, MAYBE, unknown="park"), NOW) == "park"
    assert isinstance(follows(NotDone("down"), case(unknown="park")), Repeat)


def test_a_person_may_have_a_parked_call_made_though_its_attempts_are_over() -> None:
    parked = Note(NOW, unknown=True, parked=True)

    assert how_to_begin(case(50, parked, unknown="park"), NOW) == "run"
    assert isinstance(follows(NotDone("down"), case(2, parked, unknown="park")), Repeat)
    assert isinstance(follows(Unclear("cut off"), case(2, parked, unknown="park")), Parked)
    stopped = interrupted(case(2, parked, unknown="park"), NOW).note
    assert how_to_begin(case(3, stopped, unknown="park"), NOW) == "park"


def test_a_call_that_can_be_asked_for_is_asked_for_even_after_its_last_attempt() -> None:
    again = follows(Unclear("cut off"), case(3, unknown="query"))

    assert isinstance(again, Repeat)
    assert how_to_begin(case(4, again.note, unknown="query"), NOW) == "ask"


def test_a_call_of_which_it_is_known_that_it_was_not_done_may_not_run_too_often() -> None:
    assert may_run(case(3, unknown="query"), NOW)
    assert not may_run(case(4, unknown="query"), NOW)
    assert may_run(case(4, Note(NOW, asked=1), unknown="query"), NOW)


def test_asking_without_an_answer_ends_as_often_as_the_call_would_have_been_tried() -> None:
    first = follows(NotTold("down"), case(4, MAYBE, unknown="query"))
    assert isinstance(first, Repeat)
    assert (first.note.asked, first.note.unknown) == (1, True)

    third = Note(NOW, unknown=True, asked=2)
    assert follows(NotTold("down"), case(6, third, unknown="query")) == Ended(
        "unknown", problem=Problem("outcome-unknown", "down")
    )


def test_nothing_is_tried_after_the_time_that_the_rule_gives() -> None:
    minute = timedelta(minutes=1)
    late = Note(NOW - 60_001, error="down")

    assert how_to_begin(case(2, late, within=minute), NOW) == "stop"
    assert how_to_begin(case(2, Note(NOW - 60_000), within=minute), NOW) == "run"
    assert follows(NotDone("down"), case(2, Note(NOW - 59_950), within=minute)) == Ended(
        "failed", problem=Problem("effect-failed", "down")
    )


def test_a_call_that_a_breaker_holds_back_does_not_lose_an_attempt() -> None:
    back = held_back(case(2), NOW + 5_000)

    assert back == Repeat(NOW + 5_000, Note(NOW), counts=False)


def test_a_call_that_a_breaker_holds_back_for_too_long_ends_in_time() -> None:
    back = held_back(case(within=timedelta(seconds=1)), NOW + 60_000)

    assert back.due_ms == NOW + 1_001
    assert how_to_begin(case(note=back.note, within=timedelta(seconds=1)), back.due_ms) == "stop"


def test_a_call_whose_runner_was_stopped_goes_on_at_once_and_may_have_been_done() -> None:
    assert interrupted(case(), NOW) == Repeat(
        NOW, Note(NOW, unknown=True, error="its runner was stopped")
    )


def test_a_note_is_read_as_it_was_written_and_a_damaged_one_is_a_new_one() -> None:
    assert read_note(MAYBE.json()) == MAYBE
    assert read_note(b"") == read_note(b"{") == read_note(b'"x"') == Note()
    assert read_note(b'{"first_ms":5,"later":true}') == Note(5)


@pytest.mark.parametrize("unknown", ["retry", "query", "park"])
@given(came=st.lists(st.sampled_from("nut"), min_size=60, max_size=60))
def test_every_call_comes_to_an_end(unknown: Unknown, came: list[str]) -> None:
    """Whatever comes of its attempts: never more of them than the rule says, and an end."""
    kinds: dict[str, Came] = {"n": NotDone("n"), "u": Unclear("u"), "t": NotTold("t")}
    note, ran = Note(NOW), 0
    for number, letter in enumerate(came, 1):
        now = case(number, note, unknown=unknown)
        begin = how_to_begin(now, NOW)
        if begin in {"park", "stop"}:
            break
        # A target that is only asked says that it was not done, or nothing.
        known = msgspec.structs.replace(note, unknown=False)
        runs = begin == "run" or (letter != "t" and may_run(Case(now.rule, known, number), NOW))
        outcome = kinds["n" if letter == "t" and begin == "run" else letter if runs else "n"]
        if begin == "ask" and letter == "t":
            outcome = NotTold("t")
        ran += runs
        then = follows(outcome, now)
        if not isinstance(then, Repeat):
            break
        note = then.note
    else:
        pytest.fail("it goes on for ever")
    assert ran <= RETRY.attempts
