"""What is stored, read with other code: each way in which it can break, broken one by one."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from tests.support import yard as first_code
from tests.support.quay import Moor, Paint, first_app, second_quay
from tests.support.yard import Add, Box, BoxKind, Close, Fill, Hold, Resize, Yard
from wherry import App, Context, Saga
from wherry.codec import codec_of, to_json
from wherry.deploying.replaying import Break, replay
from wherry.engine.envelope import Answer, Envelope, raw
from wherry.engine.registry import Registry
from wherry.engine.specs import KindSpec
from wherry.store.repair import repair_many
from wherry.store.told import Told

LATER = datetime.fromtimestamp(first_code.NOW / 1000, UTC) + timedelta(hours=1)

Change = Callable[[Registry], Any]


def registry_of(yard: Yard, change: Change = lambda _: None, app: App = first_code.APP) -> Registry:
    """The new code."""
    registry = Registry(app, yard.partitions)
    change(registry)
    return registry


def breaks(yard: Yard, change: Change = lambda _: None, app: App = first_code.APP) -> list[Break]:
    return list(replay(yard.store, registry_of(yard, change, app)).breaks)


def kind(registry: Registry, name: str, **changes: Any) -> KindSpec:
    """Change what the code says of a kind."""
    registry.kinds[name] = replace(registry.kinds[name], **changes)
    return registry.kinds[name]


def event(registry: Registry, name: str, **changes: Any) -> None:
    """Change what the code says of an event of boxes."""
    events = registry.kinds["box"].events
    kind(registry, "box", events=events | {name: replace(events[name], **changes)})


@pytest.fixture
def yard(fake_redis: Redis) -> Yard:
    """Two boxes, of which `b` holds a place."""
    yard = Yard(fake_redis)
    yard.send("box/b", Add(1))
    yard.send("box/other", Add(2))
    yard.send("box/b", Resize(3))
    yard.send("box/b", Hold("h1", LATER))
    yard.send("box/b", Hold("h2", LATER))
    yard.settle()
    return yard


# -- entities --------------------------------------------------------------------------------------


def test_the_code_that_has_stored_it_can_read_it(yard: Yard) -> None:
    seen: list[tuple[int, int]] = []

    found = replay(yard.store, registry_of(yard), progress=lambda *at: seen.append(at))

    assert (found.breaks, found.stale) == ((), ())
    assert (found.entities, found.sagas, found.messages) == (2, 0, 2)
    assert seen == [(2, 2)]


@dataclass(frozen=True, slots=True)
class Changed:
    """As Added or Box, with a field that nothing stored has."""

    number: int
    weight: float


def _without(name: str) -> Change:
    def change(registry: Registry) -> None:
        events = dict(registry.kinds["box"].events)
        del events[name]
        kind(registry, "box", events=events)

    return change


def _raises(state: Any, event: Any) -> Any:
    raise ValueError("too heavy")


def _smaller_pool(registry: Registry) -> None:
    smaller = copy(first_code.places)
    smaller.most = 2
    rules = {name: of.pools[0][1] for name, of in registry.kinds["box"].events.items() if of.pools}
    kind(registry, "box", pools=(smaller,))
    for name, rule in rules.items():
        event(registry, name, pools=((smaller, rule),))


def _renamed_hold(registry: Registry) -> None:
    ((pool, rule),) = registry.kinds["box"].events["Held"].pools
    event(registry, "Held", pools=((pool, replace(rule, verb="free")),))


def _ajar(state: Box, _: Any) -> Box:
    return replace(state, status="ajar")


@pytest.mark.parametrize(
    ("change", "code", "what", "said", "next_"),
    [
        (
            _without("Added"), "event-unknown", "Added", "no upcaster for Added of version 1",
            'write @box.upcast("Added", version=1, to=...), or box.drops("Added")',
        ),
        (
            lambda r: event(r, "Added", codec=codec_of(Changed)), "event-unreadable", "Added",
            "missing required field `weight`",
            'write @box.upcast("Added", version=1)',
        ),
        (
            lambda r: event(r, "Added", fold=_raises), "event-unfoldable", "Added",
            "ValueError: too heavy", "let the fold of Added take what was stored",
        ),
        (
            _smaller_pool, "pool-over", "pool places, Resized", "the limit 3 is over 2",
            "let pool places have room for what its entities hold",
        ),
        (
            _renamed_hold, "pool-broken", "pool places, Held", "h1 is not held",
            "let the rules of pool places follow",
        ),
        (
            lambda r: event(r, "Added", fold=_ajar), "status-changed", "open -> ajar",
            "its status is 'open', its log tells 'ajar'", "let the folds lead to the status",
        ),
        (
            lambda r: kind(r, "box", lifecycle={"": ("closed",)}), "status-unknown", "open",
            "'open' is not in the lifecycle", "keep 'open' in the lifecycle of box",
        ),
        (
            lambda r: r.kinds.pop("box"), "kind-removed", "box", "the new code has no box",
            "deploy the bundle of box as well",
        ),
    ],
)  # fmt: skip
def test_each_thing_that_breaks_is_named_with_what_to_do(
    yard: Yard, change: Any, code: str, what: str, said: str, next_: str
) -> None:
    found = next(b for b in breaks(yard, change) if b.code == code)

    assert found.subject.startswith("box/")
    assert found.what == what
    assert said in found.detail
    assert next_ in found.next


def test_what_breaks_in_the_same_way_is_one_line(fake_redis: Redis) -> None:
    yard = Yard(fake_redis, partitions=4)
    boxes = {f"box/{n}" for n in range(30)}
    for box in sorted(boxes):
        yard.send(box, Add(1))
    yard.settle()

    (found,) = breaks(yard, _without("Added"))

    assert found.count == 30
    assert len({found.subject, *found.more} & boxes) == 5


def test_a_renamed_event_breaks_until_there_is_an_upcaster(fake_redis: Redis) -> None:
    yard = Yard(fake_redis, app=first_app())
    yard.send("quay/q", Moor("v1"))
    yard.send("quay/q", Paint())
    yard.settle()

    (broken,) = breaks(yard, app=App([second_quay(upcast=False)]))
    found = replay(yard.store, registry_of(yard, app=App([second_quay()])))

    assert (broken.code, broken.subject, broken.version) == ("event-unknown", "quay/q", 1)
    assert found.breaks == ()
    # Its stored state counts the coat of paint that is dropped now.
    assert found.stale == ("quay/q",)


def test_an_upcaster_that_does_not_take_what_was_stored_is_named(fake_redis: Redis) -> None:
    yard = Yard(fake_redis, app=first_app())
    yard.send("quay/q", Moor("v1"))
    yard.settle()
    quay = second_quay(upcast=False)
    quay.upcast("Moored", to="BerthTaken", to_version=1)(lambda data: {"vessel": data["ship"]})

    (broken,) = breaks(yard, app=App([quay]))

    assert (broken.code, broken.detail) == ("event-unreadable", "KeyError: 'ship'")
    assert broken.next.startswith('let @quay.upcast("Moored", version=1) take what was stored')


def test_code_that_is_older_than_an_event_says_so(fake_redis: Redis) -> None:
    yard = Yard(fake_redis, app=App([second_quay()]))
    yard.send("quay/q", Moor("v1"))
    yard.settle()
    back = App([second_quay()])
    registry = registry_of(yard, app=back)
    spec = kind(registry, "quay")
    kind(registry, "quay", events={"BerthTaken": replace(spec.events["BerthTaken"], version=1)})

    (broken,) = replay(yard.store, registry).breaks

    assert broken.what == "BerthTaken 2"
    assert broken.next == "deploy code that knows BerthTaken of version 2"


def test_what_folds_to_something_else_is_stale_and_breaks_nothing(yard: Yard) -> None:
    def once_more(state: Box, event: Any) -> Box:
        return replace(state, status="open", share=1.5)

    found = replay(yard.store, registry_of(yard, lambda r: event(r, "Added", fold=once_more)))

    assert (found.breaks, sorted(found.stale)) == ((), ["box/b", "box/other"])


def test_pools_that_come_to_something_else_are_stale(yard: Yard) -> None:
    gone = replay(yard.store, registry_of(yard, lambda r: kind(r, "box", pools=())))
    no_holds = replay(yard.store, registry_of(yard, lambda r: event(r, "Held", pools=())))

    assert no_holds.stale == ("box/b",)
    assert no_holds.breaks == ()
    assert [b.code for b in gone.breaks] == ["pool-broken"]


def test_a_state_that_is_no_json_any_more_leaves_none_that_other_code_has_stored(
    yard: Yard,
) -> None:
    first = registry_of(yard).kinds["box"].events["Added"].fold
    secret = registry_of(
        yard,
        lambda r: event(
            r, "Added", fold=lambda box, e: replace(first(box, e), thing=lambda: "no JSON")
        ),
    )

    found = replay(yard.store, secret)

    assert (found.stale, found.breaks) == (("box/b", "box/other"), ())
    list(repair_many(yard.store, secret, found.stale))
    assert yard.redis.hget(yard.store.keys.partition(0).entity("box", "b"), "state") is None
    assert replay(yard.store, secret).stale == ()


def test_a_lifecycle_may_allow_less_than_has_happened(yard: Yard) -> None:
    yard.send("box/b", Close())
    yard.settle()
    registry = registry_of(
        yard, lambda r: kind(r, "box", lifecycle={"": ("open", "closed"), "open": ()})
    )

    found = replay(yard.store, registry)
    told = Told(registry.kinds["box"], "b")
    told.read((b"%d-0" % n, fields) for n, fields in enumerate(yard.events("box/b"), 1))

    assert (found.breaks, found.stale) == ((), ())
    # So fsck and repair do not stumble over what was right when it happened.
    assert (told.fault, told.status) == (None, "closed")


def test_an_entity_that_would_be_looked_for_elsewhere_breaks(fake_redis: Redis) -> None:
    yard = Yard(fake_redis, partitions=8)
    yard.send("box/b", Add(1))
    yard.settle()

    (broken,) = breaks(yard, lambda r: kind(r, "box", placed_with=lambda _: "elsewhere/1"))

    assert (broken.code, broken.what) == ("placement-changed", "box")
    assert "leave placed_with of box as it was" in broken.next


def test_a_message_for_an_entity_that_would_begin_elsewhere_breaks(fake_redis: Redis) -> None:
    """It would be made here, and then be looked for there."""
    yard = Yard(fake_redis, partitions=8)
    yard.send("box/new", Add(1))

    (broken,) = breaks(yard, lambda r: kind(r, "box", placed_with=lambda _: "elsewhere/1"))

    assert (broken.code, broken.subject, broken.what) == ("placement-changed", "box/new", "box")
    assert "inbox of partition" in broken.detail


def test_a_call_of_a_target_that_is_an_entity_now_breaks(yard: Yard) -> None:
    call = Envelope("e1", "box/b", "Add", raw(Add(1)), sender="box/other", tag="Add")
    yard.redis.hset(yard.store.keys.partition(0).effect, "e1", to_json(call))

    (broken,) = breaks(yard)

    assert (broken.code, broken.what) == ("message-unknown", "box Add")
    assert "effect e1: box was a target" in broken.detail


@pytest.mark.parametrize("missing", [2, 4])
def test_a_log_that_is_not_complete_is_told(yard: Yard, missing: int) -> None:
    yard.redis.xdel(yard.store.keys.partition(0).log("box", "b"), f"{missing}-0")

    (broken,) = breaks(yard)

    assert (broken.code, broken.next) == ("log-incomplete", "wherry fsck box/b")
    assert broken.detail == f"it is at version 4, and its log has no event {missing}"


def test_long_logs_are_read_to_their_end(fake_redis: Redis) -> None:
    yard = Yard(fake_redis)
    for number in range(1, 700):
        yard.send("box/b", Add(number))
    yard.settle()

    assert breaks(yard) == []
    (broken,) = breaks(yard, lambda r: event(r, "Added", fold=_raises_at(699)))
    assert broken.version == 699


def _raises_at(number: int) -> Callable[[Any, Any], Any]:
    def fold(state: Any, event: Any) -> Any:
        if event.number == number:
            raise ValueError("here")
        return replace(state, status="open")

    return fold


def test_a_second_look_reads_only_what_has_changed_since(yard: Yard) -> None:
    yard.now += 10
    yard.send("box/other", Add(3))
    yard.settle()
    registry = registry_of(yard, _without("Added"))

    found = replay(yard.store, registry, since_ms=yard.now)

    assert (found.entities, [b.subject for b in found.breaks]) == (1, ["box/other"])


def test_what_somebody_spoiled_is_told_and_ends_nothing(yard: Yard) -> None:
    own = yard.store.keys.partition(0)
    yard.redis.delete(own.log("box", "b"))
    yard.redis.set(own.log("box", "b"), "no stream")
    yard.redis.hset(own.entity("box", "other"), "version", "none")
    yard.redis.xadd(own.inbox, {"something": "else"})

    (broken,) = breaks(yard)

    assert (broken.code, broken.count, broken.next[:15]) == ("entity-damaged", 2, "wherry fsck box")


@pytest.mark.parametrize("field", ["v", "type", "data"])
def test_an_event_that_somebody_spoiled_is_told(yard: Yard, field: str) -> None:
    log = yard.store.keys.partition(0).log("box", "other")
    yard.redis.delete(log)
    spoiled: Any = {"type": "Added", "data": "{}", "v": "1"} | {field: "\x00no"}
    yard.redis.xadd(log, spoiled, id="1-0")

    (broken,) = breaks(yard)

    assert broken.code in {"event-unknown", "event-unreadable"}
    assert broken.subject == "box/other"


def test_folds_and_placements_that_raise_end_nothing(yard: Yard) -> None:
    def no_state(state: Box, event: Any) -> Any:
        return None

    def no_place(key: str) -> str:
        raise KeyError(key)

    found = breaks(yard, lambda r: event(r, "Added", fold=no_state))
    unusable = next(b for b in found if b.code == "state-unusable")
    (misplaced,) = breaks(yard, lambda r: kind(r, "box", placed_with=no_place))

    assert unusable.subject == "box/other"
    assert "placed_with raises KeyError" in misplaced.detail


# -- sagas -----------------------------------------------------------------------------------------


@pytest.fixture
def filling(fake_redis: Redis) -> Yard:
    """A saga whose first step is open: what it has asked lies in another partition's inbox."""
    yard = Yard(fake_redis, partitions=4)
    box = yard.registry.partition_of("box/b")
    key = next(f"s{n}" for n in range(50) if yard.registry.partition_of(f"saga.fill/s{n}") != box)
    yard.start(key, Fill("b"))
    yard.pump(yard.registry.partition_of(f"saga.fill/{key}")).step()
    return yard


