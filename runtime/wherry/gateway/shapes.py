"""The JSON that doors show: states, events, sagas, dead letters. The same for HTTP and CLI."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from wherry.codec import from_json
from wherry.engine.envelope import Envelope, Problem, Result
from wherry.engine.record import Record
from wherry.engine.saga_state import SagaState, StepState
from wherry.engine.supervision import Attention
from wherry.store.effects import BreakerState, StoredCall

Json = dict[str, Any]


def instant(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (
        datetime.fromtimestamp(ms / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def state(record: Record, at_ms: int) -> Json:
    """An entity's state."""
    return {
        "entity": record.address,
        "kind": record.spec.name,
        "key": record.key,
        "version": record.version,
        "status": record.status,
        "state": msgspec.Raw(record.spec.state.encode(record.state)),
        "updated_at": instant(at_ms),
    }


def event(id_: bytes, fields: dict[bytes, bytes]) -> Json:
    """One event of a log."""
    command_id = fields[b"id"].decode()
    trace = fields.get(b"trace", b"").decode()
    return {
        "version": int(id_.partition(b"-")[0]),
        "type": fields[b"type"].decode(),
        "schema_version": int(fields.get(b"v", b"1")),
        "data": msgspec.Raw(fields[b"data"]),
        "at": instant(int(fields[b"at"])),
        "command_id": command_id,
        "causation_id": fields.get(b"cause", b"").decode() or command_id,
        "correlation_id": fields.get(b"corr", b"").decode() or command_id,
        "trace_id": trace.split("-")[1] if trace else None,
    }


def saga(key: str, name: str, plan: list[str], record_state: SagaState[Any]) -> Json:
    """A saga: its steps as they went, then those of the plan that it has not reached."""
    begun = [step(s) for s in record_state.steps]
    reached = {s.name.partition("[")[0] for s in record_state.steps}
    waiting = (
        [_pending(n) for n in plan if n not in reached] if record_state.status == "running" else []
    )
    return {
        "id": key,
        "saga": name,
        "status": record_state.status,
        "input": record_state.input,
        "result": record_state.result,
        "problem": _problem(record_state.problem),
        "started_at": instant(record_state.started_at),
        "ended_at": instant(record_state.ended_at) if record_state.ended_at else None,
        "deadline": instant(record_state.deadline),
        "steps": begun + waiting,
    }


def saga_to_be(key: str, name: str, plan: list[str]) -> Json:
    """A saga that was asked for and has not begun."""
    return {
        "id": key, "saga": name, "status": "running", "input": None, "result": None,
        "problem": None, "started_at": None, "ended_at": None, "deadline": None,
        "steps": [_pending(n) for n in plan], "version": 0, "updated_at": None,
    }  # fmt: skip


def step(s: StepState) -> Json:
    """One step of a saga."""
    shown: Json = {
        "name": s.name,
        "status": s.status,
        "attempts": s.attempts,
        "started_at": instant(s.started_at),
        "ended_at": instant(s.ended_at) if s.ended_at else None,
        "to": s.to,
        "command": s.type,
        "undo": None if s.undo is None else {"to": s.undo.to, "command": s.undo.type},
    }
    if s.problem is not None:
        shown["problem"] = _problem(s.problem)
    else:
        shown["reply"] = s.reply
    return shown


def dead_letter(partition: int, id_: bytes, fields: dict[bytes, bytes]) -> Json:
    """A dead letter: the message, and why nobody could handle it."""
    text = {key.decode(): value.decode(errors="replace") for key, value in fields.items()}
    return {
        "id": f"{partition}-{id_.decode()}",
        "entity": text.get("entity", ""),
        "type": text.get("type", ""),
        "command_id": text.get("id", ""),
        "at": instant(int(text.get("at", "0"))),
        "code": text.get("code", ""),
        "error": text.get("error", ""),
        "code_version": text.get("version", ""),
        "message": _message(text.get("message", "")),
    }


def attention(address: str, kept: Attention) -> Json:
    """An entity whose handler raised: what, at which command, in which version of the bundles."""
    return {
        "entity": address,
        "stopped": kept.stopped,
        "directive": kept.directive or "restart",
        "since": instant(since_ms(kept)),
        "error": kept.error,
        "command": kept.command,
        "command_id": kept.command_id,
        "version": kept.version,
        "code": kept.code,
        "restarts": [instant(at) for at in kept.restarts],
    }


def since_ms(kept: Attention) -> int:
    """When an entity was stopped, or restarted for the last time."""
    return kept.stopped_at or max(kept.restarts, default=0)


def effect(call: StoredCall, asked: Envelope) -> Json:
    """A call to the outside world that is not settled. `due` of one that runs: of its lease."""
    target, _, key = asked.to.partition("/")
    return {
        "id": call.id,
        "target": target,
        "key": key,
        "command": asked.type,
        "entity": asked.sender,
        "state": state_of(call),
        "attempts": call.made,
        "due": _instant_or_none(call.due_ms),
        "parked_at": _instant_or_none(call.parked_ms),
        "note": _message(call.note.decode(errors="replace")) if call.note else {},
    }


def effect_with_data(call: StoredCall, asked: Envelope) -> Json:
    """A call, with what it says and where it comes from."""
    return {
        **effect(call, asked),
        "data": asked.data,
        "causation_id": asked.cause,
        "correlation_id": asked.correlation,
    }


def state_of(call: StoredCall) -> str:
    """What a call does: it is parked, running or waiting."""
    if call.parked_ms is not None:
        return "parked"
    return "running" if call.running else "waiting"


def breaker(stored: BreakerState, now_ms: int) -> Json:
    """A breaker. One whose time is over lets the next call try: that is half-open."""
    state = breaker_state(stored, now_ms)
    return {
        "target": stored.target,
        "state": state,
        "failures": stored.failures,
        "since": _instant_or_none(stored.since_ms or None),
        "retry_at": _instant_or_none(stored.until_ms if state == "open" else None),
    }


def breaker_state(stored: BreakerState, now_ms: int) -> str:
    """Closed, open or half-open."""
    over = stored.state == "open" and now_ms >= stored.until_ms
    return "half-open" if over else stored.state


def reply(result: Result) -> Json:
    """The answer to a command that was done."""
    return {
        "command_id": result.command_id,
        "entity": result.entity,
        "version": result.version,
        "reply": result.reply,
    }


def command_status(command_id: str, result: Result) -> Json:
    """What became of a command."""
    shown: Json = {"command_id": command_id, "status": result.status}
    if result.status == "done":
        shown |= {"entity": result.entity, "version": result.version, "reply": result.reply}
    elif result.problem is not None:
        shown |= {"entity": result.entity, "problem": _problem(result.problem)}
    return shown


def _problem(problem: Problem | None) -> Any:
    return None if problem is None else msgspec.to_builtins(problem)


def _instant_or_none(ms: int | None) -> str | None:
    return None if ms is None else instant(ms)


def _pending(name: str) -> Json:
    return {
        "name": name, "status": "pending", "attempts": 0, "started_at": None, "ended_at": None,
        "reply": None, "undo": None,
    }  # fmt: skip


def _message(text: str) -> Any:
    try:
        return from_json(text)
    except msgspec.DecodeError:
        return text
