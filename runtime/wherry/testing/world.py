"""World: a whole app in memory - the engine's own turns, all partitions, a clock of its own."""

import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar, cast, get_type_hints, overload

import msgspec

from wherry.authoring.app import App
from wherry.authoring.effect import Attempt, EffectFunction
from wherry.authoring.messages import Command, Event, Kind, Ref
from wherry.authoring.saga import Saga
from wherry.codec import codec_of, to_json
from wherry.engine.book import Book
from wherry.engine.changes import Changes, Entry, Timer
from wherry.engine.envelope import (
    Envelope,
    Problem,
    Result,
    answer_message,
    raw_body,
    read_envelope,
    read_result,
)
from wherry.engine.record import Change, Fields, Record, fresh, preview
from wherry.engine.registry import Registry, check, split_address
from wherry.engine.saga_state import Cancel, Kill, SagaState
from wherry.engine.specs import KindSpec
from wherry.engine.supervision import RESTART, Attention
from wherry.engine.turn import Turn
from wherry.errors import NotFound, Rejected, Transient
from wherry.testing.clock import Clock
from wherry.testing.outcomes import Failed, answer_to

I = TypeVar("I")  # noqa: E741
K = TypeVar("K", bound=Kind)
R = TypeVar("R")

#: A world that takes more turns than this without a pause goes round in circles.
RESTLESS = 100_000


@dataclass(slots=True)
class _Stored:
    """An entity as Redis would keep it: JSON."""

    state: bytes
    status: str
    books: dict[str, Book]
    log: list[Fields] = field(default_factory=list)