def further(yard: Yard) -> Yard:
    """The steps that run at the same time have been asked."""
    saga = sagas_of(yard)[0]
    for address in ("box/b", saga):
        yard.pump(yard.registry.partition_of(address)).step()
    assert [s.name for s in yard.record(saga).state.steps] == ["first", "left", "right"]
    return yard


def sagas_of(yard: Yard) -> list[str]:
    logs = [key.decode() for key in yard.redis.scan_iter("*:saga.fill:*:log")]
    return [f"saga.fill/{log.split(':')[-2]}" for log in logs]


def with_saga(saga: Saga[Any, Any, Any]) -> App:
    return App([first_code.box, first_code.fan, saga])


def saga_of(*names: str, start: Any = None, items: Any = None) -> Saga[Any, Any, Any]:
    """The saga with other steps."""
    known = {part.name: part for stage in first_code.fill.stages for part in stage}
    saga = Saga("fill", start=start or first_code._start, result=first_code._result)
    for name in names:
        parts = [known.get(one, replace(known["last"], name=one)) for one in name.split("+")]
        saga.together(*(replace(p, items=items) if items and p.repeated else p for p in parts))
    return saga


def test_an_unfinished_saga_that_goes_on_breaks_nothing(filling: Yard) -> None:
    first = replay(filling.store, registry_of(filling))
    second = replay(further(filling).store, registry_of(filling))

    assert (first.breaks, first.stale, first.sagas, first.messages) == ((), (), 1, 2)
    assert (second.breaks, second.stale, second.sagas) == ((), (), 1)


