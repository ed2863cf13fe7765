"""`wherry send`, and `wherry command`: what became of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.cli import fields
from wherry.cli.failure import WAITING, Failed, about, usage
from wherry.cli.options import ENTITIES, NOTHING, Common, Flag
from wherry.cli.session import Session, session
from wherry.cli.tracing import watching_command

if TYPE_CHECKING:
    from wherry.engine.envelope import Result
    from wherry.gateway.requests import Request
    from wherry.store.client import Sent


Pairs = Annotated[str, Parameter(name="FIELD=VALUE", help="Fields, typed by the schema.")]
JsonBody = Annotated[
    str | None,
    Parameter(help="Fields as JSON: the text, @FILE, or - for stdin.", allow_leading_hyphen=True),
]
Key = Annotated[
    str | None, Parameter(help="Idempotency key: the same again gets the first answer.")
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class SendFlags:
    """How a command is sent."""

    json: JsonBody = None
    expect_version: Annotated[
        int | None,
        Parameter(help="Refuse unless the entity is at this version.", validator=Number(gte=0)),
    ] = None
    key: Key = None
    id: Annotated[str | None, Parameter(help="Id of the command; made when not given.")] = None
    delay: Annotated[str | None, Parameter(help="Handle it later, durably: 60s.")] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFlags:
    """How long to wait for the outcome."""

    wait: Annotated[str | None, Parameter(help="How long to wait for the outcome: 5s.")] = None
    no_wait: Annotated[bool, Flag, Parameter(help="Do not wait for the outcome.")] = False


SEND = SendFlags()
WAIT = WaitFlags()


def add_to(app: App) -> None:
    """Register the commands."""
    app.command(send, group=ENTITIES)
    app.command(command, group=ENTITIES)


def send(
    entity: str,
    name: Annotated[str, Parameter(name="COMMAND")],
    /,
    *pairs: Pairs,
    flags: SendFlags = SEND,
    waiting: WaitFlags = WAIT,
    common: Common = NOTHING,
) -> int:
    """Send a command to an entity, and print its reply.

    wherry send port/rotterdam ReserveDocking reservation_id=r1 vessel_id=v1 hold_for=60s
    """
    with session(common, f"{entity} {name}", f"wherry get {entity}") as s:
        delayed = flags.delay is not None and waiting.wait is None
        how_long = None if delayed else patience(s, waiting)
        request = _request(s, entity, name, pairs, flags)
        sent = s.sender.send(request)
        return show(s, request, sent, wait_for(s, request, sent, how_long), how_long)


def command(entity: str, id: str, /, *, common: Common = NOTHING) -> int:
    """Show what became of a command that was sent before."""
    with session(common, entity, f"wherry events {entity}") as s:
        s.out.one(s.views.command(entity, id))
    return 0


def _request(
    s: Session, entity: str, name: str, pairs: tuple[str, ...], flags: SendFlags
) -> "Request":
    from wherry.gateway import requests

    registry = s.runtime.registry
    spec = requests.public_command(registry, entity.partition("/")[0], name)
    subject = f"{entity} {name}"
    options = requests.Options(
        id=flags.id or "", key=flags.key or "", expect=flags.expect_version,
        delay_ms=round(_seconds(flags.delay) * 1000), backlog=s.settings.backlog_limit,
    )  # fmt: skip
    with about(subject, f"wherry send {subject} {fields.form(spec.codec.of)}"):
        body = fields.read(spec.codec.of, pairs, flags.json, subject)
        return requests.command(registry, entity, name, body, s.runtime.store.now_ms(), options)


def patience(s: Session, waiting: WaitFlags) -> float | None:
    """Seconds to wait for the outcome; None: not at all."""
    if waiting.no_wait:
        return None
    return s.settings.wait if waiting.wait is None else _seconds(waiting.wait)


def _seconds(text: str | None) -> float:
    from wherry import durations

    try:
        return durations.to_seconds(text or 0)
    except ValueError as error:
        raise usage(f"{text!r}", f"is not a duration: {error}", "the same with --wait 5s") from None


def wait_for(
    s: Session, request: "Request", sent: "Sent", seconds: float | None
) -> "Result | None":
    """Wait for the outcome of what was sent; None when it is open."""
    if seconds is None and sent.result is None:
        return None
    with watching_command(s, request, sent) as look:
        return s.sender.wait(request, sent, seconds or 0, look)


def show(
    s: Session, request: "Request", sent: "Sent", result: "Result | None", how_long: float | None
) -> int:
    """Print what became of a command. Raises Failed when it was not done."""
    from wherry.gateway import shapes

    if result is None:
        pending = {"command_id": sent.command_id, "entity": request.entity, "status": "pending"}
        s.out.one(pending)
        if how_long is not None:
            look = f"wherry command {request.entity} {sent.command_id}"
            raise still_running(request.entity, how_long, look)
        return 0
    require_done(result, request.entity, f"wherry get {request.entity}")
    s.out.one(shapes.reply(result))
    return 0


def still_running(subject: str, waited: float, next_step: str) -> Failed:
    """The time to wait is over, and nobody knows the outcome yet."""
    cause = f"no outcome after {waited:g} s; it is still on its way"
    return Failed(WAITING, subject, cause, next_step)


def require_done(result: "Result", subject: str, next_step: str) -> None:
    """Raises Failed when a command was not done, with the reason."""
    from wherry.engine.supervision import STOPPED
    from wherry.gateway.problems import of_result

    if result.status == "done":
        return
    named = result if result.entity else replace_entity(result, subject)
    shown = of_result(named)
    faults = "".join(f"; {e['pointer']}: {e['message']}" for e in shown.extra.get("errors", []))
    said = "" if shown.detail == shown.code else f": {shown.detail}"
    if result.status == "dead":
        next_step = "wherry dead list"
    elif shown.code == STOPPED:
        next_step = f"wherry attention restart {named.entity}"
    raise Failed(shown.exit_code, subject, f"{shown.code}{said}{faults}", next_step)


def replace_entity(result: "Result", entity: str) -> Any:
    """The result with its entity, which an answer from elsewhere does not name."""
    import msgspec

    return msgspec.structs.replace(result, entity=entity)
