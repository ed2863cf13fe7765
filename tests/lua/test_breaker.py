"""breaker: calls to a target that fails stop, and start again by themselves."""

from typing import Any

import pytest

from tests.lua.test_commit_refused import NOT_A_COUNT
from tests.support.forge import NAMESPACE, NOW, Word, dump, fcall
from wherry.store import calls, effects
from wherry.store.calls import Asking
from wherry.store.effects import Permission
from wherry.store.keys import Keys

KEY = "t:breaker:gateway"
LIMIT, RESET, LEASE = 3, 10_000, 2_000


def ask(
    redis: Any, wanted: int = 1, *, succeeded: int = 0, failed: int = 0, at: int = 0,
    probes: int = 1,
) -> Permission:  # fmt: skip
    asking = Asking(wanted, succeeded, failed, LIMIT, RESET, probes, LEASE)
    call = calls.breaker(Keys(NAMESPACE), "gateway", NOW + at, asking)
    return effects.permission(redis.execute_command(*call.words(NAMESPACE)))


def opened(redis: Any) -> None:
    assert "open" == ask(redis, failed=LIMIT).state


def closed(granted: int, failures: int = 0) -> Permission:
    return Permission("closed", granted, None, failures)


def open_until(at: int, failures: int = LIMIT) -> Permission:
    return Permission("open", 0, NOW + at, failures)


def test_a_breaker_that_nobody_used_is_closed_and_says_of_whom_it_is(lua: Any) -> None:
    assert closed(7) == ask(lua, 7)
    assert {
        b"state": b"closed", b"failures": b"0", b"until": b"0", b"probes": b"0",
        b"probe_until": b"0", b"since": str(NOW).encode(), b"target": b"gateway",
    } == lua.hgetall(KEY)  # fmt: skip


def test_who_only_asks_changes_nothing(lua: Any) -> None:
    ask(lua)
    before = dump(lua)

    assert closed(5) == ask(lua, 5, at=99)
    assert closed(5) == ask(lua, 5, succeeded=8, at=99)
    assert before == dump(lua)


def test_a_row_of_failures_opens_it(lua: Any) -> None:
    assert closed(1, 1) == ask(lua, failed=1)
    assert closed(1, 2) == ask(lua, failed=1)
    assert open_until(5 + RESET) == ask(lua, failed=1, at=5)
    assert open_until(5 + RESET) == ask(lua, at=4 + RESET)


def test_a_success_ends_the_row(lua: Any) -> None:
    ask(lua, failed=2)

    assert closed(1) == ask(lua, succeeded=1)
    assert closed(1, 2) == ask(lua, failed=2)


def test_of_one_report_the_successes_count_first(lua: Any) -> None:
    ask(lua, failed=2)

    assert closed(1, 1) == ask(lua, succeeded=5, failed=1)
    assert "open" == ask(lua, succeeded=5, failed=LIMIT).state


def test_what_is_reported_while_it_is_open_changes_nothing(lua: Any) -> None:
    opened(lua)
    before = dump(lua)

    assert open_until(RESET) == ask(lua, succeeded=1, failed=1, at=9)
    assert before == dump(lua)


def test_after_its_time_it_lets_a_probe_pass(lua: Any) -> None:
    opened(lua)

    first = ask(lua, 5, at=RESET)
    second = ask(lua, 5, at=RESET + 1)

    assert Permission("half-open", 1, NOW + RESET + LEASE, LIMIT) == first
    assert Permission("half-open", 0, NOW + RESET + LEASE, LIMIT) == second


def test_a_report_from_before_is_not_one_of_a_probe(lua: Any) -> None:
    opened(lua)

    assert "half-open" == ask(lua, 0, succeeded=1, failed=1, at=RESET).state


def test_several_probes_may_be_out(lua: Any) -> None:
    opened(lua)

    assert 2 == ask(lua, 2, at=RESET, probes=3).granted
    assert 1 == ask(lua, 2, at=RESET, probes=3).granted
    assert 0 == ask(lua, 2, at=RESET, probes=3).granted


def test_a_probe_that_succeeds_closes_it(lua: Any) -> None:
    opened(lua)
    ask(lua, at=RESET)

    assert closed(9) == ask(lua, 9, succeeded=1, at=RESET + 3)
    assert str(NOW + RESET + 3).encode() == lua.hget(KEY, "since")


def test_a_probe_that_fails_opens_it_again(lua: Any) -> None:
    opened(lua)
    ask(lua, at=RESET)

    assert open_until(2 * RESET + 3, LIMIT + 1) == ask(lua, failed=1, at=RESET + 3)
    assert "half-open" == ask(lua, at=2 * RESET + 3).state


def test_a_probe_that_succeeds_closes_it_though_others_fail(lua: Any) -> None:
    opened(lua)
    ask(lua, 2, at=RESET, probes=2)

    assert closed(1, 1) == ask(lua, succeeded=1, failed=1, at=RESET)


def test_a_probe_that_is_lost_makes_room_for_another(lua: Any) -> None:
    opened(lua)
    ask(lua, at=RESET)

    assert 0 == ask(lua, at=RESET + LEASE - 1).granted
    assert 1 == ask(lua, at=RESET + LEASE).granted


def test_who_has_no_call_to_make_takes_no_place(lua: Any) -> None:
    opened(lua)

    assert Permission("half-open", 0, None, LIMIT) == ask(lua, 0, at=RESET)
    assert 1 == ask(lua, at=RESET).granted


def test_a_breaker_whose_fields_are_damaged_still_works(lua: Any) -> None:
    lua.hset(KEY, mapping={"failures": "x", "until": "", "since": "?"})

    assert closed(1, 1) == ask(lua, failed=1)


def words(**changes: Word) -> list[Word]:
    values: dict[str, Word] = {
        "now": NOW, "wanted": 1, "succeeded": 0, "failed": 1,
        "limit": LIMIT, "reset": RESET, "probes": 1, "lease": LEASE,
    }  # fmt: skip
    return list((values | changes).values())


@pytest.mark.parametrize("junk", NOT_A_COUNT)
def test_a_number_is_a_count(lua: Any, junk: Word) -> None:
    for position in range(len(words())):
        args = words()
        args[position] = junk
        assert b"INVALID" == fcall(lua, "breaker", [KEY], args)[0]
    assert {} == dump(lua)


@pytest.mark.parametrize("args", [words()[:-1], [], [*words(), 1], words(limit=0), words(probes=0)])
def test_other_arguments_are_invalid(lua: Any, args: list[Word]) -> None:
    assert b"INVALID" == fcall(lua, "breaker", [KEY], args)[0]
    assert {} == dump(lua)


@pytest.mark.parametrize(
    "keys", [[], [""], ["t:pumps"], ["t:breaker:"], ["{t:0}:breaker:gateway"], ["t:breaker:a:log"]]
)
def test_the_key_is_that_of_a_breaker(lua: Any, keys: list[str]) -> None:
    assert b"INVALID" == fcall(lua, "breaker", keys, words())[0]
    assert {} == dump(lua)


def test_a_key_of_the_wrong_type_is_invalid(lua: Any) -> None:
    lua.rpush(KEY, "in the way")
    before = dump(lua)

    assert b"INVALID" == fcall(lua, "breaker", [KEY], words())[0]
    assert before == dump(lua)
