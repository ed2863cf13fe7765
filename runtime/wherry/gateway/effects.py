"""Calls to the outside world that are not settled: look, try again, or say what became of one."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from wherry.codec import to_json
from wherry.engine.envelope import Envelope, answer_message, answer_of, read_envelope
from wherry.errors import Fault, Invalid, NotFound, Rejected
from wherry.gateway import shapes
from wherry.gateway.resolutions import Outcome, read_outcome
from wherry.gateway.sending import Sender
from wherry.gateway.shapes import Json
from wherry.store.calls import Done, Settling
from wherry.store.effect_store import EffectStore
from wherry.store.effects import StoredCall
from wherry.wiring import Runtime
from wherry.workers.outside import ask_for_runner
from wherry.workers.queue import open_queue
from wherry.workers.roles import EFFECTS

STATES = ("waiting", "running", "parked")

# The engine's: partition, inbox entry, and the number of the message that follows from it.
_ID = re.compile(r"(?P<partition>\d{1,5})-\d{1,15}-\d{1,15}\.\d{1,9}")
#: How many parked calls of a partition are looked through for those of one target.
_PARKED = 10_000


class Effects:
    """The calls of a namespace. The id of a call begins with the number of its partition."""

    def __init__(self, runtime: Runtime, sender: Sender) -> None:
        self._runtime = runtime
        self._sender = sender
        self._store = EffectStore(runtime.store)
        self._queue = open_queue(runtime.redis, runtime.namespace, EFFECTS)

    def calls(self, state: str = "", target: str = "", limit: int = 100) -> Json:
        """Calls that are not settled: the parked ones, then the others, the earliest first.

        Raises Invalid for a state or a target that there is not.
        """
        _require("state", state, STATES)
        _require("target", target, sorted(self._runtime.registry.targets))
        rows: list[StoredCall] = []
        for number in range(self._runtime.registry.partitions):
            fitting = (c for c in self._of(number, state) if _fits(c, state, target))
            rows += islice(fitting, limit)
        rows.sort(key=_urgency)
        return {"items": [shapes.effect(call, envelope_of(call)) for call in rows[:limit]]}

    def show(self, id_: str) -> Json:
        """One call, with what it says. Raises NotFound."""
        call = self._find(id_)
        shown = shapes.effect_with_data(call, envelope_of(call))
        return {**shown, "data": self._runtime.registry.redactor.shown_json(bytes(shown["data"]))}

    def retry(self, id_: str) -> Json:
        """Let a call be tried at once. Raises NotFound, and Rejected while a runner has it."""
        call = self._find(id_)
        heard = self._store.resume(call.partition, id_, self._runtime.store.now_ms())
        if heard is None:
            raise self._moved(id_)
        if heard == 0:
            ask_for_runner(self._queue, self._runtime.namespace)
        return self._told(call, "retried")

    def resolve(self, id_: str, body: Any) -> Json:
        """Say what became of a call; who asked is answered. `body` is plain JSON.

        Raises NotFound, Invalid, and Rejected while a runner has the call.
        """
        call = self._find(id_)
        asked = envelope_of(call)
        outcome = read_outcome(self._runtime.registry, asked, body)
        if call.running:
            raise _running(id_)
        answer = to_json(_answer(asked, outcome)) if asked.tag else b""
        wake = self._store.settle(
            Settling(
                call.partition, id_, call.n, self._runtime.store.now_ms(), Done(answer),
                {f"effect:{asked.to.partition('/')[0]}:{asked.type}:resolved": 1},
            )
        )  # fmt: skip
        if wake is None:
            raise self._moved(id_)
        if wake:
            self._sender.wake()
        return self._told(call, "resolved")

    def _of(self, number: int, state: str) -> Iterator[StoredCall]:
        if state in {"", "parked"}:
            yield from self._store.parked(number, _PARKED)
        if state != "parked":
            yield from self._store.due(number)

    def _find(self, id_: str) -> StoredCall:
        match = _ID.fullmatch(id_)
        partitions = self._runtime.registry.partitions
        if match is None or int(match["partition"]) >= partitions:
            raise _gone(id_)
        call = self._store.find(int(match["partition"]), id_)
        if call is None:
            raise _gone(id_)
        return call

    def _moved(self, id_: str) -> Exception:
        """Why a call that was there a moment ago is not any more."""
        self._find(id_)
        return _running(id_)

    def _told(self, call: StoredCall, status: str) -> Json:
        shown = shapes.effect(call, envelope_of(call))
        return {"id": call.id, "status": status, "target": shown["target"], "key": shown["key"]}


def envelope_of(call: StoredCall) -> Envelope:
    """The message that asks for a call; an empty one when nobody can read it."""
    try:
        return read_envelope(call.envelope)
    except Invalid:
        return Envelope(call.id, "", "")


def _answer(asked: Envelope, outcome: Outcome) -> Envelope:
    """The message that goes back to who asked, as from a runner."""
    body = answer_of(asked, outcome.status, outcome.reply, outcome.problem)
    return answer_message(asked, f"{asked.id}.answer", body)


def _fits(call: StoredCall, state: str, target: str) -> bool:
    wanted = state in {"", shapes.state_of(call)}
    return wanted and target in {"", envelope_of(call).to.partition("/")[0]}


def _urgency(call: StoredCall) -> tuple[bool, int, str]:
    """What waits for a person comes first."""
    since = call.due_ms if call.parked_ms is None else call.parked_ms
    return call.parked_ms is None, since or 0, call.id


def _require(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse what does not exist: a typing error is not an empty list."""
    if value and value not in known:
        text = f"there is no {name} {value!r}; there are {', '.join(known) or 'none'}"
        raise Invalid("effects", [Fault(f"/{name}", text)])


def _gone(id_: str) -> NotFound:
    return NotFound(f"no call {id_!r} waits; `wherry effects list` lists those that do")


def _running(id_: str) -> Rejected:
    return Rejected("effect-running", f"a runner has {id_}; wait until its attempt has ended")
