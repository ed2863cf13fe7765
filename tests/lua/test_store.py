"""What the store reads of effects, attention and counters, as the library wrote it."""

from typing import Any

import pytest

from tests.support.forge import NAMESPACE, NOW, Commit, fcall, key
from wherry.engine.changes import Changes
from wherry.store import calls
from wherry.store.calls import Again, Asking, Done, FunctionCall, Park, Settling
from wherry.store.client import Committed, Store
from wherry.store.effect_store import EffectStore
from wherry.store.effects import BreakerState, StoredCall, Waiting


@pytest.fixture
def store(lua: Any) -> Store:
    return Store(lua, NAMESPACE)


def stored(store: Store, changes: Changes) -> Committed:
    answer = store.commit(changes, result_ttl_ms=1000)
    assert isinstance(answer, Committed)
    return answer


def changes(partition: int = 0) -> Changes:
    return Changes(partition, "0-0", NOW)


def with_effects(*ids: str) -> Changes:
    made = changes()
    made.effects += [(id_, f"call {id_}".encode()) for id_ in ids]
    return made


def take(store: Store) -> None:
    store.call(calls.take(store.keys.partition(0), NOW, 500, 10))


def test_a_turn_of_the_engine_is_the_commit_that_the_library_expects(store: Store) -> None:
    made = with_effects("a", "b")
    made.attention["ship/a"] = b"{}"
    made.counters["handled:ship:accepted"] += 2
    by_hand = Commit(
        ttl=1000,
        cap=10_000,
        effects=[("a", b"call a"), ("b", b"call b")],
        attention=[("ship/a", b"{}")],
        counters=[("handled:ship:accepted", 2)],
    )

    call = calls.commit(store.keys, made, result_ttl_ms=1000)

    assert by_hand.words() == (call.keys, call.args)


def test_a_commit_tells_how_many_runners_heard_of_its_effects(store: Store) -> None:
    assert stored(store, changes()).listeners is None
    assert stored(store, with_effects("a")).listeners == 0

    with store.redis.pubsub() as listening:
        listening.subscribe(store.keys.effects_channel)
        listening.get_message(timeout=1)
        assert stored(store, with_effects("b")).listeners == 1


def test_attention_is_read_by_partition(store: Store) -> None:
    made = changes()
    made.attention["ship/a"] = b'{"restarts":[1]}'
    stored(store, made)

    assert store.attention(0) == {"ship/a": b'{"restarts":[1]}'}
    assert store.attention(1) == {}


def test_counters_are_added_up_over_the_partitions(store: Store) -> None:
    for partition in (0, 1):
        made = changes(partition)
        made.counters.update({"both": 2, f"only {partition}": 1})
        stored(store, made)

    assert store.counters(3) == {"both": 4, "only 0": 1, "only 1": 1}


def test_the_earliest_call_of_each_partition_is_known(store: Store) -> None:
    stored(store, with_effects("a", "b"))
    assert store.effects_due(2) == [NOW, None]

    take(store)
    EffectStore(store).settle(Settling(0, "a", 1, NOW, Again(NOW + 100)))
    EffectStore(store).settle(Settling(0, "b", 1, NOW, Park()))

    assert store.effects_due(2) == [NOW + 100, None]
    assert EffectStore(store).waiting(2) == [Waiting(1, 1), Waiting(0, 0)]


def test_parked_calls_are_listed_with_what_is_known_of_them(store: Store) -> None:
    stored(store, with_effects("a", "b", "c"))
    take(store)
    EffectStore(store).settle(Settling(0, "b", 1, NOW + 1, Park(b"later")))
    EffectStore(store).settle(Settling(0, "a", 1, NOW, Park(b"{}")))

    first = StoredCall(0, "a", b"call a", parked_ms=NOW, n=1, made=1, note=b"{}")
    second = StoredCall(0, "b", b"call b", parked_ms=NOW + 1, n=1, made=1, note=b"later")
    assert EffectStore(store).parked(0) == [first, second]
    assert EffectStore(store).parked(0, limit=1) == [first]
    assert EffectStore(store).parked(1) == []


def test_the_calls_that_are_not_parked_are_listed_the_earliest_first(store: Store) -> None:
    stored(store, with_effects(*(f"e{n:04}" for n in range(1_203))))

    ids = [call.id for call in EffectStore(store).due(0)]

    assert ids == [f"e{n:04}" for n in range(1_203)]
    assert list(EffectStore(store).due(1)) == []


def test_a_call_is_found_wherever_it_is(store: Store) -> None:
    stored(store, with_effects("a"))
    assert EffectStore(store).find(0, "a") == StoredCall(0, "a", b"call a", due_ms=NOW)

    take(store)
    running = StoredCall(0, "a", b"call a", due_ms=NOW + 500, n=1, made=1, running=True)
    assert EffectStore(store).find(0, "a") == running

    EffectStore(store).settle(Settling(0, "a", 1, NOW, Done()))
    assert EffectStore(store).find(0, "a") is None


def test_a_parked_call_is_resumed_unless_a_runner_has_it(store: Store) -> None:
    stored(store, with_effects("a"))
    take(store)
    EffectStore(store).settle(Settling(0, "a", 1, NOW, Park()))

    assert EffectStore(store).resume(0, "a", NOW + 1) == 0
    assert store.effects_due(1) == [NOW + 1]
    store.call(calls.take(store.keys.partition(0), NOW + 1, 500, 10))
    assert EffectStore(store).resume(0, "a", NOW + 1) is None


def test_who_settles_a_call_learns_whether_to_start_a_pump(store: Store) -> None:
    stored(store, with_effects("a", "b", "c"))
    take(store)

    assert EffectStore(store).settle(Settling(0, "a", 1, NOW, Done())) is False
    assert EffectStore(store).settle(Settling(0, "b", 1, NOW, Done(b"answer"))) is True
    assert EffectStore(store).settle(Settling(0, "c", 2, NOW, Done(b"answer"))) is None


def test_breakers_are_listed_though_nobody_asked_them_yet(store: Store) -> None:
    asking = Asking(1, 0, 3, limit=3, reset_ms=500, probes=1, lease_ms=100)
    store.call(calls.breaker(store.keys, "gateway", NOW, asking))

    assert EffectStore(store).breakers(["gateway", "carrier"]) == [
        BreakerState("gateway", "open", 3, NOW + 500, 0, NOW),
        BreakerState("carrier", "closed", 0, 0, 0, 0),
    ]


def test_an_answer_that_is_none_of_the_library_is_a_mistake_of_ours(store: Store) -> None:
    broken = FunctionCall("settle", [key("effects")], [])
    assert fcall(store.redis, broken.verb, broken.keys, [])[0] == b"INVALID"

    with pytest.raises(AssertionError, match="INVALID"):
        EffectStore(store).settle(Settling(0, "a", -1, NOW, Done()))
