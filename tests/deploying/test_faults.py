"""What is wrong with a bundle is told before it is deployed: all of it, with the next step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NewType, Protocol

import pytest

from tests.support import yard
from tests.support.quay import first_app
from wherry import (
    Accepted,
    App,
    Ask,
    Attempt,
    Breaker,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    OneForOne,
    Pool,
    ReceiveTimeout,
    Retry,
    Saga,
    Step,
    Target,
    Tell,
    accept,
    message,
)
from wherry.deploying.message_faults import agree
from wherry.deploying.samples import NoSample, sample
from wherry.deploying.validation import faults
from wherry.engine.registry import Registry

NONE = timedelta(0)


class ShelfKind(Kind):
    name = "shelf"


class MailKind(Kind):
    name = "mail"


@message
class Slip:
    slip_id: str
    place: int


@message
class Put(Command[ShelfKind, Slip]):
    book: str


@message
class Take(Command[ShelfKind, None]):
    slip_id: str


@message
class Forgotten(Command[ShelfKind, None]):
    """Nothing handles it."""


@message
class Deliver(Command[MailKind, str]):
    pass


@message
class Lost(Command[MailKind, None]):
    """Nothing carries it out."""


@message
class BookPut(Event):
    book: str


@message
class Dusted(Event):
    """No fold applies it."""


@dataclass(frozen=True, slots=True)
class Shelf:
    status: Literal["", "open", "full"] = ""


@dataclass(frozen=True, slots=True)
class Forgetful:
    status: str = ""
    books: object = frozenset({1})


def put(state: Shelf, command: Put, ctx: Context) -> Accepted[Slip]:
    return accept(command, BookPut(command.book), reply=Slip("s1", 1))


def take(state: Shelf, command: Take, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None)


def forget(state: Shelf, command: Forgotten, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None)


def unchanged(state: Shelf, event: Event) -> Shelf:
    return state


def shelf_of(**options: Any) -> Entity[ShelfKind, Shelf]:
    """A shelf without faults, but for those that options bring."""
    shelf = Entity(ShelfKind, options.pop("initial", Shelf()), **options)
    shelf.handlers.update({Put: put, Take: take, Forgotten: forget})
    shelf.appliers.update({BookPut: unchanged, Dusted: unchanged})
    return shelf


def found(*parts: Any) -> list[str]:
    return faults(Registry(App(parts), 1))


def test_bundles_that_work_have_no_faults() -> None:
    assert found(shelf_of()) == []
    assert faults(Registry(yard.APP, 1)) == []


# -- messages --------------------------------------------------------------------------------------


def test_a_command_without_a_handler_and_an_event_without_a_fold() -> None:
    shelf = shelf_of()
    del shelf.handlers[Forgotten], shelf.appliers[Dusted]

    assert found(shelf) == [
        "tests: shelf: nothing handles Forgotten: write @shelf.handles(Forgotten), or delete it",
        "tests: event Dusted: no fold applies it: write @ENTITY.folds(Dusted), or delete it",
    ]


def test_code_whose_modules_were_replaced_is_judged_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = shelf_of()
    del shelf.handlers[Forgotten]
    assert len(found(shelf)) == 1

    for name in ("Put", "Take", "BookPut", "ShelfKind", "Dusted"):
        monkeypatch.setitem(globals(), name, object())
    assert found(shelf) == []


def _dust() -> Dusted:
    return Dusted()


def put_and_dust(state: Shelf, command: Put, ctx: Context) -> Accepted[Slip]:
    events = [make() for make in (lambda: BookPut(command.book), lambda: _dust())]
    return accept(command, *events, reply=Slip("s1", 1))


def test_an_event_that_a_handler_makes_and_only_another_kind_folds() -> None:
    shelf, other = shelf_of(), Entity(MailKind, Shelf())
    shelf.handlers[Put] = put_and_dust
    other.appliers[Dusted] = shelf.appliers.pop(Dusted)

    told = [
        "tests: shelf: put_and_dust names Dusted, which no fold of shelf applies:"
        " write @shelf.folds(Dusted)"
    ]
    assert [one for one in found(shelf, other) if "Dusted" in one] == told
    del other.appliers[Dusted]
    assert [one for one in found(shelf, other) if "Dusted" in one] == told


def test_a_handler_that_promises_another_reply_than_its_command() -> None:
    def put_badly(state: Shelf, command: Put, ctx: Context) -> Accepted[int]:
        raise NotImplementedError

    shelf = shelf_of()
    shelf.handlers[Put] = put_badly

    assert found(shelf) == [
        "tests: shelf: Put is answered by Slip, and put_badly returns int: change one of the two"
    ]


Number = NewType("Number", int)


class Sized(Protocol):
    def __len__(self) -> int: ...


@pytest.mark.parametrize(
    ("promised", "wanted", "fits"),
    [
        (int, int, True),
        (bool, int, True),
        (int, float, True),
        (int, str, False),
        (Slip, int, False),
        (None, None, True),
        (Slip, None, False),
        (Annotated[str, "a name"], str, True),
        (Annotated[str, "a name"], int, False),
        (Number, int, True),
        (list[int], Sequence[int], True),
        (Slip, Slip | None, True),
        (str, Sized, True),
        (Any, Slip, True),
    ],
)
def test_what_may_be_right_is_no_fault(promised: Any, wanted: Any, fits: bool) -> None:
    assert agree(promised, wanted) is fits


def another_put() -> type[Command[ShelfKind, None]]:
    @message
    class Put(Command[ShelfKind, None]):
        pass

    return Put


def test_two_messages_of_one_name() -> None:
    shelf = shelf_of()
    shelf.handlers[another_put()] = take

    (said,) = found(shelf)

    assert said.startswith("tests: shelf: command Put is there twice, in tests.deploying.")


# -- rules -----------------------------------------------------------------------------------------


def places(most: int = 3, *rules: str) -> Pool:
    pool = Pool("places", most=most, full="full")
    known = {
        "limit": lambda: pool.limited_by(BookPut, lambda _: 1),
        "hold": lambda: pool.held_by(
            Dusted, lambda _: "x", until=lambda _: sample(datetime), then=lambda _: Take("x")
        ),
        "free": lambda: pool.freed_by(Event, lambda _: "x"),
    }
    for rule in rules:
        known[rule]()
    return pool


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lifecycle": {"open": ["full"]}}, "its lifecycle has no first status"),
        ({"lifecycle": {"": ["open"], "opne": ["full"]}}, "nothing leads to status 'opne'"),
        ({"lifecycle": {"": ["shut"]}}, "its state cannot have status 'shut'"),
        ({"initial": Forgetful()}, "its first state is not the same after it was stored and read"),
        ({"pools": [places(0)]}, "pool places: it has room for 0"),
        (
            {"pools": [places(3, "hold", "free")]},
            "pool places: it has no limit",
        ),
        ({"pools": [places(3, "free")]}, "pool places: it follows Event, which no fold applies"),
        ({"pools": [places(), places()]}, "there are two pools places"),
        (
            {"receive_timeout": ReceiveTimeout(NONE, Deliver(), waiting=bool)},
            "its receive time-out is over at once",
        ),
        (
            {"receive_timeout": ReceiveTimeout(timedelta(1), Deliver(), waiting=bool)},
            "its receive time-out sends Deliver, which nothing handles",
        ),
        ({"supervision": OneForOne(restarts=-1)}, "supervision: restarts are 0 or more"),
    ],
)
def test_a_rule_of_an_entity_that_can_never_work(options: dict[str, Any], said: str) -> None:
    assert any(
        one.startswith("tests: shelf: ") and said in one for one in found(shelf_of(**options))
    )


async def deliver(call: Deliver, attempt: Attempt) -> str:
    raise NotImplementedError


async def deliver_badly(call: Deliver, attempt: Attempt) -> int:
    raise NotImplementedError


async def lose(call: Lost, attempt: Attempt) -> None:
    raise NotImplementedError


async def seen(call: Deliver, attempt: Attempt) -> int | None:
    raise NotImplementedError


def mail_of(fn: Any = deliver, breaker: Breaker | None = None, **options: Any) -> Target[MailKind]:
    mail = Target(MailKind, breaker=breaker)
    mail.effect(Deliver, **options)(fn)
    mail.effect(Lost)(lose)
    return mail


def test_a_target_without_faults() -> None:
    assert found(mail_of()) == []


@pytest.mark.parametrize(
    ("mail", "said"),
    [
        (mail_of(deliver_badly), "Deliver is answered by str, and deliver_badly returns int"),
        (mail_of(timeout=NONE), "Deliver: it has no time"),
        (mail_of(retry=Retry(attempts=-1)), "Deliver: retry: `attempts` is 0 (no end) or more"),
        (mail_of(retry=Retry(first=-timedelta(1))), "retry: `first` and `most` are 0 or more"),
        (mail_of(retry=Retry(factor=0.5)), "retry: `factor` is 1 or more"),
        (mail_of(retry=Retry(jitter=2)), "retry: `jitter` is a part of the pause"),
        (mail_of(retry=Retry(within=NONE)), "retry: `within` is more than 0"),
        (mail_of(breaker=Breaker(failures=0)), "its breaker cannot work"),
    ],
)
def test_a_rule_of_a_target_that_can_never_work(mail: Target[MailKind], said: str) -> None:
    assert any(one.startswith("tests: mail: ") and said in one for one in found(mail))


def test_what_a_target_lacks() -> None:
    mail = Target(MailKind)
    mail.finds(Deliver)(seen)  # type: ignore[arg-type]
    mail.effect(Lost)(lose)

    said = found(mail)

    assert "tests: mail: Deliver is found, but has no effect: write @mail.effect(Deliver)" in said
    assert any("Deliver is answered by str, and seen returns int" in one for one in said)
    assert any("nothing carries out Deliver" in one for one in said)


# -- sagas -----------------------------------------------------------------------------------------


@message
class Lend:
    book: str
    copies: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loan:
    book: str
    loan_id: str
    slip: Slip | None = None
    slips: tuple[Slip, ...] = ()


def start(given: Lend, ctx: Context) -> Loan:
    return Loan(given.book, ctx.key)


def ask(loan: Loan) -> Ask[ShelfKind, Slip]:
    return Ask(ShelfKind.ref("a"), Put(loan.book))


def keep(loan: Loan, slip: Slip) -> Loan:
    return replace(loan, slip=slip)


def keep_number(loan: Loan, slip: int) -> Loan:
    return loan


def undo(loan: Loan) -> Tell[ShelfKind]:
    return Tell(ShelfKind.ref("a"), Take(loan.loan_id))


def undo_by_reply(loan: Loan) -> Tell[ShelfKind]:
    assert loan.slip is not None
    return Tell(ShelfKind.ref("a"), Take(loan.slip.slip_id))


def undo_by_reply_if_any(loan: Loan) -> Tell[ShelfKind]:
    return Tell(ShelfKind.ref("a"), Take(loan.slip.slip_id if loan.slip else ""))


def ask_nobody(loan: Loan) -> Ask[MailKind, str]:
    return Ask(MailKind.ref("a"), Deliver())


def ask_for_a_number(loan: Loan) -> Ask[ShelfKind, int]:
    raise NotImplementedError


def unlucky(loan: Loan) -> Tell[ShelfKind]:
    raise LookupError(loan.book)


def lend(*steps: Any, first: Callable[..., Any] = start, **options: Any) -> Saga[Any, Any, Any]:
    saga = Saga("lend", start=first, result=lambda loan: loan.book, **options)
    for step in steps:
        saga.together(step)
    return saga


def slips(loan: Loan) -> Sequence[int]:
    return (1, 2)


def keep_another(loan: Loan, _: int, slip: Slip) -> Loan:
    return replace(loan, slips=(*loan.slips, slip))


def undo_by_count(loan: Loan, copy: int) -> Tell[ShelfKind]:
    return Tell(ShelfKind.ref("a"), Take(f"{loan.loan_id}-{copy}-{len(loan.slips)}"))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step("put", ask, keep=keep, undo=undo), ""),
        (Step("put the book", ask), ""),
        (Step("put", ask, undo=unlucky), ""),  # made-up values may be what it cannot take
        (Step("put", lambda loan: ask(loan), keep=lambda loan, slip: keep(loan, slip)), ""),
        (
            Step("put", ask, keep=keep, undo=undo_by_reply),
            "the undo of step put needs the reply, which may never come",
        ),
        (
            Step("put", ask, keep=keep, undo=undo_by_reply_if_any),
            "the undo of step put needs the reply, which may never come",
        ),
        (
            Step("put", ask, keep=keep_number),  # type: ignore[misc]
            "step put: its ask is answered by Slip, and its keep takes int",
        ),
        (Step("put", ask_nobody), "step put: it asks mail, which is not deployed: add its bundle"),
        (Step("put", ask_for_a_number), "step put: no command of shelf is answered by int"),
        (Step("put:it", ask), "a step cannot be called 'put:it'"),
        (Step("put[1]", ask), "a step cannot be called 'put[1]'"),
    ],
)
def test_a_step_that_can_never_work(step: Any, said: str) -> None:
    faults_of = found(shelf_of(), lend(step))

    assert len(faults_of) == bool(said)
    assert all(one.startswith("tests: saga lend: ") and said in one for one in faults_of)


def test_an_undo_in_each_that_counts_replies() -> None:
    saga = lend()
    saga.each("copies", slips, lambda loan, _: ask(loan), keep=keep_another, undo=undo_by_count)

    (said,) = found(shelf_of(), saga)

    assert "the undo of step copies needs the reply" in said


def test_a_saga_without_steps_or_time() -> None:
    said = found(shelf_of(), lend(deadline=NONE))

    assert said == [
        "tests: saga lend: its deadline is over before it starts: make it more than 0",
        "tests: saga lend: it has no steps: write lend.step(...)",
    ]


def test_functions_that_cannot_take_made_up_values_tell_nothing() -> None:
    def picky(given: Lend, ctx: Context) -> Loan:
        raise ValueError("no such book")

    assert (
        found(shelf_of(), lend(Step("put", ask, keep=keep, undo=undo_by_reply), first=picky)) == []
    )


@message
class Nested:
    lends: tuple[Lend, ...]
    pair: tuple[int, str]
    by: dict[str, float]
    how: Literal["a", "b"]
    maybe: Slip | None


def test_samples_fit_their_types() -> None:
    assert sample(Nested) == Nested(
        (Lend("sample"),), (1, "sample"), {"sample": 1.0}, "a", Slip("sample", 1)
    )
    with pytest.raises(NoSample):
        sample(Callable[[], int])


def test_all_faults_are_told_at_once() -> None:
    shelf = shelf_of(lifecycle={"open": []})
    del shelf.handlers[Forgotten]

    assert len(found(shelf, first_app().entities["quay"], lend())) >= 4
