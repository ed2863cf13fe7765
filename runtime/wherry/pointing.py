"""Where in a value a fault is: from msgspec's words to a JSON pointer.

msgspec does not say in which entry of a mapping a fault is, only that it is in one: `$.prices[...]`
We find it as one looks a word up: is it in this half, or in the other one?
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from wherry.errors import Fault

_PATH = re.compile(r" - at (?P<key>`key` in )?`\$?(?P<path>.*)`$")
_PART = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_SOME = "..."

#: Takes a value; returns what msgspec says of it, or None when it is fine.
Complain = Callable[[Any], str | None]


def fault(text: str, value: Any = None, complain: Complain | None = None) -> Fault:
    """A fault of msgspec's. With the value and a way to try others, mappings are looked into."""
    match = _PATH.search(text)
    if match is None:
        return Fault(_pointer([]) + _missing(text), text)
    parts = _parts(match)
    if complain is not None and _SOME in parts:
        parts = _resolved(parts, value, text, complain)
    return Fault(_pointer(parts) + _missing(text), text[: match.start()])


def _parts(match: re.Match[str]) -> list[str]:
    parts = [name or index for name, index in _PART.findall(match["path"])]
    return [*parts, _SOME] if match["key"] else parts


def _resolved(parts: list[str], value: Any, text: str, complain: Complain) -> list[str]:
    """The path with the names of the entries in which the fault is, as far as they can be found."""
    for number, part in enumerate(parts):
        if part != _SOME:
            continue
        found = _entry(parts[:number], value, text, complain)
        if found is None:
            return parts
        parts = [*parts[:number], found, *parts[number + 1 :]]
    return parts


def _entry(place: list[str], value: Any, text: str, complain: Complain) -> str | None:
    """The name of the entry, of the mapping at a place, without which there is no such fault."""
    mapping = _at(place, value)
    if not isinstance(mapping, dict):
        return None
    entries = list(mapping.items())
    while len(entries) > 1:
        half = entries[: len(entries) // 2]
        is_there = complain(_with(place, value, dict(half))) == text
        entries = half if is_there else entries[len(half) :]
    return entries[0][0] if entries else None


def _at(place: Iterable[str], value: Any) -> Any:
    for part in place:
        value = value.get(part) if isinstance(value, dict) else value[int(part)]
    return value


def _with(place: list[str], value: Any, new: Any) -> Any:
    """A copy of a value, with something new at a place."""
    if not place:
        return new
    first, rest = place[0], place[1:]
    if isinstance(value, dict):
        return {**value, first: _with(rest, value[first], new)}
    index = int(first)
    return [*value[:index], _with(rest, value[index], new), *value[index + 1 :]]


def _missing(text: str) -> str:
    match = re.search(r"missing required field `(\w+)`", text)
    return f"/{match[1]}" if match else ""


def _pointer(parts: Iterable[str]) -> str:
    return "".join(f"/{escaped(part)}" for part in parts)


def escaped(name: str) -> str:
    """A name as a part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
