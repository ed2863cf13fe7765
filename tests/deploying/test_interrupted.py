"""A deployment that dies at any round trip: what runs is the old code or the new one, and the next
deployment ends well."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import WatchError

from tests.support.quay import Moor, Paint, first_app, second_quay
from tests.support.yard import Yard
from wherry import App
from wherry.bundles import Bundles
from wherry.deploying import deployment
from wherry.deploying.deployment import deploy
from wherry.deploying.replaying import replay
from wherry.engine.registry import Registry
from wherry.store import library, releases
from wherry.wiring import Runtime
from wherry.wiring import deployment as deployed


class Died(BaseException):
    """The process is gone."""


def runtime_of(yard: Yard, app: App, version: str) -> Runtime:
    bundles = Bundles(app, ("quay",), version)
    return Runtime("", "yard", yard.redis, yard.store, Registry(app, 1), bundles)


def moored(redis: Redis) -> tuple[Yard, Runtime, Runtime]:
    """A quay with a stored state, the code that is deployed, and the next one."""
    yard = Yard(redis, app=first_app())
    old, new = first_app(), App([second_quay()])
    deploy(runtime_of(yard, old, ""))  # any code may commit
    for command in (Moor("v1"), Paint()):
        yard.send("quay/q", command)
        yard.settle()
    return yard, runtime_of(yard, old, ""), runtime_of(yard, new, "v2")


def dying(monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> Callable[[], int]:
    """Die at a round trip, before it or after it; return how many there were."""
    count = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == at and not after:
                raise Died
            answer = real(*args, **options)
            if count == at:
                raise Died
            return answer

        return call

    monkeypatch.setattr(Redis, "execute_command", counted(Redis.execute_command))
    monkeypatch.setattr(Pipeline, "execute", counted(Pipeline.execute))
    return lambda: count


@pytest.mark.parametrize("after", [False, True])
def test_a_deployment_may_die_at_any_round_trip(
    fake_redis: Redis, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    monkeypatch.setattr(deployment, "require_safe", lambda _: None)
    seen = set()
    for at in range(1, 100):
        fake_redis.flushall()
        yard, old, new = moored(fake_redis)
        with monkeypatch.context() as patched:
            dying(patched, at, after=after)
            try:
                deploy(new)
            except Died:
                pass
            else:
                break
        runs = new if deployed(yard.store)["version"] == "v2" else old
        seen.add(runs.bundles.code)
        release = releases.latest(yard.store)
        assert release is not None
        assert release.version == runs.bundles.code
        text = library.loaded(yard.redis, "yard")
        assert text == library.build("yard", release.rules, release.version)
        # Whoever reads it finds what its log tells, and breaks are none.
        record = yard.store.load(runs.registry, ["quay/q"])["quay/q"]
        assert record.fault == ""
        assert record.state.coats == (0 if runs is new else 1), at
        assert replay(yard.store, new.registry).breaks == ()

        deploy(new)
        assert deployed(yard.store)["version"] == "v2"
        assert replay(yard.store, new.registry).stale == ()
        state = yard.redis.hget(yard.store.keys.partition(0).entity("quay", "q"), "state")
        assert state is not None, at
    assert seen == {"", "v2"}


def test_a_deployment_whose_reply_is_lost_is_known_to_have_happened(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, new = moored(redis)
    execute = Pipeline.execute

    def losing(self: Any, *args: Any, **options: Any) -> Any:
        is_install = bool(self.watching)
        done = execute(self, *args, **options)
        if is_install:  # what the driver makes of a connection that ends behind a WATCH
            raise WatchError("A ConnectionError occurred while watching one or more keys")
        return done

    monkeypatch.setattr(Pipeline, "execute", losing)
    done = deploy(new)

    latest = releases.latest(new.store)
    assert latest is not None
    assert (latest.number, latest.version) == (done.release.number, "v2")
    assert deployed(new.store)["version"] == "v2"
