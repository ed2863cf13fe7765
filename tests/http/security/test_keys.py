"""API keys: who has none stays outside, and who has one may do what its roles say."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.support.front import CLIENT, ask, bearer, front, require_problem
from wherry.gateway.api_keys import ApiKeys
from wherry.http.app import build_app
from wherry.http.security import key_ring
from wherry.http.security.access import Access
from wherry.http.service import Service
from wherry.wiring import Runtime

#: One route of each role, with a method.
ROUTES = {
    "read": ("GET", "/v1/lamp"),
    "invoke": ("POST", "/v1/lamp/l1/Switch"),
    "operate": ("POST", "/v1/dead/0-1-1/drop"),
}
OPEN = {"/livez", "/readyz"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers read the keys for each request."""
    monkeypatch.setattr(key_ring, "FRESH_S", 0.0)


@pytest.fixture
def url(namespace: Runtime, redis: Redis, quick: None) -> Iterator[str]:
    with front(namespace) as url:
        yield url


def eventually(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_the_first_key_closes_an_open_server_and_its_end_does_not_open_it(
    url: str, keys: ApiKeys, namespace: Runtime
) -> None:
    assert ask(url).status_code == 200

    key = keys.create("first", ["read"])
    refused = ask(url)
    require_problem(refused, 401, "unauthenticated")
    assert refused.headers["www-authenticate"] == 'Bearer realm="wherry"'
    assert ask(url, **bearer(key["key"])).status_code == 200

    keys.revoke(key["id"])
    require_problem(ask(url, **bearer(key["key"])), 401, "unauthenticated")
    require_problem(ask(url), 401, "unauthenticated")
    with front(namespace) as another:  # nor does a start
        require_problem(ask(another), 401, "unauthenticated")
    namespace.redis.delete("wherry:apikeys")  # nor does whoever deletes them, while it runs
    require_problem(ask(url), 401, "unauthenticated")


def test_every_route_but_probes_needs_credentials(
    url: str, keys: ApiKeys, namespace: Runtime
) -> None:
    keys.create("some", ["read"])

    for method, path, _ in routes(namespace):
        answer = ask(url, path.replace("{", "").replace("}", ""), method)
        if path in OPEN or path.startswith("/console/static/"):
            assert answer.status_code in {200, 404, 503}, path
        else:
            assert answer.status_code in {401, 303}, path
    for path in ("/nothing", "/v1", "//livez", "/livez/", "/v1/lamp/..%2f..%2flivez", "/livez%2f"):
        assert ask(url, path).status_code == 401, path
    assert ask(url, "/v1/lamp", "OPTIONS").status_code == 401
    assert ask(url, "/livez", "HEAD").status_code == 200


def test_a_role_opens_its_routes_and_no_others(url: str, keys: ApiKeys) -> None:
    for role in ROUTES:
        key = keys.create(role, [role])["key"]
        for needed, (method, path) in ROUTES.items():
            answer = ask(url, path, method, **bearer(key))
            if needed == role:
                assert answer.status_code in {200, 202, 404}, (role, needed)
            else:
                body = require_problem(answer, 403, "forbidden")
                assert body["role"] == needed
                assert f'scope="wherry:{needed}"' in answer.headers["www-authenticate"]


def test_who_sent_a_command_may_ask_what_became_of_it(url: str, keys: ApiKeys) -> None:
    sender, operator = (bearer(keys.create(role, [role])["key"]) for role in ("invoke", "operate"))
    sent = ask(url, "/v1/lamp/l2/Switch", "POST", **sender)

    assert ask(url, sent.headers["location"], **sender).json()["status"] == "pending"
    require_problem(ask(url, sent.headers["location"], **operator), 403, "forbidden")
    require_problem(ask(url, "/v1/lamp/l2/events", **sender), 403, "forbidden")


def test_what_is_not_a_good_key_opens_nothing_and_nobody_learns_why(
    url: str, keys: ApiKeys, redis: Redis
) -> None:
    good = keys.create("good", ["read", "invoke"])
    late = keys.create("late", ["read"], expires_s=0.05)
    revoked = keys.create("gone", ["read"])
    keys.revoke(revoked["id"])
    redis.hset("wherry:apikeys", "damaged", "{")
    _, id_, secret = good["key"].split("_")
    wrong = "0" * 64
    time.sleep(0.1)

    attempts = [
        f"wherry_{id_}_{wrong}", f"wherry_{'a' * 12}_{secret}", f"wherry_{id_}_", secret, id_,
        f"wherry_{id_}_{secret}0", f"wherry_{id_}_{secret.upper()}", f"wherry_{late['id']}_{wrong}",
        late["key"], revoked["key"], "wherry_damaged_" + wrong, "a.b.c", "x" * 9_000, "wherry__",
    ]  # fmt: skip
    answers = {ask(url, **bearer(attempt)).text for attempt in attempts}

    assert len(answers) == 1
    assert '"unauthenticated"' in answers.pop()
    for header in ("Basic YTpi", "Bearer", "Bearer,", good["key"], f"Token {good['key']}"):
        require_problem(ask(url, Authorization=header), 401, "unauthenticated")
    twice = [("Authorization", f"Bearer {good['key']}"), ("Authorization", "Bearer x")]
    require_problem(CLIENT.get(f"{url}/v1/lamp", headers=twice), 401, "unauthenticated")
    assert ask(url, Authorization=f"bearer   {good['key']}").status_code == 200


def test_a_key_is_stored_as_a_digest_and_shown_once(url: str, keys: ApiKeys, redis: Redis) -> None:
    made = keys.create("once", ["operate", "operate"], expires_s=90)
    secret = made["key"].rpartition("_")[2]
    ask(url, "/v1/audit", **bearer(made["key"]))

    assert len(secret) * 4 == 256
    found: Any = redis.hgetall("wherry:apikeys")
    stored = b"".join(found.values())
    assert secret.encode() not in stored
    listed = ask(url, "/v1/apikeys", **bearer(made["key"])).json()["items"]
    assert [key["id"] for key in listed] == [made["id"]]
    assert secret not in str(listed)
    assert set(listed[0]) == set(made) - {"key"}
    eventually(lambda: keys.listed()["items"][0]["last_used_at"] is not None)
    assert keys.listed()["items"][0]["last_used_at"].endswith(":00.000Z")


def test_without_redis_nobody_comes_in_by_a_key(namespace: Runtime, keys: ApiKeys) -> None:
    key = keys.create("any", ["read"])["key"]
    service = Service(namespace)

    async def unreachable(words: object) -> object:
        from wherry.errors import Unreachable

        raise Unreachable("Redis does not answer")

    service.guard._ring._ask = unreachable
    statuses = call(service, "/v1/lamp", bearer(key)), call(service, "/livez", {})
    assert statuses == (503, 200)


def call(service: Service, path: str, headers: dict[str, str]) -> int:
    """Ask an application that has no server."""
    import asyncio

    async def get() -> int:
        transport = httpx.ASGITransport(build_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.get(path, headers=headers)).status_code

    return asyncio.run(get())


def test_authentication_can_be_required_before_there_is_a_key(
    namespace: Runtime, keys: ApiKeys, quick: None
) -> None:
    with front(namespace, Access(required=True)) as url:
        require_problem(ask(url), 401, "unauthenticated")
        key = keys.create("now", ["read"])["key"]
        assert ask(url, **bearer(key)).status_code == 200


def test_an_open_server_answers_only_for_names_of_this_machine(url: str) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "[::1", "10.0.0.1", "a@b@c:x", ""):
        require_problem(ask(url, Host=host), 403, "cross-site")
    for host in ("localhost", "127.0.0.1:9", "[::1]:80", "127.1.2.3"):
        assert ask(url, Host=host).status_code == 200, host
    assert ask(url, "/livez", Host="evil.example").status_code == 200


def routes(namespace: Runtime) -> list[tuple[str, str, Any]]:
    """Method, path and door of everything that is served."""
    from wherry.http.app import api_routes
    from wherry.http.metrics import Meters

    service = Service(namespace)
    found = api_routes(service, Meters(service))
    return [(method, r.path, door) for r in found for method, door in r.doors.items()]
