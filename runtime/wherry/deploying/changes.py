"""What a deployment changes: two contracts compared, in words for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Contract = dict[str, Any]

_EMPTY: Contract = {"kinds": {}, "sagas": {}, "targets": {}, "types": {}}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `subject` is `port event BerthTaken`, `detail` is `field x: int -> str`."""

    change: Literal["added", "removed", "changed"]
    subject: str
    detail: str = ""


def changes(old: Contract | None, new: Contract) -> list[Change]:
    """Everything that differs, by subject. Without an old contract all is new."""
    return list(_changes(old or _EMPTY, new))


def _changes(old: Contract, new: Contract) -> Iterator[Change]:
    looks = {"kinds": _kind, "sagas": _saga, "targets": _target, "types": _type}
    for section, look in looks.items():
        for name, was, now in _pairs(old[section], new[section]):
            if was is not None and now is not None:
                yield from look(name, was, now)
            elif section != "types":  # those come and go with what they are made for
                yield _whole(section.removesuffix("s"), name, was, now)


def _target(name: str, was: Contract, now: Contract) -> Iterator[Change]:
    yield from _messages(f"target {name} effect", was["effects"], now["effects"])


def _type(name: str, was: Contract, now: Contract) -> Iterator[Change]:
    yield from _fields(f"type {name}", was, now)


def _kind(name: str, was: Contract, now: Contract) -> Iterator[Change]:
    yield from _messages(f"{name} command", was["commands"], now["commands"])
    yield from _messages(f"{name} event", was["events"], now["events"])
    yield from _lifecycle(f"{name} lifecycle", was["lifecycle"], now["lifecycle"])
    for pool, old, new in _pairs(was["pools"], now["pools"]):
        yield from _value(f"{name} pool {pool}", "most", old, new)
    for event in sorted({*was["dropped"]} ^ {*now["dropped"]}):
        yield _added_if(event in now["dropped"], f"{name} dropped event {event}")


def _messages(subject: str, was: Contract, now: Contract) -> Iterator[Change]:
    """Commands, events or effects: what others send, or what is stored."""
    for name, old, new in _pairs(was, now):
        own = f"{subject} {name}"
        if old is None or new is None:
            yield _added_if(new is not None, own)
        else:
            yield from _fields(own, old["fields"], new["fields"])
            for word in sorted((old.keys() | new.keys()) - {"fields", "upcasts"}):
                yield from _value(own, word, old.get(word), new.get(word))
        if new is not None:
            yield from _upcasters(own, old or {}, new)


def _upcasters(subject: str, was: Contract, now: Contract) -> Iterator[Change]:
    old, new = ({*one.get("upcasts", ())} for one in (was, now))
    for older in sorted(old ^ new):
        yield _added_if(older in new, subject, f"upcaster from {older}")


def _fields(subject: str, was: dict[str, str], now: dict[str, str]) -> Iterator[Change]:
    for name, old, new in _pairs(was, now):
        yield from _value(subject, f"field {name}", old, new)


def _lifecycle(subject: str, was: Contract, now: Contract) -> Iterator[Change]:
    moves = [{(a, b) for a, to in one.items() for b in to} for one in (was, now)]
    for before, after in sorted(moves[0] ^ moves[1]):
        yield _added_if((before, after) in moves[1], subject, f"{before or 'new'} -> {after}")


def _saga(saga: str, was: Contract, now: Contract) -> Iterator[Change]:
    subject = f"saga {saga}"
    yield from _fields(f"{subject} input", was["input"], now["input"])
    yield from _value(subject, "result", was["result"], now["result"])
    old, new = _steps(was), _steps(now)
    for name, before, after in _pairs(old, new):
        if before is not None and after is not None:
            for word in sorted(before.keys() | after.keys()):
                own = f"{subject} step {name}"
                yield from _value(own, word, before.get(word), after.get(word))
        else:
            yield _added_if(after is not None, f"{subject} step {name}")
    both = [[name for name in steps if name in old and name in new] for steps in (old, new)]
    if both[0] != both[1]:
        yield Change("changed", subject, f"order: {', '.join(both[0])} -> {', '.join(both[1])}")


def _steps(saga: Contract) -> Contract:
    """The steps by name, in order; each with those that run at the same time."""
    return {
        step["name"]: {**step, "together with": ", ".join(s["name"] for s in stage if s != step)}
        for stage in saga["stages"]
        for step in stage
    }


def _value(subject: str, word: str, old: Any, new: Any) -> Iterator[Change]:
    if old is None and new is not None:
        yield Change("added", subject, f"{word}: {_shown(new)}")
    elif new is None and old is not None:
        yield Change("removed", subject, f"{word}: {_shown(old)}")
    elif old != new:
        yield Change("changed", subject, f"{word}: {_shown(old)} -> {_shown(new)}")


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case "":
            return "nothing"
        case _:
            return str(value)


def _whole(what: str, name: str, was: Any, now: Any) -> Change:
    """A kind, saga or target that comes or goes, with what it has."""
    there = was if now is None else now
    if what == "saga":
        has = f"steps {', '.join(_steps(there))}"
    else:
        parts = [part for part in ("commands", "events", "effects") if part in there]
        has = ", ".join(_count(len(there[part]), part) for part in parts)
    return _added_if(now is not None, f"{what} {name}", has)


def _count(number: int, things: str) -> str:
    return f"{number} {things.removesuffix('s') if number == 1 else things}"


def _added_if(added: bool, subject: str, detail: str = "") -> Change:  # noqa: FBT001 - its name
    return Change("added" if added else "removed", subject, detail)


def _pairs(was: Contract, now: Contract) -> Iterator[tuple[str, Any, Any]]:
    """Each name with its old and its new value, None where it is not: in the new order."""
    for name in [*now, *(name for name in was if name not in now)]:
        yield name, was.get(name), now.get(name)