@dataclass(slots=True)
class _Partition:
    """An inbox, the timers and the cursor."""

    inbox: deque[Entry] = field(default_factory=deque)
    timers: dict[str, Timer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Logged:
    """One event of a log, with where it came from."""

    version: int
    event: Event
    at: datetime
    id: str
    cause: str
    corr: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the outside world that waits: `key` is its idempotency key."""

    id: str
    target: str
    key: str
    command: Any
    sender: str


@dataclass(frozen=True)
class Sent(Generic[R]):
    """A command that was sent. Asks the world each time, so it may be pending first."""

    world: "World"
    id: str
    answers: Any

    @property
    def status(self) -> str:
        """`pending`, `done`, `rejected` or `dead` (its handler raised)."""
        return self._result.status

    @property
    def reply(self) -> R:
        """The reply. Fails the test if there is none."""
        result = self._result
        if result.status != "done":
            raise AssertionError(f"{self.id} is {result.status}: {result.problem}")
        reply: R = codec_of(self.answers).decode(result.reply)
        return reply

    @property
    def rejected(self) -> str | None:
        """The code of the rejection, or None."""
        return self.problem.code if self.status == "rejected" and self.problem else None

    @property
    def problem(self) -> Problem | None:
        """What was wrong."""
        return self._result.problem

    @property
    def version(self) -> int:
        """The entity's version when it answered."""
        return self._result.version

    @property
    def _result(self) -> Result:
        return self.world.result(self.id)


@dataclass(frozen=True)
class SagaRun(Generic[R]):
    """A saga that was started. `caller` is what whoever started it is told."""

    world: "World"
    address: str
    caller: Sent[R]

    @property
    def id(self) -> str:
        """The saga's key."""
        return self.address.partition("/")[2]

    @property
    def state(self) -> SagaState[Any]:
        """What the saga remembers."""
        return cast("SagaState[Any]", self.world.state(self.address))

    @property
    def status(self) -> str:
        """`running`, `compensating`, `completed`, `compensated`, `failed`; empty if not begun."""
        return self.state.status

    @property
    def result(self) -> R:
        """The result. Fails the test if the saga is not completed."""
        return self.caller.reply

    @property
    def problem(self) -> Problem | None:
        """Why it turned back, or failed."""
        return self.state.problem

    @property
    def steps(self) -> dict[str, str]:
        """The status of each step that has begun."""
        return {step.name: step.status for step in self.state.steps}

    def cancel(self) -> Sent[Any]:
        """Ask it to turn back."""
        return self.world.tell(self.address, Cancel())

    def kill(self) -> Sent[Any]:
        """End it at once."""
        return self.world.tell(self.address, Kill())


class World:
    """An app that runs in memory, in milliseconds.

        world = World(app)
        world.send("port/rotterdam", RegisterPort("Rotterdam", 2, 51.95, 4.05))
        went = world.start("docking", StartDocking("v1", "rotterdam"))
        world.advance(timedelta(minutes=30))
        assert went.problem.code == "vessel-not-registered"

    `send` and `start` wait until nothing more happens, unless `run=False`. With a `seed`,
    partitions take turns in a random order; `batch` is how many entries a turn takes.

    `outside` has a plain function for each effect that should be answered at once; the others wait
    in `calls`, until `settle` says what became of them.
    """

    def __init__(
        self,
        app: App,
        *,
        partitions: int = 4,
        clock: Clock | None = None,
        seed: int | None = None,
        batch: int = 100,
        outside: Mapping[type[Command[Any, Any]], EffectFunction] | None = None,
    ) -> None:
        self.registry = Registry(app, partitions)
        check(self.registry)
        self.clock = clock or Clock()
        self.dead: list[dict[str, str]] = []
        #: What supervision remembers, by address; and what was counted.
        self.attention: dict[str, Attention] = {}
        self.counters: Counter[str] = Counter()
        self._random = random.Random(seed)  # noqa: S311 - it chooses an order, nothing secret
        self._in_order = seed is None
        self._batch = batch
        self._partitions = [_Partition() for _ in range(partitions)]
        self._stored: dict[str, _Stored] = {}
        self._results: dict[str, bytes] = {}
        self._stalled: set[int] = set()
        self._outside = {command.__name__: fn for command, fn in (outside or {}).items()}
        self._calls: dict[str, Envelope] = {}
        self._entries = 0
        self._ids = 0

    # -- acting ----------------------------------------------------------------------------------

    def send(
        self,
        to: str | Ref[K],
        command: Command[K, R],
        *,
        id: str = "",
        expect: int | None = None,
        run: bool = True,
    ) -> Sent[R]:
        """Send a command. One with an `id` that came before gets the first answer."""
        return self._post(str(to), command, type(command).__name__, id, expect=expect, run=run)

    def tell(self, to: str, command: Command[Any, Any]) -> Sent[Any]:
        """Put a command into its inbox, and let nothing happen yet."""
        return self.send(to, command, run=False)

    @overload
    def start(
        self, saga: Saga[I, Any, R], given: I, *, id: str = "", run: bool = True
    ) -> SagaRun[R]: ...

    @overload
    def start(self, saga: str, given: Any, *, id: str = "", run: bool = True) -> SagaRun[Any]: ...

    def start(
        self,
        saga: str | Saga[Any, Any, Any],
        given: Any,
        *,
        id: str = "",
        run: bool = True,
    ) -> SagaRun[Any]:
        """Start a saga."""
        name = saga if isinstance(saga, str) else saga.name
        address = f"saga.{name}/{id or self._next_id(name)}"
        sent = self._post(address, given, "Start", "", run=run)
        return SagaRun(self, address, sent)

    def advance(self, by: timedelta) -> None:
        """Let time pass, and every timer fire when it is due."""
        self.run()
        end = self.clock.ms + round(by.total_seconds() * 1000)
        while (due := self.next_due()) is not None and due <= end:
            self.clock.reach(max(due, self.clock.ms))
            self.sweep()
        self.clock.reach(end)

    def sweep(self) -> None:
        """Fire the timers that are due, and run until nothing more happens.

        To see what holds while the sweep is late, move `clock` and leave this out.
        """
        for partition in self._partitions:
            due = [t for t in partition.timers.values() if t.due_ms <= self.clock.ms]
            for timer in sorted(due, key=lambda t: t.due_ms):
                del partition.timers[timer.id]
                partition.inbox.append(self._entry(timer.message))
        self.run()

    def run(self) -> None:
        """Take turns, and make the calls that have a function, until nothing more happens."""
        for _ in range(RESTLESS):
            if not (self.step() or self._call_outside()):
                return
        raise AssertionError(f"no rest after {RESTLESS} turns: entities answer each other for ever")

    def step(self) -> bool:
        """Take one turn of one partition; False when nothing waits that may be taken."""
        number = self._choose()
        if number is None:
            return False
        self._commit(self._partitions[number], self._turn(number))
        return True

    def restart(self, of: str | Ref[Any]) -> None:
        """Let an entity that was stopped go on, as an operator would."""
        envelope = Envelope(self._next_id("r"), str(of), RESTART)
        self._deliver(self.registry.partition_of(str(of)), to_json(envelope))
        self.run()

    def calls(self, command: type[Command[Any, Any]] | None = None) -> list[Call]:
        """The calls to the outside world that nobody has answered, the oldest first."""
        name = command.__name__ if command else ""
        return [self._shown(e) for e in self._calls.values() if name in {"", e.type}]

    def settle(self, call: Call, outcome: Any, *, run: bool = True) -> None:
        """Say what became of a call: a reply, `Rejected(code)`, `Failed()` or `Unknown()`."""
        envelope = self._calls.pop(call.id)
        if envelope.tag:
            answer = answer_to(type(call.command), outcome, envelope.carry, envelope.tag)
            message = answer_message(envelope, f"{envelope.id}.answer", answer)
            self._deliver(self.registry.partition_of(envelope.sender), to_json(message))
        if run:
            self.run()

    def _call_outside(self) -> bool:
        waiting = [e for e in self._calls.values() if e.type in self._outside]
        if not waiting:
            return False
        call = self._shown(waiting[0])
        attempt = Attempt(call.key, 1, 0.0)
        try:
            outcome = self._outside[waiting[0].type](call.command, attempt)
        except Rejected as error:
            outcome = error
        except Transient as error:
            outcome = Failed("effect-failed", str(error))
        self.settle(call, outcome, run=False)
        return True

    def _shown(self, envelope: Envelope) -> Call:
        target, _, key = envelope.to.partition("/")
        command = self.registry.effect(target, envelope.type).codec.decode(envelope.data)
        return Call(envelope.id, target, key, command, envelope.sender)

    def crash(self) -> bool:
        """Take one turn, and die before it is stored: nothing may be different."""
        number = self._choose()
        if number is not None:
            self._turn(number)
        return number is not None

    def hold(self, of: str | Ref[Any]) -> None:
        """Let the partition of an entity take no turns: its messages wait."""
        self._stalled.add(self.registry.partition_of(str(of)))

    def release(self) -> None:
        """Let every partition take turns again."""
        self._stalled.clear()

    # -- looking ---------------------------------------------------------------------------------

    def state(self, of: str | Ref[Any]) -> Any:
        """The state of an entity; the initial one if nothing has happened to it."""
        return self._record(str(of)).state

    def status(self, of: str | Ref[Any]) -> str:
        """The status of an entity."""
        return self._record(str(of)).status

    def version(self, of: str | Ref[Any]) -> int:
        """How many events an entity has."""
        return self._record(str(of)).version

    def events(self, of: str | Ref[Any]) -> list[Event]:
        """The events of an entity."""
        return [logged.event for logged in self.log(of)]

    def log(self, of: str | Ref[Any]) -> list[Logged]:
        """The events of an entity, with when and why they happened."""
        spec, stored = self._record(str(of)).spec, self._stored.get(str(of))
        entries = enumerate(stored.log if stored else [], start=1)
        return [_logged(spec, version, fields) for version, fields in entries]

    def entities(self, kind: str = "") -> list[str]:
        """The addresses of all entities that something has happened to, or of one kind."""
        return sorted(a for a in self._stored if kind in {"", a.partition("/")[0]})

    def result(self, id: str) -> Result:
        """What became of a command."""
        found = self._results.get(id)
        return read_result(found) if found else Result("pending", id)

    def next_due(self) -> int | None:
        """When the earliest timer is due, in ms."""
        dues = [t.due_ms for p in self._partitions for t in p.timers.values()]
        return min(dues, default=None)

    def timers(self, of: str | Ref[Any]) -> dict[str, int]:
        """The timers of an entity: name to when it is due, in ms."""
        prefix = f"{of}:"
        return {
            id_.removeprefix(prefix): timer.due_ms
            for partition in self._partitions
            for id_, timer in partition.timers.items()
            if id_.startswith(prefix)
        }

    def book(self, of: str | Ref[Any], pool: str) -> Book:
        """Who holds the places of an entity's pool, and how many there are."""
        return self._record(str(of)).books[pool]

    def replay(self, of: str | Ref[Any]) -> Any:
        """The state as its log tells it."""
        record = fresh(self._record(str(of)).spec, str(of).partition("/")[2])
        return preview(record, self.events(of)).state

    def check(self) -> None:
        """Require that every state is what its log tells, and that no handler has failed."""
        if self.dead:
            raise AssertionError(f"dead letters: {self.dead}")
        for address in self.entities():
            if (told := self.replay(address)) != (kept := self.state(address)):
                raise AssertionError(f"{address}: its log tells {told}, its state is {kept}")

    # -- the store -------------------------------------------------------------------------------

    def _post(
        self, to: str, command: Any, name: str, id_: str, *, expect: int | None = None, run: bool
    ) -> Sent[Any]:
        id_ = id_ or self._next_id("c")
        if id_ not in self._results:
            self._results[id_] = b""
            envelope = Envelope(id_, to, name, raw_body(command), expect=expect)
            self._deliver(self.registry.partition_of(to), to_json(envelope))
        if run:
            self.run()
        return Sent(self, id_, self._answers(to, name))

    def _answers(self, to: str, name: str) -> Any:
        """The type of a command's reply; a saga's result is what its `result` says it returns."""
        kind = to.partition("/")[0]
        if name == "Start" and (saga := self.registry.app.sagas.get(kind.removeprefix("saga."))):
            return get_type_hints(saga.result).get("return", Any)
        try:
            return self.registry.command(kind, name).reply.of
        except NotFound:
            return Any

    def _next_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}{self._ids}"

    def _entry(self, message: bytes) -> Entry:
        self._entries += 1
        return Entry(f"{self._entries}-0", message)

    def _deliver(self, partition: int, message: bytes) -> None:
        self._partitions[partition].inbox.append(self._entry(message))

    def _choose(self) -> int | None:
        every = range(len(self._partitions))
        waiting = [n for n in every if self._partitions[n].inbox and n not in self._stalled]
        if not waiting:
            return None
        if self._in_order:
            return min(waiting, key=lambda n: int(self._partitions[n].inbox[0].id[:-2]))
        return self._random.choice(waiting)

    def _turn(self, number: int) -> Changes:
        inbox = self._partitions[number].inbox
        changes = Changes(number, "", self.clock.ms)
        turn = Turn(
            self.registry, changes, self._load, self._reload, attention=dict(self.attention)
        )
        return turn.run(list(inbox)[: self._batch])

    def _load(self, addresses: Sequence[str]) -> dict[str, Record]:
        return {address: self._record(address) for address in addresses}

    def _reload(self, address: str) -> Record:
        record = self._record(address)
        record.state = self.replay(address)
        return record

    def _record(self, address: str) -> Record:
        kind, key = split_address(address)
        record = fresh(self.registry.kind(kind), key)
        if stored := self._stored.get(address):
            record.state = record.spec.state.decode(stored.state)
            record.status, record.books = stored.status, stored.books
            record.version = len(stored.log)
        return record

    def _commit(self, partition: _Partition, changes: Changes) -> None:
        for record, change in changes.entities:
            self._keep(record, change)
        for number, message in changes.messages:
            self._deliver(number, message)
        for id_, timer in changes.timers.items():
            partition.timers.pop(id_, None)
            if timer.message:
                partition.timers[id_] = timer
        self._results.update({id_: result for id_, result, _ in changes.results})
        self._calls |= {id_: read_envelope(call) for id_, call in changes.effects}
        self._heed(changes.attention)
        self.counters += changes.counters
        self.dead += [_words(fields) for fields in changes.dead]
        for _ in range(changes.taken):
            partition.inbox.popleft()

    def _heed(self, attention: Mapping[str, bytes]) -> None:
        for address, kept in attention.items():
            if kept:
                self.attention[address] = msgspec.json.decode(kept, type=Attention)
            else:
                self.attention.pop(address, None)

    def _keep(self, record: Record, change: Change) -> None:
        before = self._stored.get(record.address)
        log = before.log if before else []
        state = record.spec.state.encode(record.state)
        kept = _Stored(state, record.status, record.books, log + change.events)
        self._stored[record.address] = kept


def _words(fields: Fields) -> dict[str, str]:
    words = [f.decode() if isinstance(f, bytes) else f for f in fields]
    return dict(zip(words[::2], words[1::2], strict=True))


def _logged(spec: KindSpec, version: int, fields: Fields) -> Logged:
    words = _words(fields)
    event = spec.events[words["type"]].codec.decode(msgspec.Raw(words["data"].encode()))
    at = datetime.fromtimestamp(int(words["at"]) / 1000, UTC)
    id_ = words["id"]
    return Logged(version, event, at, id_, words.get("cause", ""), words.get("corr", id_))
