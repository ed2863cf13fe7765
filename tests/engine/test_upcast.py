"""Events change, and what was stored does not: upcasters stand between the two."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.quay import Moor, Paint, Quay, QuayKind, first_app, second_quay
from tests.support.yard import Yard
from wherry import App, Entity, Event, Misconfigured, message
from wherry.engine.registry import Registry
from wherry.store.fsck import Fsck
from wherry.testing import given, stored


def later(yard: Yard, app: App) -> Yard:
    """The same namespace, with other code."""
    return Yard(yard.redis, app=app, now=yard.now, sent=yard.sent)


def grown(redis: Any) -> Yard:
    """A quay with one event of each kind, by the first code."""
    yard = Yard(redis, app=first_app())
    yard.send("quay/q", Moor("v1", 10))
    yard.send("quay/q", Paint())
    yard.settle()
    return yard


def test_an_event_keeps_the_version_that_its_class_says() -> None:
    @message
    class Plain(Event):
        pass

    @message
    class Third(Event, version=3):
        schema_version: int = 7

    @message
    class Child(Third):
        pass

    assert [cls.__schema_version__ for cls in (Event, Plain, Third, Child)] == [1, 1, 3, 1]
    assert Third().schema_version == 7


def test_versions_of_events_start_at_one() -> None:
    with pytest.raises(Misconfigured, match="start at 1"):

        class Never(Event, version=0):
            pass


def test_what_older_code_stored_is_read_through_upcasters_and_stays_as_it_is(redis: Any) -> None:
    yard = later(old := grown(redis), App([second_quay()]))
    before = yard.events("quay/q")

    assert yard.store.rebuild(yard.registry, "quay/q").state == Quay(("v1",), 10)
    asked = yard.send("quay/q", Moor("v2", 5))
    yard.settle()

    assert yard.result(asked, "quay/q").version == 3
    assert yard.folded("quay/q") == Quay(("v1", "v2"), 15)
    events = yard.events("quay/q")
    assert events[:2] == before
    assert [b"v" in event for event in events] == [False, False, True]
    assert (events[2][b"type"], events[2][b"v"]) == (b"BerthTaken", b"2")
    # The stored state has the coat of paint that does not count any more: `repair` is for that.
    (finding,) = Fsck(yard.store, yard.registry).everything()
    assert str(finding) == "quay/q: /state/coats is 1, its log tells 0"
    # Code that is older than the events says so, and breaks nothing.
    back = later(old, first_app())
    assert "BerthTaken of version 2" in back.store.rebuild(back.registry, "quay/q").fault


def test_without_upcasters_the_entity_says_which_event_it_cannot_read(fake_redis: Any) -> None:
    yard = later(grown(fake_redis), App([second_quay(upcast=False)]))

    fault = yard.store.rebuild(yard.registry, "quay/q").fault

    assert "event 1-0 (Moored)" in fault
    assert "no fold and no upcaster for Moored of version 1" in fault


def test_an_event_from_newer_code_is_not_guessed_at(fake_redis: Any) -> None:
    yard = later(grown(fake_redis), App([second_quay()]))
    log = yard.store.keys.partition(0).log("quay", "q")
    yard.redis.xadd(log, {"type": "BerthTaken", "data": "{}", "v": "3"}, id="3-0")
    yard.redis.hset(yard.store.keys.partition(0).entity("quay", "q"), "version", 3)

    fault = yard.store.rebuild(yard.registry, "quay/q").fault

    assert "BerthTaken was stored in version 3, and the code knows up to 2" in fault


def test_the_testing_kit_takes_events_as_older_code_stored_them() -> None:
    quay = second_quay()
    old = given(quay, stored("Moored", {"vessel": "v1", "feet": 30}), stored("Painted"))

    assert old.state == given(quay, stored("BerthTaken", {"vessel": "v1", "feet": 30})).state
    assert old.state == Quay(("v1",), 10)
    assert old.record.version == 2
    assert old.when(Moor("v2")).reply == 2


def test_an_upcaster_can_drop_some_events_of_a_name() -> None:
    quay = Entity(QuayKind, Quay())

    @message
    class Moored(Event, version=2):
        vessel: str

    @quay.folds(Moored)
    def moored(state: Quay, event: Moored) -> Quay:
        return Quay((*state.vessels, event.vessel))

    @quay.upcast("Moored")
    def real(data: dict[str, Any]) -> dict[str, Any] | None:
        return None if data["vessel"] == "test" else data

    went = given(quay, stored("Moored", {"vessel": "test"}), stored("Moored", {"vessel": "v1"}))

    assert (went.state.vessels, went.record.version) == (("v1",), 2)


# -- what is refused when the app is put together --------------------------------------------------


@message
class Here(Event, version=3):
    x: int = 0


@message
class Gone(Event):
    pass


def unchanged(state: Quay, event: Event) -> Quay:
    return state


def same(data: dict[str, Any]) -> dict[str, Any]:
    return data


def _gap(quay: Entity[Any, Quay]) -> None:
    quay.upcast("Here", version=2)(same)


def _of_the_current_version(quay: Entity[Any, Quay]) -> None:
    quay.upcast("Here", version=3)(same)


def _twice(quay: Entity[Any, Quay]) -> None:
    quay.upcast("Here", version=1)(same)
    quay.upcast("Here", version=1)(same)


def _to_nothing(quay: Entity[Any, Quay]) -> None:
    quay.upcast("Old", to=Gone)(same)


def _in_a_circle(quay: Entity[Any, Quay]) -> None:
    quay.upcast("A", to="B")(same)
    quay.upcast("B", to="A")(same)


def _to_which_version(quay: Entity[Any, Quay]) -> None:
    quay.upcast("Old", to=Here)(same)


def _dropped_and_folded(quay: Entity[Any, Quay]) -> None:
    quay.drops("Here")


def _of_version_0(quay: Entity[Any, Quay]) -> None:
    quay.upcast("Old", version=0, to=Here, to_version=1)(same)


def compiled(quay: Entity[Any, Quay], mistake: Callable[[Entity[Any, Quay]], None]) -> Registry:
    mistake(quay)
    return Registry(App([quay]), 1)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (_gap, r"Here is at version 3, and nothing upcasts version 1: write @quay\.upcast"),
        (_of_the_current_version, r"its class is at version 3: write class Here\(Event, version=4"),
        (_twice, "upcasts Here of version 1 twice"),
        (_to_nothing, "upcasts Old of version 1 to Gone of version 1, which no fold"),
        (_in_a_circle, "go round in a circle"),
        (_to_which_version, "upcasts Old to Here, which has several versions: say to_version="),
        (_dropped_and_folded, "folds Here and drops it"),
        (_of_version_0, "versions of Old start at 1"),
    ],
)
def test_an_upcaster_that_leads_nowhere_is_refused(
    mistake: Callable[[Entity[Any, Quay]], None], said: str
) -> None:
    quay = Entity(QuayKind, Quay())
    quay.folds(Here)(unchanged)

    with pytest.raises(Misconfigured, match=said):
        compiled(quay, mistake)


def test_a_chain_may_end_at_an_event_that_is_dropped() -> None:
    quay = Entity(QuayKind, Quay())
    quay.upcast("A", to="B")(same)
    quay.drops("B")

    assert given(quay, stored("A"), stored("B")).record.version == 2
