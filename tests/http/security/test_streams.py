"""Streams: who may not come in any more does not stay in either."""

from typing import Any

import pytest

from tests.support.front import CLIENT, bearer, front
from wherry.gateway.api_keys import ApiKeys
from wherry.http import edge
from wherry.http.security import key_ring
from wherry.http.security.access import Access
from wherry.wiring import Runtime

EVENT: dict[Any, Any] = {
    "type": "Switched",
    "data": "{}",
    "at": 1,
    "id": "c",
    "cause": "",
    "corr": "",
    "trace": "",
}


def test_a_stream_ends_when_its_key_is_revoked(
    namespace: Runtime, keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ring, "FRESH_S", 0.0)
    monkeypatch.setattr(edge, "ASK_AGAIN_S", 0.0)
    good, bad = (keys.create(name, ["read"]) for name in ("good", "bad"))
    path = "/v1/lamp/" + next(
        key for n in range(99) if namespace.registry.partition_of(f"lamp/{(key := f's{n}')}") == 0
    )
    own = "{wherry:0}:" + path.removeprefix("/v1/").replace("/", ":")
    namespace.redis.hset(own, mapping={"version": 1, "status": ""})
    namespace.redis.xadd(f"{own}:log", EVENT, "1-0")

    with front(namespace, Access(required=True), heartbeat=0.1) as url:
        about = {"Accept": "text/event-stream"}
        with (
            CLIENT.stream(
                "GET", f"{url}{path}/events", headers=about | bearer(good["key"])
            ) as stays,
            CLIENT.stream("GET", f"{url}{path}/events", headers=about | bearer(bad["key"])) as goes,
        ):
            going, staying = goes.iter_lines(), stays.iter_lines()
            assert next(line for line in going if line.startswith("id:")) == "id: 1"
            keys.revoke(bad["id"])
            for _ in going:  # it ends
                pass
            lines = [next(staying) for _ in range(12)]
            assert any("still here" in line for line in lines)
