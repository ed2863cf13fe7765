"""Each row of the table of routes, called as a client calls it that knows nothing but the table.

The table is the one in docs/reference/http.md. A route that is not in it, a row without a call and
a call without a row all fail; so nothing is promised that nobody has tried.
"""

import http.client
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.http.town import Town, wait_until
from wherry.http.app import api_routes
from wherry.http.metrics import Meters
from wherry.http.service import Service

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "http.md"
JSON_HEADERS = {"Content-Type": "application/json"}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Client:
    """A plain client: the standard library's, a connection for each request."""

    def __init__(self, town: Town, key: str) -> None:
        self.town = town
        self.key = key
        self._place = urlsplit(town.url)

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        assert self._place.hostname is not None
        connection = http.client.HTTPConnection(self._place.hostname, self._place.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = None if body is None else json.dumps(body)
        about = named | (JSON_HEADERS if body is not None else {})
        try:
            connection.request(method, path, sent, about)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read().decode())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """GET, which has to succeed."""
        answer = self("GET", path, **headers)
        assert answer.status == 200, answer
        return answer

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        """POST, which has to succeed."""
        answer = self("POST", path, body, **headers)
        assert answer.status == 200, answer
        return answer

    def port(self) -> str:
        """Register a port."""
        place = {"latitude": 51.9, "longitude": 4.1}
        self.post(f"/v1/port/{self.key}/RegisterPort", {"name": "x", "capacity": 3, **place})
        return f"/v1/port/{self.key}"

    def docking(self, **headers: str) -> Answer:
        """Start a saga of this test's id."""
        self.port()
        self.town.vessel(self.key)
        path = f"/v1/sagas/docking?id={self.key}"
        return self("POST", path, {"vessel_id": self.key, "port_id": self.key}, **headers)

    def letter(self) -> str:
        """Leave a dead letter; return its path."""
        self("POST", f"/v1/lamp/{self.key}/Break", {"why": "a row"})
        letters = self.get(f"/v1/dead?entity=lamp/{self.key}").body["items"]
        return f"/v1/dead/{letters[0]['id']}"


Row = Callable[[Client], None]
ROWS: dict[str, Row] = {}


def row(*names: str) -> Callable[[Row], Row]:
    def keep(call: Row) -> Row:
        ROWS.update(dict.fromkeys(names, call))
        return call

    return keep


# -- entities -------------------------------------------------------------------------------------


@row("POST /v1/{kind}/{key}/{command}")
def send(client: Client) -> None:
    port = client.port()
    reserve = {"reservation_id": "r1", "vessel_id": "v1"}
    answer = client.post(f"{port}/ReserveDocking", reserve, X_Correlation_ID="voyage-7")
    assert set(answer.body) == {"command_id", "entity", "version", "reply"}
    assert answer.headers["x-correlation-id"] == "voyage-7"
    later = client("POST", f"{port}/ChangeCapacity?delay=PT1H", {"capacity": 4})
    assert (later.status, later.body["status"]) == (202, "pending")
    assert later.headers["location"] == f"{port}/commands/{later.body['command_id']}"
    assert int(later.headers["retry-after"]) >= 0


@row("GET /v1/{kind}/{key}")
def state(client: Client) -> None:
    answer = client.get(client.port())
    names = {"entity", "kind", "key", "version", "status", "state", "updated_at"}
    assert set(answer.body) == names
    assert answer.headers["etag"] == '"v1"'
    assert client.get(f"/v1/port/{client.key}?at=1").body["version"] == 1
    known = client("GET", f"/v1/port/{client.key}", If_None_Match='"v1"')
    assert (known.status, known.text) == (304, "")


@row("GET /v1/{kind}/{key}/diff")
def diff(client: Client) -> None:
    port = client.port()
    client.post(f"{port}/ChangeCapacity", {"capacity": 5})
    assert [c["path"] for c in client.get(f"{port}/diff?from=1").body["changes"]] == ["/capacity"]


@row("GET /v1/{kind}/{key}/events")
def events(client: Client) -> None:
    port = client.port()
    client.post(f"{port}/ChangeCapacity", {"capacity": 5})
    first = client.get(f"{port}/events?limit=1").body
    rest = client.get(f"{port}/events?after={first['next']}").body
    assert [e["version"] for e in first["events"] + rest["events"]] == [1, 2]
    assert rest["next"] is None
    lines = client.get(f"{port}/events", Accept="application/x-ndjson").text.splitlines()
    assert [json.loads(line)["version"] for line in lines] == [1, 2]


