"""The second look of a deployment finds what was stored while the first was going on."""

import pytest
from redis import Redis

from tests.support.quay import Moor, first_app, second_quay
from tests.support.yard import Yard
from wherry import App
from wherry.bundles import Bundles
from wherry.deploying import deployment
from wherry.deploying.deployment import Breaking, deploy
from wherry.engine.registry import Registry
from wherry.store import releases
from wherry.wiring import Runtime


def test_a_turn_that_began_before_the_first_look_and_ended_after_it_is_seen(
    fake_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = Yard(fake_redis, app=first_app())
    yard.now = yard.store.now_ms() - 5_000
    app = App([second_quay(upcast=False)])
    bundles = Bundles(app, ("quay",), "v2")
    runtime = Runtime("", "yard", fake_redis, yard.store, Registry(app, 1), bundles)
    install = releases.install

    def late(*args: object) -> bool:
        yard.send("quay/q", Moor("v1"))
        yard.settle()
        return install(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(deployment, "require_safe", lambda _: None)
    monkeypatch.setattr(releases, "install", late)

    with pytest.raises(Breaking) as refused:
        deploy(runtime)

    (broken,) = refused.value.preview.replayed.breaks
    assert (broken.code, broken.subject) == ("event-unknown", "quay/q")
