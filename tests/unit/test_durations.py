"""Spans of time as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.durations import to_seconds


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (60, 60),
        (0.25, 0.25),
        ("60", 60),
        (" 60s ", 60),
        ("250ms", 0.25),
        ("1.5h", 5_400),
        ("2 d", 172_800),
        ("PT60S", 60),
        ("pt1h30m", 5_400),
        ("PT0.5S", 0.5),
        ("P1DT1H", 90_000),
        ("P1W", 604_800),
        (timedelta(minutes=2), 120),
    ],
)
def test_a_duration_is_read_as_people_write_it(written: object, seconds: float) -> None:
    assert to_seconds(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        *(True, None, [], b"60"),
        *(-1, float("nan"), float("inf"), timedelta(seconds=-1)),
        *(
            "",
            "-1",
            "1e400",
            "nan",
            "60 seconds",
            "1y",
            "s",
            "P",
            "PT",
            "P1DT",
            "P1M",
            "P1Y",
            "PT-1S",
        ),
        "٣s",
    ],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="a number of seconds"):
        to_seconds(written)


@given(st.text() | st.from_regex(r"P?T?[0-9]{1,3}[WDHMS]?", fullmatch=True))
def test_text_is_a_duration_or_is_refused_and_nothing_else_happens(text: str) -> None:
    try:
        seconds = to_seconds(text)
    except ValueError:
        return
    assert 0 <= seconds < float("inf")
