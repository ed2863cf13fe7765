"""What an entity is by its log: its events folded one after the other, with nothing believed.

All that is stored of it beside the log follows from that: state, status, pools, the timers that
end holds, and the clock of a saga.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from wherry.codec import to_json
from wherry.engine.book import Book
from wherry.engine.envelope import Envelope, raw_body
from wherry.engine.saga_state import Tick
from wherry.engine.silence import RECEIVE_TIMEOUT, is_waiting
from wherry.engine.specs import EventSpec, KindSpec
from wherry.engine.upcasting import UnknownEvent
from wherry.store.records import stored_event

Hash = dict[bytes, bytes]
Entry = tuple[bytes, Hash]

TICK = "tick"


@dataclass(frozen=True, slots=True)
class WantedTimer:
    """A timer that the runtime itself has to keep; one that is not `exact` may also be later."""

    id: str
    due_ms: int
    message: bytes
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a log cannot be read on: at an entry that is missing, or that does not fit the code."""

    code: str
    detail: str


@dataclass(slots=True)
class Told:
    """An entity as far as its log has been read. With a `fault`, the rest is not to be trusted.

    kept    its state, encoded, as it was at version `snapshot`
    strict  whether a change of status that the lifecycle does not have is a fault; it may be an
            old one, that an earlier lifecycle has had
    holds   for each hold that ends: the event that began it, and the command that ends it
    """

    spec: KindSpec
    key: str
    snapshot: int = 0
    strict: bool = False
    version: int = 0
    at_ms: int = 0
    state: Any = None
    status: str = ""
    books: dict[str, Book] = field(default_factory=dict)
    kept: bytes | None = None
    fault: Fault | None = None
    holds: dict[tuple[str, str], tuple[Hash, Any]] = field(default_factory=dict)
    last: Hash = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = self.spec.first_state()
        self.books = {pool.name: Book() for pool in self.spec.pools}

    @property
    def address(self) -> str:
        """`kind/key`."""
        return f"{self.spec.name}/{self.key}"

    def read(self, entries: Iterable[Entry]) -> None:
        """Fold the next entries of the log, up to the first that is at fault."""
        for id_, fields in entries:
            if self.fault is not None:
                return
            self.take(id_, fields)

    def take(self, id_: bytes, fields: Hash) -> None:
        """Fold one entry."""
        number = self.version + 1
        if id_ != b"%d-0" % number:
            said = f"after version {self.version} comes {id_.decode()}"
            self.fault = Fault("log-gap", f"its log has a gap: {said}")
            return
        type_ = fields.get(b"type", b"").decode(errors="replace")
        try:
            at_ms = int(fields[b"at"])
            found = stored_event(self.spec, fields)
            if found is not None:
                self._fold(*found, fields)
        except _Illegal as error:
            self.fault = Fault("transition", f"version {number} {error}, which is not allowed")
            return
        except UnknownEvent as error:
            self.fault = Fault("event-unknown", f"version {number}: {error}")
            return
        except Exception as error:  # noqa: BLE001 - a fold is the bundle's code
            said = f"{type(error).__name__}: {error}"
            self.fault = Fault("event-unreadable", f"version {number}, {type_}: {said}")
            return
        self.version, self.at_ms, self.last = number, at_ms, fields
        if number == self.snapshot:
            self.kept = self.encoded()

    def encoded(self) -> bytes:
        """The state as it is stored; empty when it is no JSON, so that it is read from the log."""
        try:
            return self.spec.state.encode(self.state)
        except Exception:  # noqa: BLE001 - a fold of the bundle may make anything
            return b""

    def pool_fields(self) -> dict[str, str]:
        """The pools as they are stored; what is 0 may also be absent."""
        told: dict[str, str] = {}
        for pool, book in self.books.items():
            told |= {f"pool:{pool}:hold:{hold}": end for hold, end in book.holds.items()}
            told[f"pool:{pool}:limit"] = str(book.limit)
            told[f"pool:{pool}:used"] = str(len(book.holds))
        return told

    def timers(self) -> Iterator[WantedTimer]:
        """The timers that the entity needs."""
        for (pool, hold), (fields, command) in self.holds.items():
            end = self.books[pool].holds[hold]
            yield self._timer(f"{pool}:{hold}", int(end), command, fields)
        saga = self.state if self.spec.name.startswith("saga.") else None
        if saga is not None and self.version and saga.tick and not saga.ended:
            yield self._timer(TICK, self.state.tick, Tick(), self.last)
        yield from self._patience()

    def _patience(self) -> Iterator[WantedTimer]:
        """A message that changed nothing may have put off the end of its patience."""
        rule = self.spec.receive_timeout
        if rule is not None and self.version and is_waiting(self.spec, self.state):
            due = self.at_ms + round(rule.after.total_seconds() * 1000)
            yield self._timer(RECEIVE_TIMEOUT, due, rule.command, self.last, exact=False)

    def _timer(
        self, name: str, due_ms: int, command: Any, fields: Hash, *, exact: bool = True
    ) -> WantedTimer:
        """As the engine sets it while it handles the message that led to the event."""
        id_ = f"{self.address}:{name}"
        cause = _text(fields, b"id")
        message = Envelope(
            f"{id_}@{due_ms}", self.address, type(command).__name__, raw_body(command),
            sender=self.address, corr=_text(fields, b"corr") or cause, cause=cause,
            trace=_text(fields, b"trace"),
        )  # fmt: skip
        return WantedTimer(id_, due_ms, to_json(message), exact)

    def _fold(self, of: EventSpec, event: Any, fields: Hash) -> None:
        state = of.fold(self.state, event)
        books, holds = self.books, self.holds
        for pool, rule in of.pools:
            book, step = books[pool.name].after(pool, rule, event)
            books = {**books, pool.name: book}
            if rule.verb == "hold" and rule.then is not None:
                holds = {**holds, (pool.name, step.hold): (fields, rule.then(event))}
            elif rule.verb in {"keep", "free"}:
                holds = {at: told for at, told in holds.items() if at != (pool.name, step.hold)}
        status = self.spec.status(state) if self.spec.lifecycle is not None else ""
        moved = status != self.status
        if moved and self.strict and not self.spec.may_follow(self.status, status):
            raise _Illegal(f"goes from {self.status or 'new'} to {status}")
        self.state, self.books, self.holds, self.status = state, books, holds, status


class _Illegal(Exception):
    """A change of status that the lifecycle does not have."""


@dataclass(slots=True)
class Version:
    """An entity as its log tells it, after one more event. `finding` ends the story."""

    number: int
    state: Any
    status: str
    books: dict[str, Book]
    finding: str = ""


def versions(spec: KindSpec, log: Iterable[Entry]) -> Iterator[Version]:
    """The entity after each event of a log that was stored under the rules of this code.

    A version with a finding is the last one.
    """
    told = Told(spec, "", strict=True)
    for number, (id_, fields) in enumerate(log, 1):
        told.take(id_, fields)
        finding = told.fault.detail if told.fault else ""
        yield Version(number, told.state, told.status, told.books, finding)
        if finding:
            return


def _text(fields: Hash, name: bytes) -> str:
    return fields.get(name, b"").decode(errors="replace")
