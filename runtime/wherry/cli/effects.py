"""`wherry effects` and `wherry breakers`: the calls to the outside world."""

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter

from wherry.cli import fields
from wherry.cli.failure import usage
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.read import Limit
from wherry.cli.session import session

_CALL = ("id", "state", "target", "command", "entity", "attempts", "due", "note")
_BREAKER = ("target", "state", "failures", "since", "retry_at")

Id = Annotated[str, Parameter(name="ID")]
State = Annotated[
    str, Parameter(help="Only those that are waiting, running or parked.", show_default=False)
]
Target = Annotated[str, Parameter(help="Only those of this target.", show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFlags:
    """What became of a call: one of three."""

    reply: Annotated[
        str | None,
        Parameter(help="It was done: its reply as JSON, @FILE, or - for stdin."),
    ] = None
    rejected: Annotated[str | None, Parameter(name="--rejected", help="A code: it said no.")] = None
    detail: Annotated[str, Parameter(help="Why it said no.", show_default=False)] = ""
    failed: Annotated[str | None, Parameter(help="Why it was not done, and will not be.")] = None


_NOT_SAID = OutcomeFlags()


def add_to(app: App) -> None:
    """Register the commands."""
    group = App(name="effects", help="Calls to the outside world that are not settled.")
    group.group = (OPERATE,)
    group.command(list_, name="list")
    for command in (show, retry, resolve):
        group.command(command)
    app.command(group)
    app.command(breakers, group=OPERATE)


def list_(
    *, state: State = "", target: Target = "", limit: Limit = 100, common: Common = NOTHING
) -> int:
    """List the calls that are not settled; those that wait for a person first."""
    with session(common, "effects", "wherry doctor") as s:
        s.out.page(s.effects.calls(state, target, limit), "items", _CALL)
    return 0


def show(call: Id, /, *, common: Common = NOTHING) -> int:
    """Show a call: what it says, and how its last attempt ended."""
    with session(common, f"effect {call}", "wherry effects list") as s:
        s.out.one(s.effects.show(call))
    return 0


def retry(call: Id, /, *, common: Common = NOTHING) -> int:
    """Let a call be tried at once: one that is parked, or waits for its next attempt."""
    with session(common, f"effect {call}", "wherry effects list") as s:
        s.out.one(s.effects.retry(call))
    return 0


def resolve(call: Id, /, *, outcome: OutcomeFlags = _NOT_SAID, common: Common = NOTHING) -> int:
    """Say what became of a call that nobody else can know; the entity that asked goes on.

    wherry effects resolve 3-1795331744952-0.2 --reply '{"transaction_id": "t-17"}'
    """
    subject = f"effect {call}"
    body = _said(outcome, subject)
    with session(common, subject, f"wherry effects show {call}") as s:
        if "reply" in body:
            body = {"reply": fields.read_value(str(outcome.reply), subject)}
        s.out.one(s.effects.resolve(call, body))
    return 0


def breakers(*, common: Common = NOTHING) -> int:
    """List the breakers: whether calls to each target may pass."""
    with session(common, "breakers", "wherry doctor") as s:
        s.out.page(s.breakers.listed(), "items", _BREAKER)
    return 0


def _said(outcome: OutcomeFlags, subject: str) -> dict[str, Any]:
    rejected = {"code": outcome.rejected, "detail": outcome.detail}
    ways = {
        "reply": outcome.reply,
        "rejected": None if outcome.rejected is None else rejected,
        "failed": outcome.failed,
    }
    said = {way: value for way, value in ways.items() if value is not None}
    if len(said) != 1 or (outcome.detail and "rejected" not in said):
        cause = "say one: --reply JSON, --rejected CODE [--detail TEXT], or --failed WHY"
        raise usage(subject, cause, "wherry effects resolve --help")
    return said