def test_steps_may_be_added_behind_those_that_have_begun(filling: Yard) -> None:
    assert breaks(filling, app=with_saga(saga_of("first", "new", "left+right", "parts"))) == []


@dataclass(frozen=True, slots=True)
class OtherState:
    given: Fill
    crane: str


@dataclass(frozen=True, slots=True)
class OtherInput:
    box: str
    crane: str


def other_state(given: Fill, ctx: Context) -> OtherState:
    return OtherState(given, "c1")


def other_input(given: OtherInput, ctx: Context) -> OtherState:
    return OtherState(Fill(given.box), given.crane)


@pytest.mark.parametrize(
    ("saga", "code", "what", "next_"),
    [
        (saga_of("left+right"), "step-removed", "first", "keep step 'first' of saga fill"),
        (saga_of("first+new"), "step-added", "new", "add new behind them, or wait until"),
        (saga_of("new", "first"), "step-moved", "first", "add steps behind those that have begun"),
        (
            saga_of("first", start=other_state), "saga-unreadable", "SagaStarted",
            "give new fields of its state a default",
        ),
        (
            saga_of("first", start=other_input), "input-unreadable", "input",
            "give new fields of OtherInput a default",
        ),
    ],
)  # fmt: skip
def test_a_saga_that_cannot_go_on_is_named_with_what_to_do(
    filling: Yard, saga: Saga[Any, Any, Any], code: str, what: str, next_: str
) -> None:
    (found,) = breaks(filling, app=with_saga(saga))

    assert (found.code, found.what) == (code, what)
    assert found.subject.startswith("saga.fill/")
    assert next_ in found.next