@row("GET /v1/{kind}/{key}/commands/{id}")
def command_status(client: Client) -> None:
    sent = client("POST", f"/v1/lamp/{client.key}/Switch", {}, Prefer="respond-async")
    assert (sent.status, sent.headers["preference-applied"]) == (202, "respond-async")
    at = sent.headers["location"]
    wait_until(lambda: client.get(at).body["status"] == "done")
    assert client.get(at).body["reply"] == 1


@row("GET /v1/{kind}")
def listed(client: Client) -> None:
    client.port()
    page = client.get("/v1/port?status=open&limit=1").body
    assert page["items"][0]["key"] == client.key, "a list shows every change at once"
    assert set(page) == {"items", "next"}


# -- sagas ----------------------------------------------------------------------------------------


@row("POST /v1/sagas/{name}", "GET /v1/sagas/{name}/{id}", "GET /v1/sagas/{name}")
def saga(client: Client) -> None:
    done = client.docking(Prefer="wait=20")
    assert (done.status, done.body["status"]) == (200, "completed")
    assert {"id", "saga", "status", "result", "steps"} <= set(done.body)
    assert client.get(f"/v1/sagas/docking/{client.key}").body == done.body
    newest = client.get("/v1/sagas/docking?limit=1").body["items"][0]
    assert newest["id"] == client.key


@row("POST /v1/sagas/{name}/{id}/cancel", "POST /v1/sagas/{name}/{id}/kill")
def end_saga(client: Client) -> None:
    client.docking()
    for what in ("cancel", "kill"):
        ended = client("POST", f"/v1/sagas/docking/{client.key}/{what}", {})
        assert (ended.status, ended.body["code"]) == (409, "saga-ended")


@row("POST /v1/sagas/{name}/{id}/retry")
def retry_saga(client: Client) -> None:
    client.docking()
    assert client("POST", f"/v1/sagas/docking/{client.key}/retry", {}).status == 409


# -- operators ------------------------------------------------------------------------------------


@row("GET /v1/attention", "POST /v1/attention/{kind}/{key}/restart")
def attention(client: Client) -> None:
    assert isinstance(client.get("/v1/attention?all=true").body["items"], list)
    assert client("POST", f"/v1/attention/lamp/{client.key}/restart").status == 404


@row("GET /v1/effects", "GET /v1/effects/{id}", "POST /v1/effects/{id}/retry",
     "POST /v1/effects/{id}/resolve", "GET /v1/breakers")  # fmt: skip
def effects(client: Client) -> None:
    assert isinstance(client.get("/v1/effects?state=parked").body["items"], list)
    assert isinstance(client.get("/v1/breakers").body["items"], list)
    unknown = f"/v1/effects/{client.key}.1"
    assert client("GET", unknown).status == 404
    assert client("POST", f"{unknown}/retry").status == 404
    assert client("POST", f"{unknown}/resolve", {"failed": "lost"}).status == 404


@row("GET /v1/queues", "GET /v1/queues/unanswered")
def queues(client: Client) -> None:
    assert isinstance(client.get("/v1/queues/unanswered").body["items"], list)
    assert {"partition", "waiting", "oldest_at", "entities"} <= set(
        client.get("/v1/queues").body["items"][0]
    )


@row("GET /v1/timers", "POST /v1/timers/fire")
def timers(client: Client) -> None:
    sent = client("POST", f"/v1/lamp/{client.key}/Switch?delay=PT1H", {})
    waiting = client.get("/v1/timers?limit=1000").body["items"]
    (id_,) = [one["id"] for one in waiting if one["entity"] == f"lamp/{client.key}"]
    client.post("/v1/timers/fire", {"id": id_})
    wait_until(lambda: client.get(sent.headers["location"]).body["status"] == "done")


@row("GET /v1/audit", "GET /v1/apikeys")
def operators(client: Client) -> None:
    client.post(f"{client.letter()}/drop")
    assert client.get("/v1/audit?limit=5").body["items"]
    assert client.get("/v1/apikeys").body["items"] == []


