"""`wherry saga`: start, list, show, trace, diagram, cancel, kill, retry."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from wherry.cli import fields
from wherry.cli.consent import ASK, Consent, confirmed
from wherry.cli.diagram import diagram
from wherry.cli.failure import REJECTED, Failed, about
from wherry.cli.options import ENTITIES, NOTHING, Common
from wherry.cli.read import Cursor, Limit, Status
from wherry.cli.send import (
    WAIT,
    JsonBody,
    Key,
    Pairs,
    WaitFlags,
    patience,
    require_done,
    still_running,
)
from wherry.cli.session import Session, session
from wherry.cli.tracing import trace, watching_saga
from wherry.errors import KeyReused

if TYPE_CHECKING:
    from wherry.gateway.requests import Request

_SAGA = ("id", "status", "version", "updated_at")


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class StartFlags:
    """How a saga is started."""

    json: JsonBody = None
    id: Annotated[
        str, Parameter(help="Id of the saga; made when not given.", show_default=False)
    ] = ""
    key: Key = None


_START = StartFlags()

Reason = Annotated[str, Parameter(help="Why; it is stored.")]


def add_to(app: App) -> None:
    """Register the commands."""
    group = App(name="saga", help="Start sagas, watch them, turn them back.")
    group.group = (ENTITIES,)
    group.command(start)
    group.command(list_, name="list")
    for command in (show, trace, diagram, cancel, kill, retry):
        group.command(command)
    app.command(group)


def start(
    name: str,
    /,
    *pairs: Pairs,
    flags: StartFlags = _START,
    waiting: WaitFlags = WAIT,
    common: Common = NOTHING,
) -> int:
    """Start a saga, wait for its end, and print its steps.

    wherry saga start docking vessel_id=v1 port_id=rotterdam --wait 10s
    """
    from wherry.gateway import requests

    with session(common, f"saga {name}", f"wherry saga list {name}") as s:
        of = s.runtime.registry.command(s.views.saga_kind(name), "Start").codec.of
        options = requests.Options(key=flags.key or "", backlog=s.settings.backlog_limit)
        now_ms = s.runtime.store.now_ms()
        with about(f"saga {name}", f"wherry saga start {name} {fields.form(of)}"):
            body = fields.read(of, pairs, flags.json, f"saga {name}")
            request = requests.saga_start(s.runtime.registry, name, body, now_ms, options, flags.id)
        return _carry_out(s, name, request, patience(s, waiting))


def list_(
    name: str,
    /,
    *,
    status: Status = "",
    limit: Limit = 100,
    cursor: Cursor = "",
    common: Common = NOTHING,
) -> int:
    """List the sagas of a name, the newest change first."""
    with session(common, f"saga {name}", f"wherry saga list {name}") as s:
        s.out.page(s.views.sagas(name, status, limit, cursor), "items", _SAGA)
    return 0


def show(name: str, id: str, /, *, common: Common = NOTHING) -> int:
    """Show a saga with its steps."""
    with session(common, f"saga {name} {id}", f"wherry saga list {name}") as s:
        print_saga(s, name, id)
    return 0


def cancel(
    name: str,
    id: str,
    /,
    *,
    reason: Reason = "cancelled by an operator",
    waiting: WaitFlags = WAIT,
    common: Common = NOTHING,
) -> int:
    """Let a saga turn back: what its steps have done is undone."""
    with session(common, f"saga {name} {id}", f"wherry saga show {name} {id}") as s:
        return _tell(s, name, id, "Cancel", reason, patience(s, waiting))


def kill(
    name: str,
    id: str,
    /,
    *,
    reason: Reason = "killed by an operator",
    consent: Consent = ASK,
    common: Common = NOTHING,
) -> int:
    """End a saga at once: its undos are sent, but nobody looks whether they succeed."""
    subject = f"saga {name} {id}"
    with session(common, subject, f"wherry saga show {name} {id}") as s:
        shown = s.views.saga(name, id)
        if consent.dry_run:
            s.out.one({"id": id, "saga": name, "status": shown["status"], "would": "kill"})
            return 0
        confirmed(f"Kill saga {name} {id}, which is {shown['status']}?", subject, consent)
        return _tell(s, name, id, "Kill", reason, s.settings.wait)


def retry(
    name: str,
    id: str,
    /,
    *,
    reason: Reason = "retried by an operator",
    waiting: WaitFlags = WAIT,
    common: Common = NOTHING,
) -> int:
    """Send the undos of a failed saga again that were refused."""
    with session(common, f"saga {name} {id}", f"wherry saga show {name} {id}") as s:
        return _tell(s, name, id, "Retry", reason, patience(s, waiting))


def _tell(s: Session, name: str, id_: str, what: str, reason: str, patience_s: float | None) -> int:
    from wherry.gateway import requests

    s.views.saga(name, id_)  # one that was never started is not found, rather than rejected
    address = f"{s.views.saga_kind(name)}/{id_}"
    options = requests.Options(backlog=s.settings.backlog_limit)
    now_ms = s.runtime.store.now_ms()
    request = requests.command(
        s.runtime.registry, address, what, {"reason": reason}, now_ms, options
    )
    return _carry_out(s, name, request, patience_s)


def _carry_out(s: Session, name: str, request: "Request", patience_s: float | None) -> int:
    """Send, wait, and print the saga, however it went; only then say what is wrong with it."""
    id_ = request.entity.partition("/")[2]
    subject, next_step = f"saga {name} {id_}", f"wherry saga show {name} {id_}"
    try:
        sent = s.sender.send(request)
    except KeyReused:
        cause = "saga-exists: it was started before, with another input"
        raise Failed(REJECTED, subject, cause, next_step) from None
    if patience_s is None:
        s.out.one({"id": id_, "saga": name, "command_id": sent.command_id, "status": "pending"})
        return 0
    with watching_saga(s, name, id_) as look:
        result = s.sender.wait(request, sent, patience_s, look)
    if result is None or result.status == "done" or (result.problem and result.problem.saga_id):
        print_saga(s, name, id_)
    if result is None:
        raise still_running(subject, patience_s, next_step)
    require_done(result, subject, next_step)
    return 0


def print_saga(s: Session, name: str, id_: str) -> None:
    """Print a saga: as JSON, or as a head and a table of steps."""
    shown = s.views.saga(name, id_)
    if s.out.format != "table":
        s.out.one(shown)
        return
    head = ("id", "saga", "status", "input", "result", "problem", "started_at", "ended_at")
    s.out.one({part: shown[part] for part in head})
    s.out.rows(
        [_step(step) for step in shown["steps"]],
        ("step", "status", "attempts", "to", "said", "undo"),
    )


def _step(step: dict[str, Any]) -> dict[str, Any]:
    problem = step.get("problem")
    said = f"{problem['code']}: {problem['detail']}" if problem else step.get("reply")
    undo = step["undo"]["command"] if step["undo"] else None
    return {
        "step": step["name"], "status": step["status"], "attempts": step["attempts"],
        "to": step.get("to"), "said": said, "undo": undo,
    }  # fmt: skip
