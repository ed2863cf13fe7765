"""The docking saga on its own: every step, every failure, with answers from the test."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from docking import docking
from docking.messages import (
    ArriveAtPort,
    ConfirmDocking,
    Docking,
    ExpireReservation,
    Reservation,
    ReserveDocking,
    RevertArrival,
    StartDocking,
    UndockVessel,
)
from wherry import Rejected
from wherry.engine.saga_state import (
    CompensationStarted,
    SagaCompensated,
    StepDone,
    StepLate,
    StepUndone,
)
from wherry.testing import START, Cancelled, Clock, Killed, Late, Move, simulate

GO = StartDocking("v1", "rotterdam")
DONE = Docking("rotterdam", "v1", "s1", START)
ANSWERS: dict[str, Any] = {
    "reserve": Reservation("s1", START + timedelta(minutes=30), 51.95, 4.05),
    "arrive": None,
    "confirm": DONE,
}
STEPS = list(ANSWERS)
PORT, VESSEL = "port/rotterdam", "vessel/v1"

# What each way to fail does to the step where it happens: a step that was refused has not
# happened; one that was late, or overtaken by a cancel or a kill, has.
REFUSED: dict[str, Callable[[Any], Any]] = {
    "rejected": lambda _: Rejected("no", "because"),
    "error": lambda _: RuntimeError("a bug"),
    "late and rejected": lambda _: Late(Rejected("no")),
    "cancelled and rejected": lambda _: Cancelled(Rejected("no")),
}
DONE_TOO_LATE: dict[str, Callable[[Any], Any]] = {
    "timeout": Late,
    "cancel": Cancelled,
}
CODES = {
    "rejected": "no",
    "error": "handler-failed",
    "late and rejected": "step-timeout",
    "cancelled and rejected": "cancelled",
    "timeout": "step-timeout",
    "cancel": "cancelled",
}


def test_a_docking_goes_through_three_steps() -> None:
    """V32 V34 V37 V38 V41 V42 V45 V71 V73 V77 V81 V85: asked in order, with one reservation."""
    went = simulate(docking, GO, ANSWERS)

    assert went.trace == (
        Move("reserve", PORT, ReserveDocking("s1", "v1")),
        Move("arrive", VESSEL, ArriveAtPort("rotterdam", "s1", 51.95, 4.05)),
        Move("confirm", PORT, ConfirmDocking("s1", "v1")),
    )
    assert went.status == "completed"
    assert went.result == DONE


def test_each_step_waits_for_the_answer_before_it() -> None:
    """V51 V52 V53 V54 V100: asks, one after the other; the answer decides what comes next."""
    went = simulate(docking, GO, {"reserve": Rejected("port-closed")})

    assert went.asked == ["reserve"]
    assert went.status == "compensated"


def test_a_saga_lives_for_one_docking() -> None:
    """V59 V60 V61 V62 V86: once it has ended it is told nothing, and does nothing."""
    went = simulate(docking, GO, ANSWERS)

    assert went.state.ended
    assert len(went.told) == 1


@pytest.mark.parametrize("code", ["port-at-capacity", "port-closed", "port-not-registered"])
def test_without_a_reservation_there_is_nothing_to_undo(code: str) -> None:
    """V36 V87 V88 V89: the caller is told why, and no compensation is sent."""
    went = simulate(docking, GO, {"reserve": Rejected(code, "Port at capacity")})

    assert went.undone == []
    (told,) = went.told
    assert told.problem is not None
    assert (told.problem.code, told.problem.detail) == (code, "Port at capacity")
    assert told.problem.saga_id == "s1"


def test_a_vessel_that_cannot_arrive_gives_its_reservation_back() -> None:
    """V40 V46 V48 V90 V91 V93: ExpireReservation for what was reserved; then the caller knows."""
    no = Rejected("vessel-not-at-port", "Vessel not at port location")

    went = simulate(docking, GO, {**ANSWERS, "arrive": no})

    assert went.trace[2:] == (Move("undo:reserve", PORT, ExpireReservation("s1")),)
    assert went.problem is not None
    assert went.problem.detail == "Vessel not at port location"
    assert isinstance(went.events[-1], SagaCompensated)


def test_a_failed_confirmation_also_undoes_the_arrival() -> None:
    """V33 V44 V46: last first - the vessel leaves, then its place is given back."""
    went = simulate(docking, GO, {**ANSWERS, "confirm": Rejected("reservation-expired")})

    assert went.trace[3:] == (
        Move("undo:arrive", VESSEL, RevertArrival("s1")),
        Move("undo:reserve", PORT, ExpireReservation("s1")),
    )


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", REFUSED)
def test_what_was_refused_is_not_undone(way: str, step: str) -> None:
    """V33 V40 V44 V46 V48 V107: each step x {rejected, error}: those before it are undone."""
    went = simulate(docking, GO, {**ANSWERS, step: REFUSED[way](None)})

    assert went.status == "compensated"
    assert went.undone == STEPS[: STEPS.index(step)][::-1]
    assert went.problem is not None
    assert went.problem.code == CODES[way]
    assert len(went.told) == 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", DONE_TOO_LATE)
def test_what_was_done_too_late_is_undone(way: str, step: str) -> None:
    """V33 V49 V50 V96 V107: each step x {timeout, cancel}: its outcome comes, then is undone."""
    went = simulate(docking, GO, {**ANSWERS, step: DONE_TOO_LATE[way](ANSWERS[step])})

    assert went.status == "compensated"
    assert went.undone == STEPS[: STEPS.index(step) + 1][::-1]
    assert went.problem is not None
    assert went.problem.code == CODES[way]
    assert len(went.told) == 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("outcome", [None, Rejected("no")], ids=["done", "rejected"])
def test_a_killed_saga_sends_every_undo_at_once(step: str, outcome: object) -> None:
    """V33 V50 V69 V107: each step x kill: what is open is undone as well, whatever comes of it."""
    answer = ANSWERS[step] if outcome is None else outcome

    went = simulate(docking, GO, {**ANSWERS, step: Killed(answer)})

    assert went.status == "failed"
    assert went.undone == STEPS[: STEPS.index(step) + 1][::-1]
    assert len(went.told) == 1


def test_no_undo_overtakes_an_open_outcome() -> None:
    """V49 V107: after a timeout the saga first learns what became of the step."""
    went = simulate(docking, GO, {**ANSWERS, "arrive": Late(None)})

    names = [type(event) for event in went.events]
    late, turned = names.index(StepLate), names.index(CompensationStarted)
    done = max(n for n, name in enumerate(names) if name is StepDone)
    assert late < turned < done < names.index(StepUndone)


def test_a_confirmation_that_came_too_late_is_undone() -> None:
    """V33 V44: the vessel does not keep a berth for a docking that its caller was told failed."""
    went = simulate(docking, GO, {**ANSWERS, "confirm": Late(DONE)})

    assert went.trace[3] == Move("undo:confirm", PORT, UndockVessel("v1", "s1"))


def test_a_step_has_thirty_seconds() -> None:
    """V49 V70: a docking takes seconds; an answer that takes longer is a failure."""
    clock = Clock()

    simulate(docking, GO, {"reserve": Late(Rejected("port-closed"))}, clock=clock)

    assert clock.now == START + timedelta(seconds=30)
    assert docking.deadline == timedelta(minutes=10)


def test_an_undo_that_is_refused_is_not_passed_over() -> None:
    """V47 V108: the other undos run, the saga fails, and it says which one is left."""
    went = simulate(
        docking, GO, {**ANSWERS, "confirm": Rejected("no"), "undo:arrive": Rejected("stuck")}
    )

    assert went.undone == ["arrive", "reserve"]
    assert went.status == "failed"
    assert went.told[0].problem is not None
    assert went.told[0].problem.detail == "could not undo arrive after no"
