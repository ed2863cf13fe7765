"""History is the truth: what is read back is the fold of the log, whatever was written when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import fakeredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.yard import Add, Close, Free, Hold, Keep, Resize, Yard
from wherry.engine import record as records
from wherry.engine.book import Book

INSTANTS = st.integers(-600_000_000, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
COMMANDS = st.one_of(
    st.builds(Add, st.integers(-(2**70), 2**70), st.text(max_size=5)),
    st.builds(Resize, st.integers(-1, 6)),
    st.builds(Hold, st.sampled_from(["x", "y", "z:1", "ö"]), INSTANTS),
    st.builds(Keep, st.sampled_from(["x", "y", "z:1"])),
    st.builds(Free, st.sampled_from(["x", "y", "z:1", "ö"])),
    st.just(Close()),
)


@given(commands=st.lists(COMMANDS, max_size=30), batch=st.integers(1, 7), large=st.booleans())
@settings(max_examples=100)
def test_the_stored_state_is_the_fold_of_the_log(
    commands: list[Any], batch: int, large: bool
) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        fakeredis.FakeRedis(server=fakeredis.FakeServer(version=(7,))) as redis,
    ):
        if large:
            patch.setattr(records, "LARGE_STATE", 60)
            patch.setattr(records, "SNAPSHOT_EVERY", 5)
        yard = Yard(redis)
        for command in commands:
            yard.send("box/b", command)
        pump = yard.pump()
        while pump.step(batch):
            yard.now += 17
        remembered = pump.records.get("box/b") or yard.record("box/b")
        loaded = yard.record("box/b")

        assert yard.folded("box/b") == loaded.state == remembered.state
        assert len(yard.events("box/b")) == loaded.version == remembered.version
        assert (remembered.status, remembered.books) == (loaded.status, loaded.books)
        assert _book(yard) == loaded.books["places"]
        assert loaded.version - loaded.snapshot <= (5 + batch if large else 0)


def _book(yard: Yard) -> Book:
    """The pool, rebuilt from the log alone."""
    spec = yard.registry.kind("box")
    book = Book()
    for fields in yard.events("box/b"):
        of = spec.events[fields[b"type"].decode()]
        for pool, rule in of.pools:
            book, _ = book.after(pool, rule, of.codec.decode(fields[b"data"]))
    return book


def test_a_large_state_is_not_written_at_each_turn(yard: Yard) -> None:
    for number in range(200):
        yard.send("box/b", Add(number, by="somebody with a long name"))
    pump = yard.pump()
    written = 0
    while pump.compute(batch=1):
        assert pump.pending is not None
        written += bool(pump.pending.entities[0][1].state)
        pump.commit()

    loaded = yard.record("box/b")
    assert written < 100
    assert 0 < loaded.version - loaded.snapshot < records.SNAPSHOT_EVERY
    assert yard.folded("box/b") == loaded.state


def test_a_stored_state_that_cannot_be_read_is_rebuilt(yard: Yard) -> None:
    yard.send("box/b", Add(1))
    yard.settle()
    expected = yard.record("box/b").state
    key = yard.store.keys.partition(0).entity("box", "b")
    for broken in (b"", b"{", b'{"share":null}', b"[]"):
        yard.redis.hset(key, "state", broken)

        assert expected == yard.record("box/b").state


def test_what_is_folded_is_what_is_stored(yard: Yard) -> None:
    """An instant keeps milliseconds: microseconds in memory would make another state."""
    yard.send("box/b", Add(1))
    yard.settle()
    yard.now += 1
    yard.send("box/b", Add(2))
    yard.settle()

    assert timedelta(milliseconds=1) == yard.record("box/b").state.waited
