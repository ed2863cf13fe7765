"""Why: what an entity, a saga, a command, a call, a timer or a dead letter waits for, in words."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import msgspec

from wherry.engine.envelope import ANSWER, Answer, Envelope, Result
from wherry.engine.registry import Registry, split_address
from wherry.engine.saga_run import UNDO
from wherry.errors import Damaged, NotFound
from wherry.gateway.attention import read_attention
from wherry.gateway.dead import DeadLetters
from wherry.gateway.effects import envelope_of
from wherry.gateway.pauses import name_of
from wherry.gateway.reasons import Reason, Reasons, dead_letter
from wherry.gateway.shapes import Json
from wherry.gateway.views import Views
from wherry.gateway.whereabouts import Place, Whereabouts
from wherry.store.client import reaching
from wherry.store.effect_store import EffectStore
from wherry.store.effects import StoredCall
from wherry.wiring import Runtime

_CALL = re.compile(r"(?P<partition>\d{1,5})-\d{1,15}-\d{1,15}\.\d{1,9}")
_OPEN = {"running": "asked", "late": "asked, and is late", "undoing": "is undone by"}
#: So many waiting messages, calls and timers of one entity are told.
_SHOWN = 5
_CALLS = 5_000
#: Who waits for whom is followed so far.
_DEPTH = 6

_answer = msgspec.json.Decoder(Answer)


class Why:
    """Explains what waits in a namespace."""

    def __init__(self, runtime: Runtime, views: Views, dead: DeadLetters) -> None:
        self._runtime = runtime
        self._views = views
        self._dead = dead
        self._effects = EffectStore(runtime.store)

    @property
    def _registry(self) -> Registry:
        return self._runtime.registry  # another one after a deployment

    def of(self, subject: str) -> Json:
        """What something waits for. `kind/key`, `saga/id`, or any id. Raises NotFound."""
        look = _Look(self, self._runtime)
        status, reasons = self._explain(look, subject)
        told = list(dict.fromkeys(reasons))
        return {
            "subject": subject, "status": status, "because": [reason.shown() for reason in told],
        }  # fmt: skip

    def _explain(self, look: "_Look", subject: str) -> tuple[str, Iterator[Reason]]:
        if "/" in subject:
            if ":" in subject and (timer := look.where.timer(subject)):
                return "waiting", look.reasons.timer(timer)
            address = name_of(self._registry, subject)
            return look.saga(address) if address.startswith("saga.") else look.entity(address)
        if match := _CALL.fullmatch(subject):
            return look.call_of(int(match["partition"]), subject)
        found = look.command(subject) or look.letter(subject)
        if found is None:
            raise NotFound(
                f"nothing is known of {subject!r}: no command, call or dead letter has this id"
                " (any more). An entity is kind/key, a saga name/id"
            )
        return found

    # -- what the explanation looks at -----------------------------------------------------------

    def results(self, command_id: str) -> tuple[int, Result] | None:
        """What became of a command from outside, and the partition that knows it."""
        for number in range(self._registry.partitions):
            if result := self._runtime.store.result(number, command_id):
                return number, result
        return None

    def calls_of(self, partition: int) -> Iterator[StoredCall]:
        """The calls to the outside world of a partition."""
        yield from self._effects.parked(partition, _CALLS)
        yield from islice(self._effects.due(partition), _CALLS)

    def call(self, partition: int, id_: str) -> StoredCall | None:
        """One call."""
        if partition >= self._registry.partitions:
            return None
        return self._effects.find(partition, id_)

    def saga_view(self, address: str) -> Json:
        """A saga with its steps. Raises NotFound."""
        kind, key = split_address(address)
        return self._views.saga(kind.removeprefix("saga."), key)

    def state(self, address: str) -> Json | None:
        """An entity; None when nothing has happened to it yet. Raises Damaged."""
        try:
            return self._views.state(address)
        except NotFound:
            return None

    def letter(self, id_: str) -> Json | None:
        """A dead letter; None when there is none of this id."""
        try:
            return self._dead.show(id_)
        except NotFound:
            return None

    def stopped(self, address: str) -> Iterator[Reason]:
        """That supervision has stopped an entity."""
        own = self._runtime.store.keys.partition(self._registry.partition_of(address))
        with reaching():
            kept = self._runtime.redis.hget(own.attention, address)
        attention = read_attention(kept) if kept else None
        if attention is not None and attention.stopped:
            yield Reason(
                "stopped", f"an error has stopped {address}: {attention.error}",
                attention.stopped_at, f"wherry attention restart {address}",
            )  # fmt: skip


class _Look:
    """One explanation: what was found is as it was at about one moment."""

    def __init__(self, why: Why, runtime: Runtime) -> None:
        self._why = why
        self._registry = runtime.registry
        self.where = Whereabouts(runtime)
        self.reasons = Reasons(runtime)

    # -- entities --------------------------------------------------------------------------------

    def entity(self, address: str) -> tuple[str, Iterator[Reason]]:
        """Why an entity does nothing. Raises NotFound when nothing ever concerned it."""
        fault, state = "", None
        try:
            state = self._why.state(address)
        except Damaged as error:
            fault = str(error)
        blocked = list(self._blocked(address, fault))
        rest = list(self._of_entity(address, 0))
        timers = [r for place in self._timers(address) for r in self.reasons.timer(place)]
        if not (state or fault or blocked or rest or timers):
            raise NotFound(f"{address}: nothing has happened to it, and nothing waits for it")
        status = blocked[0].what if blocked else "waiting"
        if state and not (blocked or rest):
            said = f"{address} waits for no message and no answer; it last changed then"
            rest, status = [Reason("nothing", said, _ms(state["updated_at"]))], "idle"
        return status, iter([*blocked, *rest, *timers])

    def _timers(self, address: str) -> list[Place]:
        return [place for _, place in self.where.timers_of(address)[:_SHOWN]]

    def _blocked(self, address: str, fault: str = "") -> Iterator[Reason]:
        """What keeps an entity from taking any message."""
        if fault:
            yield Reason("damaged", fault, None, f"wherry replay {address}")
        yield from self._why.stopped(address)
        yield from self.reasons.paused(address)

    def _of_entity(self, address: str, depth: int) -> Iterator[Reason]:
        """What waits for an entity, and what it waits for."""
        own = self._registry.partition_of(address)
        waiting = self.where.waiting(own, lambda envelope: envelope.to == address)
        for place in islice(waiting, 1):
            yield from self.reasons.place(place)
        yield from self._asked_by(address, depth)

    def _asked_by(self, address: str, depth: int) -> Iterator[Reason]:
        """Calls and messages of an entity that have not been answered."""
        calls = self._why.calls_of(self._registry.partition_of(address))
        for call in islice((c for c in calls if envelope_of(c).sender == address), _SHOWN):
            yield from self.reasons.call(call)
        if depth >= _DEPTH:
            return
        for number in range(self._registry.partitions):
            asked = self.where.waiting(number, lambda e: e.sender == address and bool(e.tag))
            for place in islice(asked, _SHOWN):
                yield Reason("asked", f"{address} asked {place.envelope.to}: {place.envelope.type}")
                yield from self._of_message(place, depth + 1)

    def _of_message(self, place: Place, depth: int) -> Iterator[Reason]:
        yield from self.reasons.place(place)
        if place.kind in {"inbox", "held"} and depth < _DEPTH:
            yield from self._why.stopped(place.envelope.to)

    # -- sagas -----------------------------------------------------------------------------------

    def saga(self, address: str) -> tuple[str, Iterator[Reason]]:
        """Why a saga has not ended. Raises NotFound."""
        try:
            shown = self._why.saga_view(address)
        except Damaged:
            return self.entity(address)
        if shown["started_at"] is None:
            key = address.partition("/")[2]
            return self.command(key) or ("running", iter(()))
        return str(shown["status"]), self._of_saga(address, shown, 0)

    def _of_saga(self, address: str, shown: Json, depth: int) -> Iterator[Reason]:
        if shown["ended_at"] is not None:
            yield from _ended(address, shown)
            return
        yield from self.reasons.paused(address)
        if shown["status"] == "compensating":
            code = (shown["problem"] or {}).get("code", "")
            yield Reason("compensating", f"{address} turns back after {code}")
        for step in shown["steps"]:
            if step["status"] in _OPEN:
                yield from self._of_step(address, step, depth)
        if shown["status"] == "running":
            name, _, key = address.removeprefix("saga.").partition("/")
            yield Reason(
                "deadline", f"it turns back by itself at {shown['deadline']}", None,
                f"wherry saga cancel {name} {key}",
            )  # fmt: skip

    def _of_step(self, address: str, step: Json, depth: int) -> Iterator[Reason]:
        undoing = step["status"] == "undoing"
        to = step["undo"]["to"] if undoing else step["to"]
        command = step["undo"]["command"] if undoing else step["command"]
        tag = UNDO + step["name"] if undoing else step["name"]
        said = f"step {step['name']} {_OPEN[step['status']]} {to}: {command}"
        yield Reason("undo" if undoing else "step", said, _ms(step["started_at"]))
        yield from self._answer_from(to, address, tag, depth)

    def _answer_from(self, to: str, asker: str, tag: str, depth: int) -> Iterator[Reason]:
        """Why somebody has not answered an ask."""

        def is_ask(envelope: Envelope) -> bool:
            return (envelope.sender, envelope.tag) == (asker, tag)

        here = self._registry.partition_of(asker)
        if to.partition("/")[0] in self._registry.targets:
            calls = (c for c in self._why.calls_of(here) if is_ask(envelope_of(c)))
            for call in islice(calls, 1):
                yield from self.reasons.call(call)
            return
        if place := self.where.find(self._registry.partition_of(to), is_ask):
            yield from self._of_message(place, depth)
        elif place := self.where.find(here, lambda e: e.to == asker and _answers(e, tag)):
            yield Reason("answered", f"{to} has answered; the answer waits")
            yield from self.reasons.place(place)
        elif depth < _DEPTH:
            yield Reason("unanswered", f"{to} has taken it, and has not answered yet")
            yield from self._blocked(to)
            yield from self._asked_by(to, depth + 1)

    # -- ids -------------------------------------------------------------------------------------

    def command(self, command_id: str) -> tuple[str, Iterator[Reason]] | None:
        """Why a command has no answer; None when none of this id was sent."""
        found = self._why.results(command_id)
        if found is None:
            return None
        number, result = found
        if result.status == "pending":
            return "pending", self._pending(number, command_id)
        return result.status, self._outcome(number, command_id, result)

    def _outcome(self, number: int, command_id: str, result: Result) -> Iterator[Reason]:
        if result.status == "dead":
            place = self.where.find(number, lambda e: e.id == command_id)
            if place is not None:
                yield from self.reasons.place(place)
                return
        code = f" ({result.problem.code})" if result.problem else f" at version {result.version}"
        said = f"nothing: {result.entity} has answered, it was {result.status}{code}"
        yield Reason("nothing", said, None)

    def _pending(self, number: int, command_id: str) -> Iterator[Reason]:
        if place := self.where.find(number, lambda e: e.id == command_id):
            yield from self._of_message(place, 0)
            return
        for name in self._registry.app.sagas:
            address = f"saga.{name}/{command_id}"
            try:
                shown = self._why.saga_view(address)
            except NotFound:
                continue
            if shown["started_at"] is not None:
                yield from self._of_saga(address, shown, 0)
                return
        yield Reason("unanswered", "it was taken; its entity answers when it has heard from others")
        calls = (c for c in self._why.calls_of(number) if _follows(envelope_of(c), command_id))
        for call in islice(calls, _SHOWN):
            yield from self.reasons.call(call)
        for other in range(self._registry.partitions):
            for place in islice(self.where.waiting(other, lambda e: _follows(e, command_id)), 1):
                yield from self._of_message(place, 1)

    def call_of(self, partition: int, id_: str) -> tuple[str, Iterator[Reason]]:
        """Why a call is not settled. Raises NotFound."""
        call = self._why.call(partition, id_)
        if call is None:
            raise NotFound(f"no call {id_!r} waits: it is settled, or there was none")
        state = "parked" if call.parked_ms is not None else "running" if call.running else "waiting"
        return state, self.reasons.call(call)

    def letter(self, id_: str) -> tuple[str, Iterator[Reason]] | None:
        """What to do about a dead letter; None when there is none."""
        letter = self._why.letter(id_)
        if letter is None:
            return None
        place = self.where.find(
            int(id_.partition("-")[0]), lambda e: bool(e.id) and e.id == letter["command_id"]
        )
        dead = place if place and place.id == id_ else _place_of(letter)
        error = str(letter["error"]).strip().splitlines()
        said = Reason("error", f"{letter['code']}: {error[-1] if error else ''}")
        return "dead", iter((dead_letter(dead), said))


def _place_of(letter: Json) -> Place:
    message = letter["message"] if isinstance(letter["message"], dict) else {}
    envelope = Envelope(
        letter["command_id"], letter["entity"], letter["type"],
        sender=str(message.get("from", "")), tag=str(message.get("tag", "")),
    )  # fmt: skip
    return Place("dead", 0, envelope, _ms(letter["at"]) or 0, id=letter["id"])


def _ended(address: str, shown: Json) -> Iterator[Reason]:
    since = _ms(shown["ended_at"])
    code = (shown["problem"] or {}).get("code", "")
    stuck = [step["name"] for step in shown["steps"] if step["status"] == "undo-failed"]
    if shown["status"] == "failed" and stuck and code != "killed":
        name, _, key = address.removeprefix("saga.").partition("/")
        yield Reason(
            "undo-failed", f"{address} could not undo {', '.join(stuck)}", since,
            f"wherry saga retry {name} {key}",
        )  # fmt: skip
        return
    after = f" after {code}" if code else ""
    said = {"completed": "it completed", "compensated": "it was compensated"}
    word = said.get(shown["status"], "it failed")
    yield Reason("nothing", f"nothing: {word} at {shown['ended_at']}{after}", since)


def _answers(envelope: Envelope, tag: str) -> bool:
    if envelope.type != ANSWER:
        return False
    try:
        return _answer.decode(envelope.data).tag == tag
    except msgspec.DecodeError:
        return False


def _follows(envelope: Envelope, command_id: str) -> bool:
    """Whether a message came of a command."""
    return command_id in {envelope.cause, envelope.corr}


def _ms(instant: str | None) -> int | None:
    return None if instant is None else round(datetime.fromisoformat(instant).timestamp() * 1000)
