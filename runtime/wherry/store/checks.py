"""Checks: what is stored of an entity against what its log tells. Nothing here talks to Redis."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from wherry.codec import from_json
from wherry.store.cases import Case
from wherry.store.look import number
from wherry.store.repair import NOTHING, Extra

_FIELDS = frozenset({"version", "status", "at", "state", "snapshot"})


@dataclass(frozen=True, slots=True)
class OfEntity:
    """It is mended by repairing the entity; `extra` is what reading the entity does not show."""

    address: str
    extra: Extra = NOTHING

    @property
    def name(self) -> str:
        """What is mended."""
        return self.address


@dataclass(frozen=True, slots=True)
class OfEffect:
    """It is mended by repairing a call to the outside world."""

    partition: int
    id: str

    @property
    def name(self) -> str:
        """What is mended."""
        return f"effect {self.id}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is stored and is not what it has to be.

    subject  what it is about: an address, `effect <id>`, `key <name>`
    code     stable, for programs
    cure     what mends it; None when only a person can
    """

    subject: str
    code: str
    detail: str
    stored: Any = None
    rebuilt: Any = None
    cure: OfEntity | OfEffect | None = field(default=None, compare=False)
    #: Of a field: where it is, as a JSON pointer.
    path: str = field(default="", compare=False)

    def __str__(self) -> str:
        """The finding as a sentence."""
        return f"{self.subject}: {self.detail}"


def check(case: Case) -> Iterator[Finding]:
    """Everything that is wrong with one entity."""
    if case.obstacle is not None:
        yield Finding(case.address, case.obstacle.code, case.obstacle.detail)
        return
    for finding in (*check_hash(case), *_indexes(case), *_timers(case)):
        cure = None if finding.code == "field-unknown" else OfEntity(case.address)
        yield replace(finding, subject=case.address, cure=cure)


def unlike(path: str, stored: Any, rebuilt: Any) -> Iterator[tuple[str, Any, Any]]:
    """The places at which two JSON values differ, as JSON pointers; a list is one value."""
    if isinstance(stored, dict) and isinstance(rebuilt, dict):
        for name in sorted(stored.keys() | rebuilt.keys()):
            pointer = name.replace("~", "~0").replace("/", "~1")
            yield from unlike(f"{path}/{pointer}", stored.get(name), rebuilt.get(name))
    elif stored != rebuilt:
        yield path, stored, rebuilt


def _found(
    code: str, detail: str, stored: Any = None, rebuilt: Any = None, path: str = ""
) -> Finding:
    return Finding("", code, detail, stored, rebuilt, path=path)


def _differs(code: str, what: str, path: str, stored: Any, rebuilt: Any) -> Iterator[Finding]:
    if stored != rebuilt:
        said = "is not there" if stored is None else f"is {stored}"
        told = "nothing of it" if rebuilt is None else str(rebuilt)
        yield _found(code, f"its {what} {said}, its log tells {told}", stored, rebuilt, path)


# -- the hash --------------------------------------------------------------------------------------


def check_hash(case: Case) -> Iterator[Finding]:
    """What its hash says, against its log; the findings have no subject yet."""
    stored, told = case.stored, case.known()
    if not stored.exists:
        return
    if not stored.hash:
        said = f"it has a log of {told.version} events, and no hash"
        yield _found("hash-missing", said, None, told.version, "/version")
        return
    version, at = _number(stored.version), _number(stored.text("at"))
    yield from _differs("version", "version", "/version", version, told.version)
    yield from _differs("changed-at", "last change", "/at", at, told.at_ms)
    yield from _differs("status", "status", "/status", stored.text("status"), told.status)
    yield from _state(case)
    yield from _pools(case)
    for name in stored.hash:
        text = name.decode(errors="replace")
        if text not in _FIELDS and not text.startswith("pool:"):
            said = f"nobody knows its field {text}; HDEL removes it"
            yield _found("field-unknown", said, path=f"/{text}")


def _state(case: Case) -> Iterator[Finding]:
    """The stored state, against that of the version that it is said to be of."""
    stored, told = case.stored, case.known()
    snapshot = stored.text("snapshot")
    if not snapshot and b"state" not in stored.hash:
        return
    if not 1 <= (number(snapshot) or 0) <= told.version:
        said = f"its state is of version {snapshot or 'none'}, its log has {told.version}"
        yield _found("snapshot", said, snapshot or None, told.version, "/snapshot")
        return
    data = stored.hash.get(b"state")
    if not told.kept or data == told.kept:
        return
    try:
        found = from_json(data or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = "its state is no JSON" if data is not None else "its state is not there"
        was = stored.text("state") or None
        yield _found("state", said, was, from_json(told.kept), "/state")
        return
    for path, was, should in unlike("/state", found, from_json(told.kept)):
        yield _found("state", f"{path} is {was}, its log tells {should}", was, should, path)


def _pools(case: Case) -> Iterator[Finding]:
    there = {
        name.decode(errors="replace"): value.decode(errors="replace")
        for name, value in case.stored.hash.items()
        if name.startswith(b"pool:")
    }
    told = case.known().pool_fields()
    # A number that was never written counts as 0.
    there = {name: "0" for name, value in told.items() if value == "0"} | there
    for name in sorted(there.keys() | told.keys()):
        yield from _differs("pool", name, f"/{name}", there.get(name), told.get(name))


def _number(text: str) -> int | str | None:
    return text or None if (found := number(text)) is None else found


# -- indexes and timers ----------------------------------------------------------------------------


def _indexes(case: Case) -> Iterator[Finding]:
    told, there = case.known(), case.stored.scores
    wanted = {"": told.at_ms, told.status: told.at_ms} if told.version else {}
    for status in sorted(there.keys() | wanted.keys()):
        name = f"index {told.spec.name}:{status}" if status else f"index {told.spec.name}"
        was, should = there.get(status), wanted.get(status)
        if should is None:
            yield _found("index-stale", f"is in {name}, and does not belong there", was, None)
        elif was is None:
            yield _found("index-missing", f"is not in {name}", None, should)
        elif was != should:
            yield _found("index-time", f"is in {name} at {was}, not at {should}", was, should)


def _timers(case: Case) -> Iterator[Finding]:
    for timer in case.timers:
        if not case.is_wrong(timer):
            continue
        there = case.found[timer.id]
        due, should = there.due_ms, timer.due_ms
        if due is None:
            yield _found("timer-missing", f"its timer {timer.id} is not set", None, should)
        elif not there.is_for(case.address):
            yield _found("timer-message", f"its timer {timer.id} has no message for it")
        else:
            yield _found("timer-due", f"its timer {timer.id} is due at {due}", due, should)
