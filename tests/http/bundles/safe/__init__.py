"""A bundle for tests: safes that quote what they were told when something goes wrong."""

from dataclasses import dataclass
from datetime import timedelta

from wherry import (
    Accepted,
    App,
    Ask,
    Attempt,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    OneForOne,
    Rejected,
    Retry,
    Saga,
    Target,
    Tell,
    accept,
    message,
)


class SafeKind(Kind):
    name = "safe"


class LockKind(Kind):
    name = "lock"


@dataclass(frozen=True, slots=True)
class Safe:
    combination: str = ""


@message
class Set(Command[SafeKind, None]):
    combination: str


@message
class Open(Command[SafeKind, None]):
    """Always goes wrong; `how` says in which way."""

    access_token: str
    how: str = "raise"


@message
class Turn(Command[LockKind, None]):
    access_token: str


@message
class WasSet(Event):
    combination: str


safe = Entity(SafeKind, Safe(), supervision=OneForOne(otherwise="stop"))
lock = Target(LockKind)


@safe.handles(Set)
def set_(safe: Safe, command: Set, ctx: Context) -> Accepted[None]:
    return accept(command, WasSet(command.combination), reply=None)


@safe.handles(Open)
def open_(safe: Safe, command: Open, ctx: Context) -> Accepted[None]:
    if command.how == "turn":
        turn = Tell(LockKind.ref(ctx.new_id()), Turn(command.access_token))
        return accept(command, reply=None, sends=(turn,))
    if command.how == "reject":
        raise Rejected("wrong-token", f"{command.access_token} does not fit")
    raise RuntimeError(f"{command.access_token} does not open {safe.combination}: {command!r}")


@safe.folds(WasSet)
def was_set(safe: Safe, event: WasSet) -> Safe:
    return Safe(event.combination)


@lock.effect(Turn, retry=Retry(first=timedelta(hours=1)), unknown="park")
def turn(call: Turn, attempt: Attempt) -> None:
    raise RuntimeError(f"the lock does not know {call.access_token}")


@message
class Burgle:
    access_token: str


def begin(start: Burgle, ctx: Context) -> Burgle:
    return start


def ask(plan: Burgle) -> Ask[SafeKind, None]:
    raise RuntimeError(f"nobody opens it with {plan.access_token}")


burglary = Saga("burglary", start=begin, result=lambda _: None)
burglary.step("open", ask)

app = App([safe, lock, burglary], redact=["combination"])
