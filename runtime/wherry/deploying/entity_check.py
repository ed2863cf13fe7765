"""One entity, folded from its log by the new code, and compared with what is stored of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from wherry.codec import from_json
from wherry.deploying.breaks import Break
from wherry.deploying.stock import Hash, History
from wherry.engine.book import Book, TooHigh
from wherry.engine.specs import EventSpec, KindSpec
from wherry.engine.upcasting import UnknownEvent
from wherry.errors import Rejected
from wherry.store.look import statuses
from wherry.store.records import stored_book, stored_event

#: Looks at a state, and at the event that is about to be folded: its version, and itself.
Look = Callable[[Any, int, Any], Break | None]

_POOL = b"pool:"


@dataclass(slots=True)
class Retold:
    """An entity as its log tells it. `kept` is what its stored state should be, as JSON."""

    state: Any
    books: dict[str, Book]
    version: int = 0
    kept: bytes = b""
    broken: Break | None = None


def fold(spec: KindSpec, history: History, look: Look | None = None) -> Retold:
    """Fold a whole log. What cannot be taken, or what `look` finds, ends it, as `broken`."""
    told = Retold(spec.first_state(), {pool.name: Book() for pool in spec.pools})
    snapshot = int(history.hash.get(b"snapshot", b"0"))
    for version, fields in history.events:
        if version != told.version + 1:
            break
        at = _At(history.place.address, spec.name, version, fields)
        told.broken = _take(spec, told, at, look)
        if told.broken:
            return told
        told.version = version
        if version == snapshot:
            told.kept = _encoded(spec, told.state)
    if told.version != history.version:
        told.broken = _incomplete(history, told.version)
    elif not snapshot:  # a deployment has let go of its state, and died before it wrote another
        told.kept = _encoded(spec, told.state)
    return told


def check_entity(spec: KindSpec, history: History) -> tuple[Break | None, bool]:
    """What breaks, and whether what is stored would have to be written anew."""
    told = fold(spec, history)
    try:
        broken = told.broken or _status(spec, history, told)
    except Exception as error:  # noqa: BLE001 - a fold may have made anything
        next_ = f"let the folds of {spec.name} return its state, with a status"
        said = _said(error)
        broken = Break(
            "state-unusable", history.place.address, told.version, spec.name, said, next_
        )
    return broken, broken is None and is_stale(history.hash, told)


def is_stale(stored: Hash, told: Retold) -> bool:
    """Whether the stored state or pools are not what the log tells now."""
    state = stored.get(b"state", b"")
    if told.kept != state and not (told.kept and _same_json(told.kept, stored)):
        return True
    if any(book != stored_book(name, stored) for name, book in told.books.items()):
        return True
    pools = {name.split(b":")[1].decode() for name in stored if name.startswith(_POOL)}
    return not pools <= told.books.keys()


def _take(spec: KindSpec, told: Retold, at: "_At", look: Look | None) -> Break | None:
    try:
        found = stored_event(spec, at.fields)
    except UnknownEvent as error:
        return at.unknown(error)
    except Exception as error:  # noqa: BLE001 - an upcaster may raise anything
        return at.unreadable(error, upcast=(at.name, at.data_version) in spec.upcasts)
    if found is None:
        return None
    of, event = found
    if look is not None and (seen := look(told.state, at.version, event)):
        return seen
    try:
        told.state = of.fold(told.state, event)
    except Exception as error:  # noqa: BLE001 - a fold may raise anything
        return at.unfoldable(error)
    return _follow(told, of, event, at)


def _follow(told: Retold, of: EventSpec, event: Any, at: "_At") -> Break | None:
    for pool, rule in of.pools:
        try:
            book, _ = told.books[pool.name].after(pool, rule, event)
        except Exception as error:  # noqa: BLE001 - a rule is the bundle's code
            return at.pool(pool.name, error)
        told.books[pool.name] = book
    return None


@dataclass(frozen=True, slots=True)
class _At:
    """Where in which log something breaks."""

    address: str
    kind: str
    version: int
    fields: Hash

    @property
    def name(self) -> str:
        """The name of the event."""
        return self.fields.get(b"type", b"").decode(errors="replace")

    @property
    def data_version(self) -> int:
        """The version of its data; 0 for one that is no number."""
        version = self.fields.get(b"v", b"1")
        return int(version) if version.isdigit() else 0

    @property
    def event(self) -> str:
        """The event with the version of its data, when that is not the first."""
        return f"{self.name} {self.data_version}" if self.data_version > 1 else self.name

    def unknown(self, error: UnknownEvent) -> Break:
        upcast = f'@{self.kind}.upcast("{error.name}", version={error.version}, to=...)'
        next_ = f'write {upcast}, or {self.kind}.drops("{error.name}")'
        if error.known:
            next_ = f"deploy code that knows {error.name} of version {error.version}"
        return self._break("event-unknown", self.event, error.said, next_)

    def unreadable(self, error: Exception, *, upcast: bool) -> Break:
        upcaster = f'@{self.kind}.upcast("{self.name}", version={self.data_version})'
        next_ = (
            f"give new fields of {self.name} a default, or make it"
            f" class {self.name}(Event, version={self.data_version + 1}) and write {upcaster}"
        )
        if upcast:
            next_ = f"let {upcaster} take what was stored, and make what is read next"
        return self._break("event-unreadable", self.event, _said(error), next_)

    def unfoldable(self, error: Exception) -> Break:
        next_ = f"let the fold of {self.name} take what was stored, or upcast it to what it takes"
        return self._break("event-unfoldable", self.event, _said(error), next_)

    def pool(self, pool: str, error: Exception) -> Break:
        code = "pool-broken"
        next_ = f"let the rules of pool {pool} follow the events as they did when they were stored"
        if isinstance(error, Rejected | TooHigh):
            code = "pool-over"
            next_ = f"let pool {pool} have room for what its entities hold"
        return self._break(code, f"pool {pool}, {self.event}", _said(error), next_)

    def _break(self, code: str, what: str, detail: str, next_: str) -> Break:
        return Break(code, self.address, self.version, what, detail, next_)


def _status(spec: KindSpec, history: History, told: Retold) -> Break | None:
    stored = history.hash.get(b"status", b"").decode()
    status = spec.status(told.state) if spec.lifecycle is not None and told.version else ""
    if status != stored:
        said = f"its status is {stored!r}, its log tells {status!r}"
        next_ = "let the folds lead to the status that they led to when the events were stored"
        what = f"{stored or 'no status'} -> {status or 'no status'}"
        return Break("status-changed", history.place.address, told.version, what, said, next_)
    if status and status not in statuses(spec):
        said = f"its status {status!r} is not in the lifecycle"
        next_ = f"keep {status!r} in the lifecycle of {spec.name}, with what may follow it"
        return Break("status-unknown", history.place.address, told.version, status, said, next_)
    return None


def _incomplete(history: History, version: int) -> Break:
    said = f"it is at version {history.version}, and its log has no event {version + 1}"
    address = history.place.address
    return Break("log-incomplete", address, version, "log", said, f"wherry fsck {address}")


def _encoded(spec: KindSpec, state: Any) -> bytes:
    """The state as it would be stored; nothing when it is no JSON: then it is never written."""
    try:
        return spec.state.encode(state)
    except Exception:  # noqa: BLE001 - a fold may make anything
        return b""


def _same_json(told: bytes, stored: Hash) -> bool:
    """Whether they differ in the order of their fields only."""
    try:
        return bool(from_json(told) == from_json(stored.get(b"state", b"")))
    except msgspec.DecodeError:
        return False


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
