"""Entities ask each other, let asks carry what they need, and answer later."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from wherry import (
    Accepted,
    Answered,
    App,
    Ask,
    Asker,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    ReceiveTimeout,
    Rejected,
    Saga,
    Target,
    Tell,
    accept,
    later,
    message,
    react,
    refuse,
    reply_to,
)
from wherry.authoring.effect import Attempt
from wherry.errors import Misconfigured
from wherry.testing import Failed, Unknown, World, given

# -- a clerk asks a vault, and a courier outside, before it answers -----------------------------


class ClerkKind(Kind):
    name = "clerk"


class VaultKind(Kind):
    name = "vault"


class CourierKind(Kind):
    name = "courier"


@message
class Receipt:
    coins: int
    parcel: str = ""


@message
class Order:
    """What an ask carries."""

    note: str
    coins: int


@message
class Take(Command[VaultKind, int]):
    """Take coins; the reply is how many are left."""

    coins: int


@message
class Withdraw(Command[ClerkKind, Receipt]):
    coins: int
    note: str = ""
    vault: str = "v"


@message
class Mail(Command[ClerkKind, Receipt]):
    coins: int


@message
class Hint(Command[ClerkKind, None]):
    """Only from entities."""

    text: str


@message
class Poke(Command[ClerkKind, str]):
    pass


@message
class Deliver(Command[CourierKind, str]):
    coins: int


@message
class Recall(Command[CourierKind, None]):
    pass


@message
class Taken(Event):
    coins: int


@message
class Noted(Event):
    text: str


@message
class Waited(Event):
    asker: Asker[Receipt]
    coins: int


@message
class Ended(Event):
    text: str


@dataclass(frozen=True, slots=True)
class Vault:
    coins: int = 10


@dataclass(frozen=True, slots=True)
class Clerk:
    notes: tuple[str, ...] = ()
    waiting: Asker[Receipt] | None = None
    coins: int = 0


vault = Entity(VaultKind, Vault())
clerk = Entity(
    ClerkKind,
    Clerk(),
    receive_timeout=ReceiveTimeout(
        timedelta(seconds=30), Poke(), waiting=lambda state: state.waiting is not None
    ),
)
courier = Target(CourierKind)


@vault.handles(Take)
def take(state: Vault, command: Take, ctx: Context) -> Accepted[int]:
    if command.coins > state.coins:
        raise Rejected("too-few", f"only {state.coins}", left=state.coins)
    if command.coins == 7:
        raise RuntimeError("the lock jams")
    told = (Tell(ClerkKind.ref("c"), Hint("taken")),) if command.coins == 3 else ()
    return accept(command, Taken(command.coins), reply=state.coins - command.coins, sends=told)


@vault.folds(Taken)
def taken(state: Vault, event: Taken) -> Vault:
    return replace(state, coins=state.coins - event.coins)


@clerk.handles(Withdraw)
def withdraw(state: Clerk, command: Withdraw, ctx: Context) -> Accepted[Receipt]:
    carried = Order(command.note, command.coins)
    asked = Ask(VaultKind.ref(command.vault), Take(command.coins), carry=carried)
    return later(command, Waited(ctx.asker(command), command.coins), sends=(asked,))


@clerk.handles(Mail)
def mail(state: Clerk, command: Mail, ctx: Context) -> Accepted[Receipt]:
    sent = Ask(CourierKind.ref("parcel-1"), Deliver(command.coins))
    return later(command, Waited(ctx.asker(command), command.coins), sends=(sent,))


@clerk.handles(Hint, internal=True)
def hint(state: Clerk, command: Hint, ctx: Context) -> Accepted[None]:
    return accept(command, Noted(command.text), reply=None)


@clerk.handles(Poke)
def poke(state: Clerk, command: Poke, ctx: Context) -> Accepted[str]:
    return accept(command, Noted("poked"), reply="waiting")


@clerk.answers(Take)
def vault_answered(state: Clerk, answer: Answered[int], ctx: Context) -> Accepted[None]:
    order = answer.carried(Order)
    if order.note == "refuse":
        raise Rejected("no", "but to whom?")
    assert state.waiting is not None
    if not answer.done:
        why = refuse(state.waiting, answer.code, answer.detail, **answer.data)
        return react(Ended(f"{answer.outcome} {answer.to}"), answers=(why,))
    receipt = Receipt(order.coins, f"left {answer.reply}")
    return react(Ended(order.note), answers=(reply_to(state.waiting, receipt),))


@clerk.answers(Deliver)
def delivered(state: Clerk, answer: Answered[str], ctx: Context) -> Accepted[None]:
    assert state.waiting is not None
    if answer.done:
        told = reply_to(state.waiting, Receipt(state.coins, answer.reply))
    else:
        told = refuse(state.waiting, answer.code or answer.outcome)
    return react(Ended(answer.outcome), answers=(told,))


@clerk.folds(Noted)
def noted(state: Clerk, event: Noted) -> Clerk:
    return replace(state, notes=(*state.notes, event.text))


@clerk.folds(Waited)
def waited(state: Clerk, event: Waited) -> Clerk:
    return replace(state, waiting=event.asker, coins=event.coins)


@clerk.folds(Ended)
def ended(state: Clerk, event: Ended) -> Clerk:
    return replace(state, waiting=None, notes=(*state.notes, event.text))


@message
class Trip:
    coins: int


@message
class Parcel:
    text: str


@dataclass(frozen=True, slots=True)
class TripState:
    coins: int
    parcel: str = ""


def start_trip(given: Trip, ctx: Context) -> TripState:
    return TripState(given.coins)


def parcel_of(state: TripState) -> Parcel:
    return Parcel(state.parcel)


trip = Saga("trip", start=start_trip, result=parcel_of)
trip.step(
    "deliver",
    lambda s: Ask(CourierKind.ref("trip"), Deliver(s.coins)),
    keep=lambda s, reply: replace(s, parcel=reply),
    undo=lambda _: Tell(CourierKind.ref("trip-back"), Recall()),
)


@courier.effect(Deliver)
def deliver(call: Deliver, attempt: Attempt) -> str:
    return f"{attempt.key}: {call.coins}"


@courier.effect(Recall)
def recall(call: Recall, attempt: Attempt) -> None:
    pass


app = App([clerk, vault, courier, trip])


def world(**options: Any) -> World:
    return World(app, partitions=4, **options)


# -- asks and late answers -----------------------------------------------------------------------


def test_an_entity_answers_when_the_one_that_it_asked_has_answered() -> None:
    it = world()
    it.send("clerk/c", Withdraw(4, note="for rent"))
    sent = it.send("clerk/c", Withdraw(2, note="for food"))

    assert sent.reply == Receipt(2, "left 4")
    assert it.state("clerk/c").notes == ("for rent", "for food")
    it.check()


def test_a_refusal_reaches_the_asker_with_its_data_and_then_the_caller() -> None:
    it = world()
    sent = it.send("clerk/c", Withdraw(40))

    assert sent.rejected == "too-few"
    assert sent.problem is not None
    assert (sent.problem.detail, sent.problem.data) == ("only 10", {"left": 10})
    assert it.state("clerk/c").notes == ("rejected vault/v",)


def test_a_handler_that_raises_is_a_failed_ask() -> None:
    it = world()
    sent = it.send("clerk/c", Withdraw(7))

    assert sent.rejected == "handler-failed"
    assert it.state("clerk/c").notes == ("failed vault/v",)
    assert [letter["entity"] for letter in it.dead] == ["vault/v"]


def test_an_ask_to_nobody_is_rejected() -> None:
    assert world().send("clerk/c", Withdraw(1, vault="a b")).rejected == "not-found"


def test_a_repeated_command_gets_the_late_answer_too() -> None:
    it = world()
    first = it.send("clerk/c", Withdraw(4), id="w1")
    again = it.send("clerk/c", Withdraw(4), id="w1")

    assert first.reply == again.reply
    assert it.state("vault/v").coins == 6


def test_the_causes_of_a_flow_can_be_followed() -> None:
    it = world()
    it.send("clerk/c", Withdraw(3), id="w1")
    logged = [*it.log("clerk/c"), *it.log("vault/v")]

    assert {entry.corr for entry in logged} == {"w1"}


def test_a_rejection_of_an_answer_is_a_dead_letter_since_nobody_would_hear_it() -> None:
    it = world()
    it.send("clerk/c", Withdraw(4, note="refuse"))
    (letter,) = it.dead
    assert (letter["entity"], letter["type"]) == ("clerk/c", "Answer")
    assert "but to whom?" in letter["error"]


def test_an_internal_command_comes_from_entities_only() -> None:
    it = world()
    it.send("clerk/c", Withdraw(3))
    assert it.state("clerk/c").notes == ("taken", "")

    assert it.send("clerk/c", Hint("forged")).rejected == "not-found"


def test_an_ask_whose_answer_nobody_takes_fails_at_once() -> None:
    lonely = Entity(VaultKind, Vault())

    @lonely.handles(Take)
    def ask_back(state: Vault, command: Take, ctx: Context) -> Accepted[int]:
        return accept(command, reply=1, sends=(Ask(ClerkKind.ref("c"), Poke()),))

    with pytest.raises(TypeError, match="nothing takes the answer"):
        given(lonely).when(Take(1))


def test_an_answerer_of_another_reply_is_refused_when_it_is_registered() -> None:
    other = Entity(VaultKind, Vault())

    def wrong(state: Vault, answer: Answered[str], ctx: Context) -> Accepted[None]:
        raise AssertionError

    with pytest.raises(Misconfigured, match="answered by"):
        other.answers(Take)(wrong)  # type: ignore[arg-type]


# -- given, when, then ---------------------------------------------------------------------------


def test_a_handler_that_answers_later_can_be_tested_alone() -> None:
    asked = given(clerk).when(Withdraw(4, note="rent"), id="c7")
    assert asked.replies_later
    assert asked.sent == [("vault/v", Take(4))]

    done = asked.answered(VaultKind.ref("v"), Take, 6, carry=Order("rent", 4))
    assert done.events == (Ended("rent"),)
    assert done.told_late == [{"coins": 4, "parcel": "left 6"}]


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Rejected("too-few"), "rejected vault/v"),
        (Failed(), "failed vault/v"),
        (Unknown(), "unknown vault/v"),
    ],
)
def test_each_outcome_of_an_ask_can_be_tested(outcome: Any, text: str) -> None:
    asked = given(clerk).when(Withdraw(4))
    told = asked.answered(VaultKind.ref("v"), Take, outcome, carry=Order("", 4))
    assert told.events == (Ended(text),)


# -- effects -------------------------------------------------------------------------------------


def test_a_call_waits_until_its_outcome_is_known() -> None:
    it = world()
    sent = it.send("clerk/c", Mail(3))
    assert sent.status == "pending"
    (call,) = it.calls(Deliver)
    assert (call.target, call.key, call.command) == ("courier", "parcel-1", Deliver(3))

    it.settle(call, "parcel 9")
    assert sent.reply == Receipt(3, "parcel 9")
    assert it.calls() == []


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Rejected("no-such-street"), "no-such-street"),
        (Failed("effect-failed"), "effect-failed"),
        (Unknown(), "outcome-unknown"),
    ],
)
def test_a_call_that_was_not_done_is_told(outcome: Any, code: str) -> None:
    it = world()
    sent = it.send("clerk/c", Mail(3))
    it.settle(it.calls()[0], outcome)
    assert sent.rejected == code


def test_calls_with_a_function_are_answered_at_once() -> None:
    it = world(outside={Deliver: deliver})
    assert it.send("clerk/c", Mail(3)).reply == Receipt(3, "parcel-1: 3")


def test_the_step_of_a_saga_may_be_a_call() -> None:
    it = world(outside={Deliver: deliver})
    went = it.start(trip, Trip(5))
    assert (went.status, went.result) == ("completed", Parcel("trip: 5"))


def test_a_step_that_may_have_been_done_is_undone() -> None:
    it = world()
    went = it.start(trip, Trip(5))
    it.settle(it.calls(Deliver)[0], Unknown())
    assert (went.status, went.steps) == ("compensating", {"deliver": "undoing"})

    it.settle(it.calls(Recall)[0], None)
    assert (went.status, went.steps) == ("compensated", {"deliver": "undone"})
    assert went.caller.rejected == "outcome-unknown"


@pytest.mark.parametrize("outcome", [Rejected("no"), Failed()])
def test_a_step_that_was_not_done_is_not_undone(outcome: Any) -> None:
    it = world()
    went = it.start(trip, Trip(5))
    it.settle(it.calls(Deliver)[0], outcome)
    assert (went.status, it.calls()) == ("compensated", [])


@message
class Errand:
    """The key of the call that comes second."""

    key: str


def start_errand(given: Errand, ctx: Context) -> Errand:
    return given


def nothing(state: Errand) -> None:
    return None


errand = Saga("errand", start=start_errand, result=nothing, deadline=timedelta(minutes=1))
errand.step(
    "first",
    lambda _: Ask(CourierKind.ref("first"), Deliver(1)),
    undo=lambda _: Tell(CourierKind.ref("first-back"), Recall()),
)
errand.step("second", lambda s: Ask(CourierKind.ref(s.key), Deliver(2)))


@pytest.mark.parametrize("key", ["two words", "", "k" * 256, "ä"])
def test_a_saga_turns_back_when_a_step_is_a_call_that_nobody_can_make(key: str) -> None:
    """It waits for every outcome that is open: of this one it would have heard nothing."""
    it = World(App([courier, errand]), outside={Deliver: deliver, Recall: recall})
    went = it.start(errand, Errand(key))
    assert (went.status, went.caller.rejected) == ("compensated", "not-found")
    assert went.steps == {"first": "undone", "second": "rejected"}
    assert it.dead == []


def test_an_ask_of_a_call_that_is_not_deployed_is_rejected() -> None:
    empty = Target(CourierKind)
    it = World(App([clerk, vault, empty]))
    assert it.send("clerk/c", Mail(3)).rejected == "not-found"


# -- receive time-out ----------------------------------------------------------------------------


def test_silence_while_waiting_sends_the_command() -> None:
    it = world()
    it.send("clerk/c", Mail(3))
    it.advance(timedelta(seconds=29))
    assert it.state("clerk/c").notes == ()
    it.advance(timedelta(seconds=1))
    assert it.state("clerk/c").notes == ("poked",)
    it.advance(timedelta(seconds=60))
    assert it.state("clerk/c").notes == ("poked",) * 3


def test_any_message_starts_the_patience_anew() -> None:
    it = world()
    it.send("clerk/c", Mail(3))
    it.advance(timedelta(seconds=20))
    it.send("clerk/c", Hint("refused, but a message"))
    it.advance(timedelta(seconds=20))
    assert it.state("clerk/c").notes == ()
    it.advance(timedelta(seconds=10))
    assert it.state("clerk/c").notes == ("poked",)


def test_who_does_not_wait_is_left_in_peace() -> None:
    it = world()
    it.send("clerk/c", Mail(3))
    it.settle(it.calls()[0], "there")
    assert it.timers("clerk/c") == {}
    it.advance(timedelta(minutes=5))
    assert it.state("clerk/c").notes == ("done",)
