"""Reasons: why something waits, in words, since when, and the command that unblocks it."""

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from rq import Worker

from wherry.engine.saga_run import UNDO
from wherry.gateway import shapes
from wherry.gateway.breakers import Breakers
from wherry.gateway.effects import envelope_of
from wherry.gateway.shapes import Json
from wherry.gateway.whereabouts import Place
from wherry.store.client import reaching
from wherry.store.effects import StoredCall
from wherry.store.pauses import SENDING, TURNS, Mark, PauseStore, Resting
from wherry.wiring import Runtime
from wherry.workers.queue import open_queue
from wherry.workers.roles import EFFECTS, PUMPS, Role


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason; `since` is in ms, `unblock` a command line. `what` is stable, for programs."""

    what: str
    detail: str
    since: int | None = None
    unblock: str | None = None

    def shown(self) -> Json:
        """The reason as JSON."""
        since = None if self.since is None else shapes.instant(self.since)
        return {
            "what": self.what, "since": since, "detail": self.detail, "unblock": self.unblock,
        }  # fmt: skip


class Reasons:
    """What keeps messages and calls of a namespace from going on, as it is at one moment."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        partitions = runtime.registry.partitions
        self._resting = PauseStore(runtime.store).resting(partitions)
        self._now_ms = runtime.store.now_ms()

    # -- pauses ----------------------------------------------------------------------------------

    def paused(self, address: str) -> Iterator[Reason]:
        """The pauses that keep an entity from taking messages; and that it has to catch up."""
        resting = self._resting[self._runtime.registry.partition_of(address)]
        for name in (TURNS, address.partition("/")[0], address):
            if mark := resting.marks.get(name):
                yield _pause(name, mark)
        if address in resting.holding.ready:
            yield Reason(
                "catching-up", f"{address} was paused: what was held back for it comes first",
                resting.held[address],
            )  # fmt: skip

    def halted(self, partition: int) -> Iterator[Reason]:
        """The pause of everything."""
        if mark := self._resting[partition].marks.get(TURNS):
            yield _pause(TURNS, mark)

    def closed(self) -> Iterator[Reason]:
        """That no commands are accepted."""
        marks = (one.marks.get(SENDING) for one in self._resting)
        if mark := next(filter(None, marks), None):
            said = f"no commands are accepted{_by(mark)}"
            yield Reason("closed", said, mark.since, "wherry resume '*'")

    @property
    def resting(self) -> list[Resting]:
        """What rests, by partition."""
        return self._resting

    # -- messages --------------------------------------------------------------------------------

    def place(self, found: Place) -> Iterator[Reason]:
        """Why a message is still where it is."""
        to = found.envelope.to
        match found.kind:
            case "inbox":
                yield from self.paused(to)
                yield from self.turns(found.partition)
                yield Reason(
                    "inbox", f"its message waits for a turn of {to}, {_behind(found)}"
                    f" in partition {found.partition}", found.since,
                )  # fmt: skip
            case "held":
                yield from self.paused(to)
                yield Reason(
                    "held", f"its message is held back for {to}, {_behind(found)}", found.since,
                )  # fmt: skip
                # While it is paused nobody has to be there.
                if to in self._resting[found.partition].holding.ready:
                    yield from self.turns(found.partition)
            case "timer":
                yield from self.timer(found)
            case _:
                yield dead_letter(found)

    def timer(self, found: Place) -> Iterator[Reason]:
        """Why a timer has not fired."""
        envelope, due = found.envelope, shapes.instant(found.since)
        if found.since > self._now_ms:
            what = "delayed" if envelope.from_outside else "timer"
            unblock = f"wherry timers fire {quote(found.id)}"
            yield Reason(what, f"{envelope.type} to {envelope.to} is due at {due}", None, unblock)
            return
        yield Reason("timer", f"{envelope.type} to {envelope.to} was due at {due}", found.since)
        yield from self.halted(found.partition)
        yield from self.turns(found.partition)

    def turns(self, partition: int) -> Iterator[Reason]:
        """Why nobody takes turns; nothing when a pump is alive."""
        if self._resting[partition].marks.get(TURNS) or self._runtime.store.alive(self._now_ms):
            return
        if not self._workers(PUMPS):
            yield Reason("no-worker", "no worker is there to take turns", None, "wherry worker")
            return
        said = "no pump is alive; a worker starts one soon. If it lasts, look at the workers' logs"
        yield Reason("no-pump", said, None, "wherry doctor")

    # -- calls to the outside world --------------------------------------------------------------

    def call(self, call: StoredCall) -> Iterator[Reason]:
        """Why a call is not settled."""
        envelope = envelope_of(call)
        name = f"the call {envelope.type} to {envelope.to}"
        error = str(shapes.effect(call, envelope)["note"].get("error", "")) if call.note else ""
        if call.parked_ms is not None:
            yield Reason(
                "parked", f"{name} waits for a person{_after(error)}", call.parked_ms,
                f"wherry effects resolve {call.id}",
            )  # fmt: skip
        elif call.running:
            yield Reason("running", f"a runner makes {name} just now, attempt {call.made}")
        else:
            yield from self._waiting_call(call, name, error)

    def _waiting_call(self, call: StoredCall, name: str, error: str) -> Iterator[Reason]:
        due, retry = call.due_ms or 0, f"wherry effects retry {call.id}"
        yield from self.halted(call.partition)
        yield from self._breaker(envelope_of(call).to.partition("/")[0])
        if due > self._now_ms:
            said = f"{name} is tried again at {shapes.instant(due)}, {call.made} attempts were made"
            yield Reason("backing-off", said + _after(error), None, retry)
            return
        yield Reason("due", f"{name} waits for a runner", due)
        if not self._runtime.store.listeners():
            there = self._workers(EFFECTS)
            said = "a worker starts a runner soon" if there else "no worker makes calls"
            unblock = "wherry doctor" if there else "wherry worker"
            yield Reason("no-runner", f"no runner is alive; {said}", None, unblock)

    def _breaker(self, target: str) -> Iterator[Reason]:
        for row in Breakers(self._runtime).states():
            shown = shapes.breaker(row, self._now_ms)
            if row.target == target and shown["state"] == "open":
                said = f"calls to {target} are held back after {row.failures} failures in a row"
                yield Reason(
                    "breaker-open", f"{said}; the next one is let through at {shown['retry_at']}",
                    row.since_ms or None, "wherry breakers",
                )  # fmt: skip

    def _workers(self, role: Role) -> int:
        queue = open_queue(self._runtime.redis, self._runtime.namespace, role)
        with reaching():
            return int(Worker.count(queue=queue))


def dead_letter(found: Place) -> Reason:
    """What can be done about a dead letter."""
    envelope = found.envelope
    unblock = f"wherry dead retry {found.id}"
    if envelope.sender.startswith("saga.") and envelope.tag:
        name, _, key = envelope.sender.removeprefix("saga.").partition("/")
        undo = envelope.tag.startswith(UNDO)
        unblock = f"wherry saga retry {name} {key}" if undo else f"wherry dead drop {found.id}"
    said = f"{envelope.type or 'a message'} to {envelope.to or 'nobody'} could not be handled"
    return Reason("dead-letter", f"{said}; it is dead letter {found.id}", found.since, unblock)


def _behind(found: Place) -> str:
    return f"behind {found.before} others" if found.before else "the first"


def _pause(name: str, mark: Mark) -> Reason:
    what = "everything" if name == TURNS else name
    quoted = f"'{name}'" if name == TURNS else name
    return Reason("paused", f"{what} is paused{_by(mark)}", mark.since, f"wherry resume {quoted}")


def _by(mark: Mark) -> str:
    return (f" by {mark.by}" if mark.by else "") + (f": {mark.reason}" if mark.reason else "")


def _after(error: str) -> str:
    return f"; the last one ended with: {error}" if error else ""
