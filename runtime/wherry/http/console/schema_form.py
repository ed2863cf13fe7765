"""A form from a JSON schema: which inputs it has, and what was put in as JSON values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from wherry.codec import from_json
from wherry.errors import Fault, Invalid

_NUMBERS = {"integer", "number"}


@dataclass(frozen=True, slots=True)
class Input:
    """One field. `shape` is text, number, choice or json; `default` says what an empty one is."""

    name: str
    shape: str
    required: bool
    choices: tuple[str, ...]
    default: str
    hint: str
    about: str


def schema_of(type_: Any) -> dict[str, Any]:
    """The JSON schema of a type; anything goes where we do not know better."""
    return msgspec.json.schema(type_, schema_hook=lambda _: {})


def about(schema: dict[str, Any]) -> str:
    """What the author says of it."""
    said: str = _resolved(schema, schema.get("$defs", {})).get("description", "")
    return said


def inputs(schema: dict[str, Any]) -> list[Input]:
    """The inputs for an object of a schema."""
    known = schema.get("$defs", {})
    whole = _resolved(schema, known)
    required = set(whole.get("required", ()))
    fields = whole.get("properties", {}).items()
    return [_input(name, _resolved(part, known), name in required) for name, part in fields]


def _resolved(part: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """A schema behind its reference; of a choice with null the other one."""
    if reference := part.get("$ref"):
        found: dict[str, Any] = known[reference.rpartition("/")[2]]
        return found
    some = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    if len(some) == 1:
        return {**part, **_resolved(some[0], known)}
    return part


def _input(name: str, part: dict[str, Any], required: bool) -> Input:  # noqa: FBT001 - a property
    given = part.get("default")
    default = given if isinstance(given, str) else "" if given is None else compact_json(given)
    return Input(
        name, _shape(part), required, tuple(_choices(part)), default, ", ".join(_hints(part)),
        part.get("description", ""),
    )  # fmt: skip


def _shape(part: dict[str, Any]) -> str:
    if "enum" in part or part.get("type") == "boolean":
        return "choice"
    kind = part.get("type")
    return "text" if kind == "string" else "number" if kind in _NUMBERS else "json"


def _choices(part: dict[str, Any]) -> Iterator[str]:
    if part.get("type") == "boolean":
        yield from ("true", "false")
    for value in part.get("enum", ()):
        yield value if isinstance(value, str) else compact_json(value)


def _hints(part: dict[str, Any]) -> Iterator[str]:
    if part.get("format"):
        yield {"duration": "duration, as PT60S", "date-time": "instant"}.get(
            part["format"], part["format"]
        )
    for name, word in (("minimum", "least"), ("maximum", "most"), ("maxLength", "longest")):
        if name in part:
            yield f"{word} {part[name]}"
    if _shape(part) == "json":
        yield "as JSON"


def read(found: list[Input], given: dict[str, str]) -> dict[str, Any]:
    """The values that were put in; what is empty is left out. Raises Invalid for bad JSON."""
    body: dict[str, Any] = {}
    for one in found:
        text = given.get(one.name, "")
        if text.strip():
            body[one.name] = _value(one, text)
    return body


def _value(one: Input, text: str) -> Any:
    if one.shape == "text":
        return text
    if one.shape == "choice" and text not in {"true", "false"}:
        return text
    try:
        return from_json(text)
    except (msgspec.DecodeError, RecursionError) as error:
        if one.shape == "number":
            return text  # the command's own check says it better
        raise Invalid("form", [Fault(f"/{one.name}", f"is not JSON: {error}")]) from None


def compact_json(value: Any) -> str:
    """A value as JSON."""
    return msgspec.json.encode(value).decode()
