"""What happens while a deployment looks at all that is stored does not escape it."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from tests.support.quay import Moor, Paint, first_app, second_quay
from tests.support.yard import Yard
from wherry import App
from wherry.bundles import Bundles
from wherry.deploying import deployment
from wherry.deploying.deployment import Breaking, deploy
from wherry.engine.registry import Registry
from wherry.gateway.releases import deployed as shown
from wherry.store import releases
from wherry.store.repair import Repaired
from wherry.wiring import Runtime


@pytest.fixture
def yard(fake_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """The first code, whose turns began a little before the deployment."""
    monkeypatch.setattr(deployment, "require_safe", lambda _: None)
    yard = Yard(fake_redis, app=first_app())
    yard.now = yard.store.now_ms() - 5_000
    return yard


def runtime_of(yard: Yard, *, upcast: bool) -> Runtime:
    app = App([second_quay(upcast=upcast)])
    bundles = Bundles(app, ("quay",), "v2")
    return Runtime("", "yard", yard.redis, yard.store, Registry(app, 1), bundles)


def before(monkeypatch: pytest.MonkeyPatch, of: Any, name: str, act: Callable[[], object]) -> None:
    """Let something happen right before a part of the deployment."""
    part = getattr(of, name)

    def late(*args: Any) -> Any:
        act()
        return part(*args)

    monkeypatch.setattr(of, name, late)


def moor(yard: Yard) -> None:
    yard.send("quay/q", Moor("v1"))
    yard.settle()


@pytest.mark.parametrize(("of", "part"), [(deployment, "_keep"), (releases, "install")])
def test_a_turn_that_began_before_the_first_look_and_ended_after_it_is_seen(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, of: Any, part: str
) -> None:
    before(monkeypatch, of, part, lambda: moor(yard))

    with pytest.raises(Breaking) as refused:
        deploy(runtime_of(yard, upcast=False))

    (broken,) = refused.value.preview.replayed.breaks
    assert (broken.code, broken.subject) == ("event-unknown", "quay/q")
    installed = releases.latest(yard.store) is not None
    assert installed is (part == "install")  # what comes earlier is seen before that


def test_no_code_finds_a_state_that_other_code_has_folded(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    moor(yard)
    yard.send("quay/q", Paint())
    yard.settle()
    key = yard.store.keys.partition(0).entity("quay", "q")
    seen: list[tuple[Any, int]] = []

    def look() -> None:
        coats = yard.record("quay/q").state.coats
        seen.append((yard.redis.hmget(key, "state", "snapshot"), coats))

    before(monkeypatch, releases, "install", look)

    done = deploy(runtime_of(yard, upcast=True))

    assert seen == [([None, None], 1)]  # the old code goes on meanwhile: it folds the log
    assert done.repaired == 1
    assert b'"coats":0' in (yard.redis.hget(key, "state") or b"")


def test_what_could_not_be_written_anew_is_told(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    moor(yard)
    refused = Repaired("quay/q", why="it changes all the time")
    monkeypatch.setattr(deployment, "repair_many", lambda *_, **__: iter([refused]))

    done = deploy(runtime_of(yard, upcast=True))

    assert (done.repaired, done.unrepaired) == (0, (refused,))
    assert shown(done, 1)["unrepaired"] == [{"subject": "quay/q", "why": refused.why}]