def test_a_step_that_would_have_been_skipped_may_be_added_anywhere(filling: Yard) -> None:
    # `maybe` is only asked by those that want it.
    assert breaks(filling, app=with_saga(saga_of("first+maybe"))) == []


def test_a_saga_that_ends_while_it_is_looked_for_breaks_nothing(filling: Yard) -> None:
    (saga,) = sagas_of(filling)
    filling.settle()
    own = filling.store.keys.partition(filling.registry.partition_of(saga))
    filling.redis.zadd(own.index("saga.fill", "running"), {saga.partition("/")[2]: 1})

    assert breaks(filling, app=with_saga(saga_of("new"))) == []


def test_a_saga_that_is_gone_breaks_as_long_as_one_is_unfinished(filling: Yard) -> None:
    without = App([first_code.box, first_code.fan])

    codes = {found.code: found.what for found in breaks(filling, app=without)}
    filling.settle()

    # Its clock is under way as well.
    assert codes == {"saga-removed": "saga.fill", "message-unknown": "saga.fill Tick"}
    assert breaks(filling, app=without) == []


def test_next_steps_are_computed_where_they_can_be(filling: Yard) -> None:
    def no_items(state: Any) -> tuple[int, ...]:
        raise LookupError("no parts any more")

    saga = saga_of("first", "maybe", "left+right", "parts", items=no_items)
    before = breaks(filling, app=with_saga(saga))
    (found,) = breaks(further(filling), app=with_saga(saga))

    assert before == []
    assert (found.code, found.what) == ("step-uncomputable", "parts")
    assert "no parts any more" in found.detail