@row("GET /v1/paused", "POST /v1/paused", "POST /v1/paused/resume")
def paused(client: Client) -> None:
    what = f"lamp/{client.key}"
    client.post("/v1/paused", {"what": what, "reason": "a row"})
    assert what in {one["what"] for one in client.get("/v1/paused").body["items"]}
    client.post("/v1/paused/resume", {"what": what})


@row("GET /v1/why/{kind}/{key}", "GET /v1/why/{id}")
def why(client: Client) -> None:
    sent = client.post(f"/v1/lamp/{client.key}/Switch", {}).body
    for subject in (f"lamp/{client.key}", sent["command_id"]):
        assert {"subject", "status", "because"} <= set(client.get(f"/v1/why/{subject}").body)


@row("GET /v1/dead", "GET /v1/dead/{id}", "POST /v1/dead/{id}/drop", "POST /v1/dead/{id}/retry",
     "POST /v1/dead/retry")  # fmt: skip
def dead_letters(client: Client) -> None:
    letter = client.letter()
    assert client.get(letter).body["entity"] == f"lamp/{client.key}"
    entity = f"entity=lamp/{client.key}"
    tried = client.post(f"/v1/dead/retry?{entity}&dry_run=true").body
    assert (len(tried["items"]), tried["more"]) == (1, False)
    client.post(f"{letter}/retry")
    wait_until(lambda: client.get(f"/v1/dead?{entity}").body["items"])
    again = client.get(f"/v1/dead?{entity}").body["items"][0]["id"]
    client.post(f"/v1/dead/{again}/drop")
    assert client("GET", f"/v1/dead/{again}").status == 404


# -- the process ----------------------------------------------------------------------------------


@row("GET /livez", "GET /readyz", "GET /metrics")
def process(client: Client) -> None:
    assert client.get("/livez").body == {"status": "alive"}
    assert client.get("/readyz").body == {"status": "ready"}
    assert "wherry_http_requests_total" in client.get("/metrics").text


@row("GET /openapi.json", "GET /docs", "GET /docs/problems/{code}")
def documents(client: Client) -> None:
    assert client.get("/openapi.json").body["openapi"].startswith("3.1")
    assert client.get("/docs").headers["content-type"].startswith("text/html")
    missing = client("GET", f"/v1/port/{client.key}")
    assert "not-found" in client.get(missing.body["type"]).text


# -- all of them ----------------------------------------------------------------------------------


def promised() -> set[str]:
    """The rows of the page."""
    section = PAGE.read_text(encoding="utf-8").partition("## Routes")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `((?:GET|POST) /\S+)` \|", section, re.MULTILINE))


@pytest.mark.parametrize("call", dict.fromkeys(ROWS.values()), ids=lambda call: call.__name__)
def test_a_row_does_what_it_promises(town: Town, key: str, call: Row) -> None:
    call(Client(town, key))


def test_every_row_of_the_page_is_called_here() -> None:
    assert set(ROWS) == promised()


def served(town: Town) -> set[str]:
    """The routes of the program, the console's left out."""
    service = Service(town.runtime)
    routes = api_routes(service, Meters(service))
    return {f"{method} {route.path}" for route in routes for method in route.doors}


def test_every_route_of_the_program_has_a_row(town: Town) -> None:
    assert served(town) == promised()


@pytest.mark.parametrize("name", sorted(ROWS))
def test_other_methods_are_refused_with_those_that_there_are(
    town: Town, key: str, name: str
) -> None:
    path = re.sub(r"{\w+}", key, name.partition(" ")[2])
    client = Client(town, key)
    allowed = client("OPTIONS", path)
    refused = client("DELETE", path)

    assert (allowed.status, allowed.text) == (204, "")
    assert refused.status == 405
    assert refused.body["code"] == "method-not-allowed"
    assert refused.headers["allow"] == allowed.headers["allow"]
    assert name.partition(" ")[0] in allowed.headers["allow"].split(", ")


@pytest.mark.parametrize("name", sorted(name for name in ROWS if name.startswith("GET ")))
def test_head_answers_as_get_does_without_a_body(town: Town, key: str, name: str) -> None:
    path = re.sub(r"{\w+}", key, name.partition(" ")[2])
    client = Client(town, key)
    whole, head = client("GET", path), client("HEAD", path)

    assert (head.status, head.text) == (whole.status, "")
    assert head.headers["content-type"] == whole.headers["content-type"]
