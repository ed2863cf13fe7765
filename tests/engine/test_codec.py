"""Messages from outside are read strictly, stored ones tolerantly; instants have milliseconds."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from wherry.codec import codec_of
from wherry.errors import Invalid


@dataclass(frozen=True)
class Crate:
    name: str
    weight: float = 0.0
    patience: timedelta = timedelta(0)


@dataclass(frozen=True)
class Load:
    crate: Crate
    crates: tuple[Crate, ...] = ()
    named: dict[str, Crate] | None = None
    price: Decimal = Decimal(0)
    due: datetime | None = None
    patience: timedelta = timedelta(0)


LOAD = codec_of(Load)


def faults(data: bytes) -> list[str]:
    with pytest.raises(Invalid) as caught:
        LOAD.parse(data, "load")
    return [fault.pointer for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("data", "pointers"),
    [
        (b'{"crate":{"name":"a"},"colour":1}', ["/colour"]),
        (b'{"crate":{"name":"a","colour":1}}', ["/crate/colour"]),
        (b'{"crate":{"name":"a"},"crates":[{"name":"a"},{"name":"b","x":1,"y":2}]}',
         ["/crates/1/x", "/crates/1/y"]),
        (b'{"crate":{"name":"a"},"a/b~c":1}', ["/a~1b~0c"]),
        (b"{}", ["/crate"]),
        (b'{"crate":{}}', ["/crate/name"]),
        (b'{"crate":{"name":1}}', ["/crate/name"]),
        (b'{"crate":{"name":"a"},"crates":[{"name":"a"},{"name":1}]}', ["/crates/1/name"]),
        (b'{"crate":{"name":"a"},"named":{"a":{"name":"x"},"b/c.d":{"name":1},"e":{"name":"y"}}}',
         ["/named/b~1c.d/name"]),
        (b'{"crate":{"name":"a"},"named":{"a":{"name":"x"},"b":{"name":"y"},"c":{}}}',
         ["/named/c/name"]),
        (b'{"crate":{"name":"a"},"named":{"":7}}', ["/named/"]),
        (b'{"crate":{"name":"a"},"named":{"a/b":{"name":"x","y":1}}}', ["/named/a~1b/y"]),
    ],
)  # fmt: skip
def test_each_fault_has_a_pointer(data: bytes, pointers: list[str]) -> None:
    assert pointers == faults(data)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"nul", b"\xff", b'{"crate":{"name":"\xff"}}', b'{"crate":{"name":"\\ud800"}}',
        b"[" * 100_000, b'{"crate":' * 50_000, b'{"crate":{"name":"a","weight":1e400}}',
        b'{"crate":{"name":"a","weight":NaN}}', b'{"crate":{"name":"a","weight":Infinity}}',
        b'{"crate":{"name":"a"}} x', b"null", b"[]", b'"x"', b"1",
    ],
)  # fmt: skip
def test_what_is_no_good_json_is_invalid(data: bytes) -> None:
    assert 1 == len(faults(data))


def test_of_two_fields_of_one_name_the_last_counts() -> None:
    found = LOAD.parse(b'{"crate":{"name":"a"},"crate":{"name":"b"}}', "load")

    assert Crate("b") == found.crate


@pytest.mark.parametrize("text", [b"90", b"90.0", b'"PT90S"', b'"PT1M30S"'])
def test_a_duration_is_a_number_of_seconds_or_iso_8601_at_any_depth(text: bytes) -> None:
    data = (
        b'{"patience":%b,"crate":{"name":"a","patience":%b},"crates":[{"name":"b","patience":%b}]}'
    )
    found = LOAD.parse(data % (text, text, text), "load")

    expected = timedelta(seconds=90)
    assert [expected] * 3 == [p.patience for p in (found, found.crate, found.crates[0])]


@pytest.mark.parametrize("text", [b"true", b'"90"', b'"soon"', b"1e300", b"{}", b"null"])
def test_what_is_no_duration_is_invalid(text: bytes) -> None:
    assert ["/patience"] == faults(b'{"crate":{"name":"a"},"patience":%b}' % text)


@pytest.mark.parametrize(("micros", "text"), [(0, "00.000"), (5000, "00.005"), (123456, "00.123")])
def test_an_instant_is_written_with_milliseconds(micros: int, text: str) -> None:
    value = Load(Crate("a"), due=datetime(2026, 11, 22, 6, 0, 0, micros, tzinfo=UTC))

    assert f'"due":"2026-11-22T06:00:{text}Z"'.encode() in LOAD.encode(value)


def test_decimals_are_text_and_exact() -> None:
    value = Load(Crate("a"), price=Decimal("12345678901234567890.10"))

    assert b'"price":"12345678901234567890.10"' in LOAD.encode(value)
    assert value == LOAD.decode(LOAD.encode(value))


@dataclass(frozen=True)
class Prices:
    price: Decimal | None = None
    prices: tuple[Decimal, ...] = ()
    named: dict[str, Decimal] | None = None
    load: Load | None = None


PRICES = codec_of(Prices)


@pytest.mark.parametrize(
    "text",
    [b"12.5", b"12", b"1e2", b'"1e2"', b'"NaN"', b'"Infinity"', b'"1_000"', b'" 1"', b'"+1"',
     b'"1."', b'".5"', b'""', b'"\xd9\xa1"'],
)  # fmt: skip
def test_a_decimal_that_somebody_sent_is_plain_text_at_any_depth(text: bytes) -> None:
    """S102: a number may have lost digits before it came; and what is no number is no amount."""
    places = {
        "/price": b'{"price":%b}',
        "/prices/1": b'{"prices":["1",%b]}',
        "/named/a": b'{"named":{"a":%b}}',
        "/load/price": b'{"load":{"crate":{"name":"a"},"price":%b}}',
    }
    for pointer, data in places.items():
        with pytest.raises(Invalid) as caught:
            PRICES.parse(data % text, "prices")
        assert [pointer] == [fault.pointer for fault in caught.value.faults]


@dataclass(frozen=True)
class Nothing:
    pass


@dataclass(frozen=True)
class Holder:
    nothing: Nothing


def test_what_has_no_fields_takes_none() -> None:
    with pytest.raises(Invalid) as caught:
        codec_of(Holder).parse(b'{"nothing":{"x":1}}', "holder")

    assert [fault.pointer for fault in caught.value.faults] == ["/nothing/x"]


@dataclass(frozen=True)
class Shelf:
    places: dict[int, dict[str, int]]
    count: int = 0


SHELF = codec_of(Shelf)


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        (b'{"places":{"1":{},"x":{}}}', "/places/x"),
        (b'{"places":{"1":{"a":1},"2":{"a":1,"b":"no","c":2}}}', "/places/2/b"),
        (b'{"places":{"1":{"a":1.5}}}', "/places/1/a"),
    ],
)
def test_a_fault_in_a_mapping_of_mappings_is_found(data: bytes, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        SHELF.parse(data, "shelf")

    assert [fault.pointer for fault in caught.value.faults] == [pointer]


def test_a_fault_is_found_fast_among_very_many_entries() -> None:
    names = [b'"%d":{"a":1}' % n for n in range(50_000)]
    names[31_415] = b'"31415":{"a":"x"}'

    with pytest.raises(Invalid) as caught:
        SHELF.parse(b'{"places":{%b}}' % b",".join(names), "shelf")

    assert caught.value.faults[0].pointer == "/places/31415/a"


def test_keys_of_a_mapping_may_be_numbers_and_whole_numbers_may_have_a_point() -> None:
    found = SHELF.parse(b'{"places":{"7":{"a":3.0}},"count":1e3}', "shelf")

    assert found == Shelf({7: {"a": 3}}, 1000)
    assert isinstance(found.count, int)


@pytest.mark.parametrize("count", [b"1.5", b"1e400", b"-0.1", b"9007199254740993.0", b'"1"'])
def test_what_is_no_whole_number_is_refused(count: bytes) -> None:
    with pytest.raises(Invalid):
        SHELF.parse(b'{"places":{},"count":%b}' % count, "shelf")


def test_plain_decimals_are_read_as_they_are() -> None:
    data = b'{"price":null,"prices":["12.50","-1","0"],"named":{"a":"0.10"}}'

    found = PRICES.parse(data, "prices")

    assert ["12.50", "-1", "0"] == [str(price) for price in found.prices]
    assert {"a": Decimal("0.10")} == found.named


def test_a_stored_value_may_have_fields_that_are_gone() -> None:
    assert Load(Crate("a")) == LOAD.decode(b'{"crate":{"name":"a","old":1},"older":[]}')


@pytest.mark.parametrize("depth", [10, 500])
def test_deep_data_of_any_type_is_taken(depth: int) -> None:
    data = b'{"a":' * depth + b"1" + b"}" * depth

    assert "a" in codec_of(dict[str, Any]).parse(data, "x")


def test_data_that_is_too_deep_is_invalid() -> None:
    with pytest.raises(Invalid, match="deep"):
        codec_of(dict[str, Any]).parse(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "x")