def test_an_undo_that_nobody_takes_any_more_breaks(filling: Yard) -> None:
    (found,) = breaks(filling, lambda r: r.kinds["box"].commands.pop("Remove"))

    assert (found.code, found.what) == ("message-unknown", "box Remove")
    assert found.subject.startswith("saga.fill/")
    assert "undo of step first" in found.detail


def test_a_reply_that_is_still_to_come_needs_its_command(filling: Yard) -> None:
    found = breaks(filling, lambda r: r.kinds["box"].commands.pop("Add"))

    assert {(b.code, b.what) for b in found} == {
        ("step-uncomputable", "first"), ("message-unknown", "box Add"),
    }  # fmt: skip


# -- messages --------------------------------------------------------------------------------------


def test_a_message_that_waits_has_to_be_known_and_readable(yard: Yard) -> None:
    yard.send("box/b", Add(5))
    commands = registry_of(yard).kinds["box"].commands

    (unknown,) = breaks(yard, lambda r: r.kinds["box"].commands.pop("Add"))
    (unreadable,) = breaks(
        yard,
        lambda r: r.kinds["box"].commands.update(
            Add=replace(commands["Add"], codec=codec_of(Changed))
        ),
    )
    (timer,) = breaks(yard, lambda r: r.kinds["box"].commands.pop("Free"))

    assert (unknown.code, unknown.what) == ("message-unknown", "box Add")
    assert "inbox of partition 0" in unknown.detail
    assert (unreadable.code, unreadable.what) == ("message-unreadable", "box Add")
    assert timer.count == 2
    assert "timer box/b:places:h1" in timer.detail


