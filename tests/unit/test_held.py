"""A call that was taken, made ready - or not, when this code cannot read it."""

import pytest

from wherry import App, Attempt, Command, Kind, Target, message
from wherry.codec import to_json
from wherry.engine.envelope import Envelope, raw
from wherry.engine.registry import Registry
from wherry.store.effects import TakenCall
from wherry.workers.held import Held, Unusable, hold

NOW = 1_800_000_000_000


class KilnKind(Kind):
    name = "kiln"


@message
class Fire(Command[KilnKind, None]):
    degrees: int

    def __post_init__(self) -> None:
        if self.degrees > 1_000:
            raise ZeroDivisionError("too hot")


kiln = Target(KilnKind)


@kiln.effect(Fire)
def fire(call: Fire, attempt: Attempt) -> None:
    pass


def held(
    data: object, to: str = "kiln/k", type_: str = "Fire", *, lost: bool = False
) -> Held | Unusable:
    envelope = Envelope(f"0-{NOW}-0.1", to, type_, raw(data))
    taken = TakenCall(envelope.id, to_json(envelope), 1, 1, lost, b"")
    return hold(Registry(App([kiln]), 1), 0, taken, NOW + 5)


def test_a_call_is_made_ready() -> None:
    ready = held({"degrees": 900})
    assert isinstance(ready, Held)
    assert (ready.command, ready.key) == (Fire(900), "k")


def test_the_time_of_a_call_begins_with_its_first_attempt_unless_that_cost_its_runner() -> None:
    """Calls that nobody could take for hours are tried; one that kills runners comes to an end."""
    first, lost = held({"degrees": 900}), held({"degrees": 900}, lost=True)
    assert isinstance(first, Held)
    assert isinstance(lost, Held)
    assert (first.case.note.first_ms, lost.case.note.first_ms) == (NOW + 5, NOW)


@pytest.mark.parametrize(
    ("data", "to", "type_", "why"),
    [
        ({"degrees": 1_200}, "kiln/k", "Fire", "ZeroDivisionError: too hot"),
        ({"degrees": "hot"}, "kiln/k", "Fire", "Expected `int`"),
        ({}, "kiln/k", "Cool", "kiln/k Cool is not deployed"),
        ({}, "oven/k", "Fire", "oven/k Fire is not deployed"),
    ],
)
def test_a_call_that_this_code_cannot_read_is_for_a_person(
    data: object, to: str, type_: str, why: str
) -> None:
    """Raised, it would only lose its lease, and be taken again, for ever: nobody would see it."""
    unusable = held(data, to, type_)
    assert isinstance(unusable, Unusable)
    assert why in unusable.why
