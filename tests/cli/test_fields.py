"""Fields as people write them, typed by the schema."""

import io
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from wherry.cli import fields
from wherry.errors import Invalid


@dataclass(frozen=True)
class Part:
    n: int


@dataclass(frozen=True)
class Everything:
    text: str = ""
    named: Annotated[str, Meta(min_length=1)] | None = None
    word: Literal["a", "1"] = "a"
    whole: int = 0
    real: Annotated[float, Meta(ge=0)] = 0.0
    flag: bool = False
    maybe: int | None = None
    price: Decimal = Decimal(0)
    at: datetime | None = None
    span: timedelta = timedelta(0)
    many: list[int] | None = None
    part: Part | None = None
    anything: Any = None


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("text=12", "12"), ("text=", ""), ("text=a=b", "a=b"), ('text={"a":1}', '{"a":1}'),
        ("named=007", "007"), ("word=1", "1"),
        ("whole=12", 12), ("whole=-1", -1), ("whole=x", "x"),
        ("real=1e3", 1000.0), ("flag=true", True), ("flag=yes", "yes"), ("maybe=null", None),
        ("price=1.50", "1.50"), ("at=2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("span=60", 60.0), ("span=1.5h", 5400.0), ("span=PT1M", 60.0), ("many=[1,2]", [1, 2]),
        ("many=1,2", "1,2"),
        ('part={"n":1}', {"n": 1}), ("anything=1", 1), ("anything=x", "x"),
        ("unknown=1", 1),
    ],
)  # fmt: skip
def test_a_value_gets_the_type_of_its_field(pair: str, value: object) -> None:
    read = fields.read(Everything, [pair], None, "it")
    assert read == {pair.partition("=")[0]: value}
    assert type(next(iter(read.values()))) is type(value)


@pytest.mark.parametrize(
    ("pairs", "json", "said"),
    [
        (["whole"], None, "field=value"), (["=1"], None, "field=value"),
        (["whole=1", "whole=2"], None, "twice"),
        (["span=soon"], None, "60s"), ([], "{", "malformed"),
        (["whole=1"], "[]", "not an object"), ([], "@/no/such/file", "cannot be read"),
        ([], "[" * 100_000, "malformed"), ([], "@a\0b", "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_invalid(pairs: list[str], json: str | None, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        fields.read(Everything, pairs, json, "it")


def test_json_comes_from_a_file_and_pairs_go_on_top_of_it(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('{"whole": 1, "text": "x"}')
    read = fields.read(Everything, ["whole=2"], f"@{file}", "it")
    assert read == {"whole": 2, "text": "x"}


def test_json_comes_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"whole": 3}')))
    assert fields.read(Everything, [], "-", "it") == {"whole": 3}
