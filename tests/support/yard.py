"""A yard: boxes that take numbers, fans that send them, a saga that fills boxes - on a real store.

Boxes do on command what a bundle should not do, too: raise, or return what is no JSON.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from redis import Redis

from wherry.authoring.app import App
from wherry.authoring.decisions import Accepted, Ask, Context, StartTimer, StopTimer, Tell, accept
from wherry.authoring.entity import Entity
from wherry.authoring.messages import Command, Event, Kind, message
from wherry.authoring.pool import Pool
from wherry.authoring.saga import Saga, Step
from wherry.codec import to_json
from wherry.engine.changes import Changes, Entry, stream_id
from wherry.engine.envelope import EMPTY, Envelope, Result, raw_body
from wherry.engine.holding import Holding
from wherry.engine.record import Record
from wherry.engine.registry import Registry, check, split_address
from wherry.engine.supervision import Attention
from wherry.engine.turn import Turn
from wherry.errors import Rejected
from wherry.store import library
from wherry.store.calls import Sending
from wherry.store.client import Committed, Refused, Store
from wherry.store.pauses import PauseStore
from wherry.store.records import fold_event

NOW = 1_800_000_000_000


class BoxKind(Kind):
    name = "box"


class FanKind(Kind):
    name = "fan"


@message
class Add(Command[BoxKind, int]):
    """Take a number; `refuse` and `explode` say how it ends instead."""

    number: int
    by: str = ""
    how: str = ""


@message
class Close(Command[BoxKind, None]):
    pass


@message
class Remove(Command[BoxKind, None]):
    number: int


@message
class Resize(Command[BoxKind, None]):
    limit: int


@message
class Hold(Command[BoxKind, None]):
    hold: str
    until: datetime


@message
class Keep(Command[BoxKind, None]):
    hold: str


@message
class Free(Command[BoxKind, None]):
    hold: str


@message
class Remind(Command[BoxKind, None]):
    """Start a timer that adds a number; a negative one stops it."""

    number: int
    due: datetime


@message
class Bad(Command[BoxKind, Any]):
    """Return something that cannot be stored."""

    what: str


@message
class Added(Event):
    number: int
    by: str
    at: datetime
    share: float = 0.0


@message
class Removed(Event):
    number: int


@message
class Closed(Event):
    pass


@message
class Resized(Event):
    limit: int


@message
class Held(Event):
    hold: str
    until: datetime


@message
class Kept(Event):
    hold: str


@message
class Freed(Event):
    hold: str


@message
class Weird(Event):
    thing: Any


@dataclass(frozen=True, slots=True)
class Box:
    status: str = ""
    seen: tuple[tuple[str, int], ...] = ()
    last: datetime | None = None
    waited: timedelta = timedelta(0)
    share: float = 0.0
    thing: Any = None


places = Pool("places", most=5, full="full", below="too-few")
places.limited_by(Resized, lambda e: e.limit)
places.held_by(Held, lambda e: e.hold, until=lambda e: e.until, then=lambda e: Free(e.hold))
places.kept_by(Kept, lambda e: e.hold)
places.freed_by(Freed, lambda e: e.hold)

LIFECYCLE = {"": ("open",), "open": ("closed",)}
box = Entity(BoxKind, Box(), lifecycle=LIFECYCLE, pools=[places])


@box.handles(Add)
def add(state: Box, command: Add, ctx: Context) -> Accepted[int]:
    if command.how == "refuse":
        raise Rejected("no", "as it was told")
    if command.how == "explode":
        raise ValueError("as it was told")
    return accept(command, Added(command.number, command.by, ctx.now), reply=len(state.seen) + 1)


@box.handles(Remove)
def remove(state: Box, command: Remove, ctx: Context) -> Accepted[None]:
    if command.number < 0:
        raise Rejected("cannot-undo")
    return accept(command, Removed(command.number), reply=None)


@box.handles(Close)
def close(state: Box, command: Close, ctx: Context) -> Accepted[None]:
    return accept(command, Closed(), reply=None)


@box.handles(Resize)
def resize(state: Box, command: Resize, ctx: Context) -> Accepted[None]:
    return accept(command, Resized(command.limit), reply=None)


@box.handles(Hold)
def hold(state: Box, command: Hold, ctx: Context) -> Accepted[None]:
    return accept(command, Held(command.hold, command.until), reply=None)


@box.handles(Keep)
def keep(state: Box, command: Keep, ctx: Context) -> Accepted[None]:
    return accept(command, Kept(command.hold), reply=None)


@box.handles(Free)
def free(state: Box, command: Free, ctx: Context) -> Accepted[None]:
    return accept(command, Freed(command.hold), reply=None)


@box.handles(Remind)
def remind(state: Box, command: Remind, ctx: Context) -> Accepted[None]:
    if command.number < 0:
        return accept(command, reply=None, timers=(StopTimer("remind"),))
    timer = StartTimer("remind", command.due, Add(command.number, by="timer"))
    return accept(command, reply=None, timers=(timer,))


@box.handles(Bad)
def bad(state: Box, command: Bad, ctx: Context) -> Accepted[Any]:
    done: dict[str, Any] = {
        "reply": lambda: accept(command, reply=object()),
        "event": lambda: accept(command, Weird(object()), reply=None),
        "unknown event": lambda: accept(command, Event(), reply=None),
        "unreadable event": lambda: accept(
            command, Added(1, "", ctx.now, float("nan")), reply=None
        ),
        "message": lambda: accept(
            command,
            reply=None,
            sends=(Tell(BoxKind.ref("b"), Add(object())),),  # type: ignore[arg-type]
        ),
        "timer": lambda: accept(
            command,
            reply=None,
            timers=(StartTimer("t", ctx.now, Add(object())),),  # type: ignore[arg-type]
        ),
        "timer name": lambda: accept(command, reply=None, timers=(StopTimer("\ud800"),)),
        "nothing": lambda: None,
        "words": lambda: _raise(ValueError("\ud800")),
        "wordless": lambda: _raise(Wordless()),
        "rejection": lambda: _raise(Rejected("\ud800", "\ud800")),
        "rejection with no JSON": lambda: _raise(Rejected("no", "but why", thing=object())),
        "rejection with no text": lambda: _raise(Rejected("no", "but why", thing="\ud800")),
        "text": lambda: accept(command, Added(1, "\ud800", ctx.now), reply=None),
        "early timer": lambda: accept(
            command, reply=None, timers=(StartTimer("t", datetime(1960, 1, 1, tzinfo=UTC), Add(8)),)
        ),
        "state": lambda: accept(command, Weird("no JSON"), reply=None),
    }
    accepted: Accepted[Any] = done[command.what]()
    return accepted


class Wordless(Exception):
    """An error that fails when it is asked what it says."""

    def __str__(self) -> str:
        raise ValueError("no words")


def _raise(error: Exception) -> Any:
    raise error


@box.folds(Added)
def added(state: Box, event: Added) -> Box:
    waited = event.at - state.last if state.last else timedelta(0)
    seen = (*state.seen, (event.by, event.number))
    return replace(
        state, status=state.status or "open", seen=seen, last=event.at, waited=waited,
        share=event.share,
    )  # fmt: skip


@box.folds(Removed)
def removed(state: Box, event: Removed) -> Box:
    return replace(state, seen=tuple(s for s in state.seen if s[1] != event.number))


@box.folds(Closed)
def closed(state: Box, event: Closed) -> Box:
    return replace(state, status="closed")


@box.folds(Weird)
def weird(state: Box, event: Weird) -> Box:
    return replace(state, thing=object())


@box.folds(Resized)
def resized(state: Box, event: Resized) -> Box:
    return replace(state, status=state.status or "open")


@box.folds(Held)
def held(state: Box, event: Held) -> Box:
    return state


@box.folds(Kept)
def kept(state: Box, event: Kept) -> Box:
    return state


@box.folds(Freed)
def freed(state: Box, event: Freed) -> Box:
    return state


@message
class Blow(Command[FanKind, None]):
    """Send the next `count` numbers to a box; then tell `next` fans to do the same."""

    to: str
    count: int
    then: tuple[str, ...] = ()


@message
class Pass(Command[FanKind, None]):
    """Send a number on; nothing is stored here, so that only the cursor tells who was first."""

    to: str
    number: int


@message
class Blown(Event):
    count: int


@dataclass(frozen=True, slots=True)
class Fan:
    sent: int = 0


fan = Entity(FanKind, Fan())


@fan.handles(Blow)
def blow(state: Fan, command: Blow, ctx: Context) -> Accepted[None]:
    numbers = range(state.sent, state.sent + command.count)
    sends: list[Tell[Any]] = [
        Tell(BoxKind.ref(command.to), Add(number, by=ctx.key)) for number in numbers
    ]
    if command.then:
        onward = Blow(command.to, command.count, command.then[1:])
        sends.append(Tell(FanKind.ref(command.then[0]), onward))
    return accept(command, Blown(command.count), reply=None, sends=tuple(sends))


@fan.handles(Pass)
def pass_on(state: Fan, command: Pass, ctx: Context) -> Accepted[None]:
    number = Add(command.number, by=ctx.key)
    return accept(command, reply=None, sends=(Tell(BoxKind.ref(command.to), number),))


@fan.folds(Blown)
def blown(state: Fan, event: Blown) -> Fan:
    return replace(state, sent=state.sent + event.count)


@message
class Fill:
    """Input of the saga: how each step ends, by name of the step."""

    box: str
    how: dict[str, str] = field(default_factory=dict)
    parts: tuple[int, ...] = (30, 31)


@dataclass(frozen=True, slots=True)
class Filling:
    given: Fill
    replies: tuple[int, ...] = ()


def _start(given: Fill, ctx: Context) -> Filling:
    return Filling(given)


def _ask(state: Filling, step: str, number: int) -> Ask[BoxKind, int]:
    how = state.given.how.get(step, "")
    if how == "ask":
        raise ValueError("no ask")
    if how == "unsendable":
        return Ask(BoxKind.ref(state.given.box), Add(object()))  # type: ignore[arg-type]
    command = Add(number, by=step, how=how if how in {"refuse", "explode"} else "")
    return Ask(BoxKind.ref(state.given.box), command, timeout=timedelta(seconds=10))


def _undo(state: Filling, step: str, number: int) -> Tell[BoxKind]:
    bad_undo = state.given.how.get(f"undo {step}") == "refuse"
    return Tell(BoxKind.ref(state.given.box), Remove(-1 if bad_undo else number))


def _keep(state: Filling, reply: int, step: str) -> Filling:
    if state.given.how.get(step) == "keep":
        raise ValueError("no keep")
    return replace(state, replies=(*state.replies, reply))


def _result(state: Filling) -> int:
    if state.given.how.get("result"):
        raise ValueError("no result")
    return len(state.replies)


def _items(state: Filling) -> tuple[int, ...]:
    if state.given.how.get("items"):
        raise ValueError("no items")
    return state.given.parts


fill = Saga("fill", start=_start, result=_result, deadline=timedelta(minutes=1))
fill.step(
    "first",
    lambda s: _ask(s, "first", 10),
    keep=lambda s, r: _keep(s, r, "first"),
    undo=lambda s: _undo(s, "first", 10),
)
fill.step(
    "maybe",
    lambda s: _ask(s, "maybe", 15),
    undo=lambda s: _undo(s, "maybe", 15),
    when=lambda s: "maybe" in s.given.how,
)
fill.together(
    Step("left", lambda s: _ask(s, "left", 20), undo=lambda s: _undo(s, "left", 20)),
    Step("right", lambda s: _ask(s, "right", 21), undo=lambda s: _undo(s, "right", 21)),
)
fill.each(
    "parts",
    _items,
    lambda s, n: _ask(s, f"part{n}", n),
    keep=lambda s, n, r: _keep(s, r, f"part{n}"),
    undo=lambda s, n: _undo(s, f"part{n}", n),
)
fill.step("last", lambda s: _ask(s, "last", 40))

APP = App([box, fan, fill])


@dataclass
class Yard:
    """The app on a Redis; turns are taken by hand."""

    redis: Redis
    partitions: int = 1
    namespace: str = "yard"
    now: int = NOW
    sent: int = 0
    app: App = APP

    def __post_init__(self) -> None:
        self.registry = Registry(self.app, self.partitions)
        check(self.registry)
        library.load(self.redis, self.namespace, self.registry)
        self.store = Store(self.redis, self.namespace)

    def send(self, to: str, command: Any, **more: Any) -> str:
        """Send a command from outside; return its id."""
        return self.send_raw(to, type(command).__name__, raw_body(command), **more)

    def send_raw(self, to: str, type_: str, data: Any = EMPTY, **more: Any) -> str:
        self.sent += 1
        envelope = Envelope(f"c{self.sent}", to, type_, data, **more)
        return self.put(envelope)

    def put(self, envelope: Envelope) -> str:
        partition = self.registry.partition_of(envelope.to)
        self.store.send(Sending(partition, to_json(envelope), envelope.id, self.now))
        return envelope.id

    def start(self, key: str, given: Fill) -> str:
        return self.send_raw(f"saga.fill/{key}", "Start", raw_body(given))

    def pump(self, partition: int = 0) -> "Pump":
        return Pump(self, partition)

    def settle(self, batch: int = 256) -> None:
        """Take turns until every inbox is empty."""
        while sum(Pump(self, p).step(batch) for p in range(self.partitions)):
            pass

    def fire(self, later: timedelta = timedelta(0)) -> None:
        """Let time pass, and fire what is due."""
        self.now += round(later.total_seconds() * 1000)
        for partition in range(self.partitions):
            self.store.fire(partition, self.now)

    def result(self, id_: str, to: str = "box/b") -> Result:
        found = self.store.result(self.registry.partition_of(to), id_)
        assert found is not None
        return found

    def record(self, address: str) -> Record:
        return self.store.load(self.registry, [address])[address]

    def events(self, address: str) -> list[dict[bytes, bytes]]:
        """Its log; the ids must be gapless."""
        kind, key = split_address(address)
        own = self.store.keys.partition(self.registry.partition_of(address))
        log: Any = self.redis.xrange(own.log(kind, key))
        assert [f"{n + 1}-0".encode() for n in range(len(log))] == [id_ for id_, _ in log]
        return [fields for _, fields in log]

    def folded(self, address: str) -> Any:
        """The state as a fold of the whole log."""
        spec = self.registry.kind(split_address(address)[0])
        state = spec.first_state()
        for fields in self.events(address):
            state = fold_event(spec, state, fields)
        return state

    def dead(self, partition: int = 0) -> list[dict[bytes, bytes]]:
        found: Any = self.redis.xrange(self.store.keys.partition(partition).dead)
        return [fields for _, fields in found]


@dataclass
class Pump:
    """One pump of one partition, whose steps can be interleaved with those of another."""

    yard: Yard
    partition: int
    cursor: str = ""
    barrier: str = "0-0"
    epoch: int = 0
    holding: Holding = field(default_factory=Holding)
    records: dict[str, Record] = field(default_factory=dict)
    pending: Changes | None = None

    def step(self, batch: int = 256) -> bool:
        """A whole turn; whether there was one."""
        if not self.compute(batch):
            return False
        outcome = self.commit()
        assert isinstance(outcome, Committed), outcome
        return True

    def compute(self, batch: int = 256) -> bool:
        store, number = self.yard.store, self.partition
        if not self.cursor:
            found = PauseStore(store).standing(number)
            self.cursor, self.barrier = found.cursor, found.barrier
            self.epoch, self.holding = found.epoch, found.holding
        entries = store.read({number: self.cursor}, count=batch, block_ms=None).get(number, [])
        return bool(entries or self.holding.ready) and self.process(entries, batch)

    def process(self, entries: list[Entry], batch: int = 256) -> bool:
        changes = Changes(self.partition, self.cursor, self.yard.now, epoch=self.epoch)
        turn = Turn(
            self.yard.registry, changes, self._load, self._reload, "v1", stream_id(self.barrier),
            self._attention(), holding=self.holding,
        )  # fmt: skip
        if self.holding.ready:
            ready = sorted(self.holding.ready)
            turn.release(ready, PauseStore(self.yard.store).held(self.partition, ready, batch))
        self.pending = turn.run(entries)
        return True

    def commit(self) -> Committed | Refused:
        changes, self.pending = self.pending, None
        assert changes is not None
        outcome = self.yard.store.commit(changes, result_ttl_ms=60_000)
        if isinstance(outcome, Refused):
            self.cursor = ""
            self.records.clear()
        else:
            self.cursor = changes.upto or self.cursor
            self.barrier = outcome.barrier or self.barrier
            self.epoch += 1 if changes.released else 0
        return outcome

    def _load(self, addresses: Any) -> dict[str, Record]:
        missing = [a for a in addresses if a not in self.records]
        self.records.update(self.yard.store.load(self.yard.registry, missing))
        return {a: self.records[a] for a in addresses}

    def _reload(self, address: str) -> Record:
        return self.yard.store.rebuild(self.yard.registry, address)

    def _attention(self) -> dict[str, Attention]:
        found = self.yard.store.attention(self.partition)
        return {
            address: msgspec.json.decode(kept, type=Attention) for address, kept in found.items()
        }
