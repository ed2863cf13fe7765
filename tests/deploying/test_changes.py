"""What a deployment changes, in words: from two contracts that are plain JSON."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
import pytest

import docking
import orders
from tests.support import yard
from tests.support.quay import first_app, second_quay
from wherry import App
from wherry.deploying.changes import Change, changes
from wherry.deploying.contract import contract_of
from wherry.deploying.type_words import fields_of, words_of
from wherry.engine.registry import Registry


def contract(app: App) -> dict[str, Any]:
    return contract_of(Registry(app, 1))


@pytest.mark.parametrize("app", [docking.app, orders.app])
def test_a_contract_is_small_json_and_the_same_each_time(app: App) -> None:
    text = json.dumps(contract(app))

    assert json.loads(text) == contract(app)
    assert len(text) < 50_000
    assert changes(json.loads(text), contract(app)) == []


def test_the_first_deployment_says_what_there_is() -> None:
    assert changes(None, contract(docking.app)) == [
        Change("added", "kind port", "8 commands, 8 events"),
        Change("added", "kind vessel", "9 commands, 8 events"),
        Change("added", "saga docking", "steps reserve, arrive, confirm"),
    ]


def test_a_renamed_event_is_told_with_its_upcaster() -> None:
    assert changes(contract(first_app()), contract(App([second_quay()]))) == [
        Change("added", "quay event BerthTaken"),
        Change("added", "quay event BerthTaken", "upcaster from BerthTaken 1"),
        Change("added", "quay event BerthTaken", "upcaster from Moored 1"),
        Change("removed", "quay event Moored"),
        Change("removed", "quay event Painted"),
        Change("added", "quay dropped event Painted"),
    ]


def _drop(*path: str) -> Callable[[Any], None]:
    def change(found: Any) -> None:
        for name in path[:-1]:
            found = found[name]
        del found[path[-1]]

    return change


def _set(value: Any, *path: str) -> Callable[[Any], None]:
    def change(found: Any) -> None:
        for name in path[:-1]:
            found = found[name]
        found[path[-1]] = value

    return change


BOX = ("kinds", "box")
TO_A_BOX = ("kinds", "box", "commands", "Add")


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (_drop("kinds", "fan"), Change("added", "kind fan", "2 commands, 1 event")),
        (_drop(*TO_A_BOX), Change("added", "box command Add")),
        (
            _drop(*TO_A_BOX, "fields", "by"),
            Change("added", "box command Add", "field by: str, may be left out"),
        ),
        (
            _set("str", *TO_A_BOX, "fields", "number"),
            Change("changed", "box command Add", "field number: str -> int"),
        ),
        (
            _set("null", *TO_A_BOX, "reply"),
            Change("changed", "box command Add", "reply: null -> int"),
        ),
        (
            _set(True, *TO_A_BOX, "internal"),
            Change("changed", "box command Add", "internal: yes -> no"),
        ),
        (
            _set("float", *BOX, "events", "Added", "fields", "weight"),
            Change("removed", "box event Added", "field weight: float"),
        ),
        (
            _set(2, *BOX, "events", "Added", "version"),
            Change("changed", "box event Added", "version: 2 -> 1"),
        ),
        (
            _set(["Put 1"], *BOX, "events", "Added", "upcasts"),
            Change("removed", "box event Added", "upcaster from Put 1"),
        ),
        (
            _set([], *BOX, "lifecycle", "open"),
            Change("added", "box lifecycle", "open -> closed"),
        ),
        (_drop(*BOX, "pools", "places"), Change("added", "box pool places", "most: 5")),
        (_set(9, *BOX, "pools", "places"), Change("changed", "box pool places", "most: 9 -> 5")),
        (_set({}, "sagas", "fill", "input"), Change("added", "saga fill input", "field box: str")),
        (
            _set({"effects": {}}, "targets", "crane"),
            Change("removed", "target crane", "0 effects"),
        ),
    ],
)  # fmt: skip
def test_each_difference_has_its_words(before: Callable[[Any], None], change: Change) -> None:
    old = contract(yard.APP)
    before(old)

    assert change in changes(old, contract(yard.APP))


def test_steps_that_come_go_or_move_are_told() -> None:
    old = contract(yard.APP)
    stages = old["sagas"]["fill"]["stages"]
    stages[0], stages[1] = stages[1], [{**stages[0][0], "undo": False}]
    stages.pop()
    stages[2].append({**stages[1][0], "name": "wave"})

    found = changes(old, contract(yard.APP))

    assert Change("added", "saga fill step last") in found
    assert Change("removed", "saga fill step wave") in found
    assert Change("changed", "saga fill step first", "undo: no -> yes") in found
    assert Change("changed", "saga fill step left", "together with: right, wave -> right") in found
    assert found[-1] == Change(
        "changed", "saga fill",
        "order: maybe, first, left, right, parts -> first, maybe, left, right, parts",
    )  # fmt: skip


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Crate:
    number: int
    colour: Colour = Colour.RED


class Frame(msgspec.Struct):
    crate: Crate
    note: str = ""


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (None, "null"),
        (Any, "any"),
        (int | None, "int | null"),
        (list[Crate], "list[Crate]"),
        (tuple[Decimal, ...], "tuple[Decimal, ...]"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (Literal["a", "b"], "'a' | 'b'"),
        (Annotated[int, msgspec.Meta(ge=1, le=9)], "int (ge=1, le=9)"),
        (list[Annotated[str, msgspec.Meta(max_length=3)]], "list[str (max_length=3)]"),
        (Annotated[str, "a note"], "str"),
    ],
)
def test_types_have_words(type_: Any, words: str) -> None:
    assert words_of(type_) == words


def test_fields_tell_what_may_be_left_out() -> None:
    assert fields_of(Crate) == {"number": "int", "colour": "Colour, may be left out"}
    assert fields_of(Frame) == {"crate": "Crate", "note": "str, may be left out"}
    assert fields_of(int) == {}


def test_what_a_reply_is_made_of_is_part_of_the_contract() -> None:
    old = contract(docking.app)
    old["types"]["Reservation"]["berth"] = "int"

    assert changes(old, contract(docking.app)) == [
        Change("removed", "type Reservation", "field berth: int")
    ]