def test_calls_messages_that_are_held_and_answers_are_messages_too(yard: Yard) -> None:
    own = yard.store.keys.partition(0)
    call = Envelope("e1", "gateway/k", "Capture", sender="box/b", tag="Capture")
    held = Envelope("h1", "box/b", "Gone")
    lost = Envelope(
        "a1", "box/b", "Answer", raw(Answer("Weigh", "Weigh", "done")), sender="scale/s"
    )
    yard.redis.hset(own.effect, "e1", to_json(call))
    yard.redis.rpush(own.held_for("box", "b"), to_json(held))
    yard.redis.zadd(own.held, {"box/b": 1})
    yard.put(lost)
    yard.redis.xadd(own.inbox, {"message": "no envelope: a dead letter by any code"})

    found = {b.what: b.detail for b in breaks(yard)}

    assert found.keys() == {"gateway Capture", "box Gone", "box Answer"}
    assert "effect e1" in found["gateway Capture"]
    assert "held for box/b" in found["box Gone"]


def test_nothing_is_written(filling: Yard) -> None:
    before = sorted(filling.redis.scan_iter())
    cursor = filling.redis.hgetall(filling.store.keys.partition(0).meta)

    breaks(filling, app=App([first_code.fan]))

    assert sorted(filling.redis.scan_iter()) == before
    assert filling.redis.hgetall(filling.store.keys.partition(0).meta) == cursor


def test_other_namespaces_are_not_looked_at(yard: Yard) -> None:
    other = Yard(yard.redis, namespace="yard2", app=first_app())
    other.send("quay/q", Moor("v1"))
    other.settle()

    assert BoxKind.name in replay_kinds(yard)
    assert "quay" not in replay_kinds(yard)


def replay_kinds(yard: Yard) -> set[str]:
    return {b.what for b in breaks(yard, app=App([first_code.fan]))}
