"""What wherry.testing promises to the authors of bundles, on the smallest of apps."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

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
    StartTimer,
    StopTimer,
    Tell,
    accept,
    message,
)
from wherry.testing import START, Clock, Killed, Late, World, given, simulate

SOON = timedelta(seconds=10)


class EggKind(Kind):
    name = "egg"


@message
class Boil(Command[EggKind, int]):
    seconds: int = 10


@message
class Peel(Command[EggKind, None]):
    pass


@message
class Drop(Command[EggKind, None]):
    pass


@message
class Chase(Command[EggKind, None]):
    pass


@message
class Boiled(Event):
    at: datetime


@message
class Peeled(Event):
    pass


@dataclass(frozen=True)
class Egg:
    status: str = ""
    at: datetime | None = None


egg = Entity(EggKind, Egg(), lifecycle={"": ["boiled"], "boiled": ["peeled"]})


@egg.handles(Boil)
def boil(egg: Egg, command: Boil, ctx: Context) -> Accepted[int]:
    if command.seconds > 60:
        raise Rejected("too-long", f"{command.seconds} s")
    # One microsecond more than is stored, when an author forgets to round.
    at = ctx.now + timedelta(microseconds=1 if command.seconds < 0 else 0)
    timer = StartTimer("peel", ctx.now + SOON, Peel())
    return accept(command, Boiled(at), reply=command.seconds, timers=(timer,))


@egg.handles(Peel)
def peel(egg: Egg, command: Peel, ctx: Context) -> Accepted[None]:
    return accept(command, Peeled(), reply=None, timers=(StopTimer("peel"),))


@egg.handles(Drop)
def drop(egg: Egg, command: Drop, ctx: Context) -> Accepted[None]:
    raise ZeroDivisionError


@egg.handles(Chase)
def chase(egg: Egg, command: Chase, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None, sends=(Tell(EggKind.ref(ctx.key), Chase()),))


@egg.folds(Boiled)
def boiled(egg: Egg, event: Boiled) -> Egg:
    return Egg("boiled", event.at)


@egg.folds(Peeled)
def peeled(egg: Egg, event: Peeled) -> Egg:
    return replace(egg, status="peeled")


@dataclass(frozen=True)
class Breakfast:
    eggs: tuple[str, ...]
    seconds: int = 0


def lay(given: int, ctx: Context) -> Breakfast:
    return Breakfast(tuple(f"e{n}" for n in range(given)))


def total(breakfast: Breakfast) -> int:
    return breakfast.seconds


breakfast = Saga("breakfast", start=lay, result=total)
breakfast.each(
    "boil",
    lambda s: s.eggs,
    lambda _, name: Ask(EggKind.ref(name), Boil(5)),
    keep=lambda s, _, seconds: replace(s, seconds=s.seconds + seconds),
    undo=lambda _, name: Tell(EggKind.ref(name), Drop()),
)


def test_given_when_then_chains() -> None:
    done = given(egg).when(Boil(3)).then(Boiled(START), reply=3)

    done.at(START + SOON).when(Peel()).then(Peeled())
    assert done.timers == (StartTimer("peel", START + SOON, Peel()),)
    assert done.status == "boiled"


def test_then_says_what_is_different() -> None:
    done = given(egg).when(Boil(3))

    with pytest.raises(AssertionError, match=r"expected \[Peeled\(\)\], got \[Boiled"):
        done.then(Peeled())
    with pytest.raises(AssertionError, match="expected the reply 4, got 3"):
        done.then(Boiled(START), reply=4)
    with pytest.raises(AssertionError, match="expected 'too-long', but accepted"):
        done.then_rejected("too-long")
    with pytest.raises(AssertionError, match="rejected: too-long: 61 s"):
        given(egg).when(Boil(61)).then()
    with pytest.raises(AssertionError, match="expected 'too-long: 62 s', got too-long: 61 s"):
        given(egg).when(Boil(61)).then_rejected("too-long", "62 s")


def test_the_lifecycle_is_enforced() -> None:
    refused = given(egg).when(Peel())

    refused.then_rejected("illegal-transition")
    assert refused.events == ()
    assert refused.status == ""


def test_an_event_that_storage_would_change_is_found() -> None:
    with pytest.raises(AssertionError, match="not the same after it was stored and read"):
        given(egg).when(Boil(-1))


def test_a_handler_that_raises_fails_the_test() -> None:
    with pytest.raises(ZeroDivisionError):
        given(egg).when(Drop())


def test_a_simulated_saga_may_ask_many_at_once() -> None:
    went = simulate(breakfast, 3, {"boil": 5})

    assert went.asked == ["boil[0]", "boil[1]", "boil[2]"]
    assert went.result == 15


def test_parts_of_a_step_have_answers_of_their_own() -> None:
    went = simulate(breakfast, 3, {"boil": 5, "boil[1]": Rejected("cracked")})

    assert went.status == "compensated"
    assert went.undone == ["boil[2]", "boil[0]"]


@pytest.mark.parametrize("way", [Late, Killed])
def test_open_parts_are_undone_as_well(way: type[Late] | type[Killed]) -> None:
    went = simulate(breakfast, 2, {"boil": 5, "boil[0]": way(5)})

    assert sorted(went.undone) == ["boil[0]", "boil[1]"]


def test_a_step_without_an_answer_fails_the_test() -> None:
    with pytest.raises(AssertionError, match=r"asks 'boil\[0\]', and the test has no answer"):
        simulate(breakfast, 1, {})


def test_a_world_keeps_time() -> None:
    world = World(App([egg]), clock=Clock(datetime(2030, 1, 1, tzinfo=UTC)))
    world.send("egg/e1", Boil())

    world.advance(SOON / 2)
    assert world.status("egg/e1") == "boiled"
    world.advance(SOON / 2)
    assert world.status("egg/e1") == "peeled"
    assert world.timers("egg/e1") == {}
    assert [logged.at.second for logged in world.log("egg/e1")] == [0, 10]


def test_a_world_tells_what_became_of_a_command() -> None:
    world = World(App([egg, breakfast]))

    waiting = world.send("egg/e1", Boil(7), run=False)
    assert waiting.status == "pending"
    with pytest.raises(AssertionError, match="is pending"):
        waiting.reply  # noqa: B018
    world.run()
    assert (waiting.reply, waiting.version) == (7, 1)
    assert world.send("egg/e1", Peel(), expect=9).rejected == "version-conflict"
    assert world.start(breakfast, 1).caller.rejected is None


def test_a_failing_handler_is_a_dead_letter_that_check_finds() -> None:
    world = World(App([egg]))

    assert world.send("egg/e1", Drop()).status == "dead"
    with pytest.raises(AssertionError, match="dead letters"):
        world.check()


def test_a_world_that_goes_round_in_circles_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.testing.world.RESTLESS", 3)

    with pytest.raises(AssertionError, match="no rest after 3 turns"):
        World(App([egg])).send("egg/e1", Chase())


def test_a_crash_changes_nothing() -> None:
    world = World(App([egg]))
    sent = world.send("egg/e1", Boil(), run=False)

    assert world.crash()
    assert (world.entities(), sent.status) == ([], "pending")
    assert world.step()
    assert not world.crash()
    assert sent.status == "done"
