"""Which route a path leads to."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from wherry.http.roles import Guarded, anyone
from wherry.http.table import Table


def says(name: str) -> Any:
    async def endpoint(request: Request) -> Response:
        params = ",".join(f"{k}={v}" for k, v in sorted(request.path_params.items()))
        return PlainTextResponse(f"{name} {params}".strip())

    return anyone(endpoint)


async def rest(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("rest", 404)(scope, receive, send)


def call(table: Table, method: str, path: str) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(table)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path)

    return asyncio.run(send())


@pytest.fixture
def table() -> Table:
    routes = [
        Guarded("/v1/sagas/{name}", get=says("sagas"), post=says("start")),
        Guarded("/v1/dead/retry", post=says("retry")),
        Guarded("/v1/dead/{id}", get=says("letter")),
        Guarded("/v1/{kind}", get=says("kind")),
        Guarded("/v1/{kind}/{key}", get=says("state")),
        Guarded("/v1/{kind}/{key}/events", get=says("events")),
        Guarded("/v1/{kind}/{key}/{command}", post=says("command")),
        Guarded("/livez", get=says("live")),
    ]
    return Table(routes, rest)


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/livez", "live"),
        ("GET", "/v1/port", "kind kind=port"),
        ("GET", "/v1/port/a", "state key=a,kind=port"),
        ("GET", "/v1/sagas/docking", "sagas name=docking"),
        ("POST", "/v1/sagas/docking", "start name=docking"),
        ("POST", "/v1/port/a/Open", "command command=Open,key=a,kind=port"),
        ("GET", "/v1/port/a/events", "events key=a,kind=port"),
        ("POST", "/v1/dead/retry", "retry"),
        ("GET", "/v1/dead/17-0", "letter id=17-0"),
        ("GET", "/v1/port/a%20b", "state key=a b,kind=port"),
        ("GET", "/v1/port/a%2Fevents", "state key=a/events,kind=port"),
        ("GET", "/v1/%70ort/%61", "state key=a,kind=port"),
        ("GET", "/v1/port/%FF", "state key=\ufffd,kind=port"),
        ("GET", "/v1/port/a?at=1", "state key=a,kind=port"),
    ],
)
def test_a_path_leads_to_its_route(table: Table, method: str, path: str, said: str) -> None:
    answer = call(table, method, path)

    assert (answer.status_code, answer.text) == (200, said)


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v1/port/", "//v1/port", "/v1//port", "/v2/port", "/v1/a/b/c/d/e"]
)
def test_what_is_in_no_row_is_left_to_others(table: Table, path: str) -> None:
    assert call(table, "GET", path).text == "rest"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/sagas/docking", "GET, HEAD, POST"),
        ("POST", "/v1/port/a", "GET, HEAD"),
        ("GET", "/v1/port/a/Open", "POST"),
        ("POST", "/v1/port/a/events", "GET, HEAD"),
        # The particular hides the general: nobody is told that there is no letter "retry".
        ("PUT", "/v1/dead/retry", "POST"),
    ],
)
def test_another_method_is_told_which_there_are(
    table: Table, method: str, path: str, allowed: str
) -> None:
    answer = call(table, method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["code"] == "method-not-allowed"


def test_paths_of_strangers_do_not_fill_the_memory(table: Table) -> None:
    kept = []
    for n in range(60):
        call(table, "GET", f"/x{n}" * (n % 8 + 1))
        call(table, "GET", f"/v1/port{n}/{n}")
        kept.append(len(table._found))

    assert kept[-1] == kept[20]
