"""Commands over HTTP: replies, refusals, waiting, idempotency, versions, tracing."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from tests.http.town import Town, wait_until

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
RESERVE = {"reservation_id": "r1", "vessel_id": "v1"}


def problem(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = response.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == f"/docs/problems/{code}"
    assert body["title"]
    assert "Traceback" not in response.text
    return body


# -- the reply ------------------------------------------------------------------------------------


def test_a_command_is_answered_with_its_reply(town: Town, key: str) -> None:
    port = town.port(key)

    response = town.post(f"{port}/ReserveDocking", RESERVE)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"command_id", "entity", "version", "reply"}
    assert (body["entity"], body["version"]) == (f"port/{key}", 2)
    assert body["reply"]["reservation_id"] == "r1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["reply"]["expires_at"])


def test_a_command_without_fields_needs_no_body(town: Town, key: str) -> None:
    response = town.client.post(f"/v1/lamp/{key}/Switch")

    assert response.json()["reply"] == 1


def test_a_rejection_is_a_problem_with_the_code_of_the_bundle(town: Town, key: str) -> None:
    port = town.port(key)

    body = problem(town.post(f"{port}/RegisterPort", {
        "name": "x", "capacity": 1, "latitude": 0, "longitude": 0,
    }), 409, "already-registered")  # fmt: skip

    assert body["entity"] == f"port/{key}"
    assert body["command_id"]


def test_what_the_bundle_breaks_is_a_dead_letter_and_a_problem(town: Town, key: str) -> None:
    body = problem(town.post(f"/v1/lamp/{key}/Break"), 500, "handler-failed")

    status = town.client.get(f"/v1/lamp/{key}/commands/{body['command_id']}").json()
    assert status["status"] == "dead"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nokind/a/Open",
        "/v1/port/a/NoCommand",
        "/v1/port/a:b/ClosePort",
        "/v1/port/%7Bx%7D/ClosePort",
        "/v1/port/" + "x" * 129 + "/ClosePort",
        "/v1/saga.docking/a/Tick",
        "/v1/saga.docking/a/Answer",
        "/v1/sagas/nosaga",
        "/v1/dead/9-9-9/retry",
        "/v1/port/a/ClosePort/",
        "/nowhere",
    ],
)
def test_what_does_not_exist_is_not_found(town: Town, path: str) -> None:
    problem(town.post(path), 404, "not-found")


# -- waiting --------------------------------------------------------------------------------------


def test_who_does_not_want_to_wait_is_told_where_to_look(town: Town, key: str) -> None:
    response = town.post(f"/v1/lamp/{key}/Switch", Prefer="respond-async")

    assert response.status_code == 202
    assert response.headers["preference-applied"] == "respond-async"
    assert int(response.headers["retry-after"]) >= 1
    body = response.json()
    assert body["status"] == "pending"
    where = response.headers["location"]
    assert where == f"/v1/lamp/{key}/commands/{body['command_id']}"
    wait_until(lambda: town.client.get(where).json()["status"] == "done")
    assert town.client.get(where).json()["reply"] == 1


def test_a_wait_that_ends_first_is_accepted_and_done_later(town: Town, key: str) -> None:
    with town.nobody_at_work():
        response = town.post(f"/v1/lamp/{key}/Switch", Prefer="wait=1")
        where = response.headers["location"]
        pending = town.client.get(where).json()

    assert response.status_code == 202
    assert response.headers["preference-applied"] == "wait=1"
    assert pending == {"command_id": response.json()["command_id"], "status": "pending"}
    wait_until(lambda: town.client.get(where).json()["status"] == "done")


def test_nobody_waits_longer_than_a_minute(town: Town, key: str) -> None:
    response = town.post(f"/v1/lamp/{key}/Switch", Prefer="wait=999")

    assert response.headers["preference-applied"] == "wait=60"


def test_preferences_that_nobody_understands_are_ignored(town: Town, key: str) -> None:
    response = town.post(f"/v1/lamp/{key}/Switch", Prefer="handling=lenient, wait=soon")

    assert response.status_code == 200
    assert "preference-applied" not in response.headers


def test_the_status_of_a_rejected_command_tells_why(town: Town, key: str) -> None:
    command_id = town.post(f"/v1/port/{key}/ClosePort").json()["command_id"]

    status = town.client.get(f"/v1/port/{key}/commands/{command_id}").json()

    assert status["status"] == "rejected"
    assert status["problem"]["code"] == "port-not-registered"


@pytest.mark.parametrize("id_", ["nobody-sent-this", "a:b", "x" * 200])
def test_a_command_that_nobody_sent_is_not_found(town: Town, key: str, id_: str) -> None:
    problem(town.client.get(f"/v1/lamp/{key}/commands/{id_}"), 404, "not-found")


def test_a_delayed_command_is_accepted_and_done_when_it_is_due(town: Town, key: str) -> None:
    response = town.client.post(f"/v1/lamp/{key}/Switch?delay=PT0.5S")

    assert response.status_code == 202
    where = response.headers["location"]
    assert town.client.get(where).json()["status"] == "pending"
    wait_until(lambda: town.client.get(where).json()["status"] == "done")


@pytest.mark.parametrize("delay", ["1", "PT1S", "PT0.001S"])
def test_a_delay_is_iso_8601_or_seconds(town: Town, key: str, delay: str) -> None:
    assert town.client.post(f"/v1/lamp/{key}/Switch?delay={delay}").status_code == 202


# -- once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["plain", '"quoted"', '"two words"', "x" * 256])
def test_a_repeated_idempotency_key_gets_the_first_answer(town: Town, key: str, text: str) -> None:
    first = town.post(f"/v1/lamp/{key}/Switch", {"times": 2}, Idempotency_Key=text)
    second = town.post(f"/v1/lamp/{key}/Switch", {"times": 2}, Idempotency_Key=text)

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert town.client.get(f"/v1/lamp/{key}").json()["version"] == 2


def test_a_quoted_key_and_a_bare_one_are_the_same(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", Idempotency_Key="k1")
    again = town.post(f"/v1/lamp/{key}/Switch", Idempotency_Key='"k1"')

    assert again.headers["idempotent-replayed"] == "true"


def test_equal_bodies_may_be_written_differently(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", Idempotency_Key="k1")
    again = town.post(f"/v1/lamp/{key}/Switch", {"times": 1}, Idempotency_Key="k1")

    assert again.headers["idempotent-replayed"] == "true"


def test_a_rejection_is_repeated_too(town: Town, key: str) -> None:
    first = town.post(f"/v1/port/{key}/ClosePort", Idempotency_Key="k1")
    town.port(key)
    second = town.post(f"/v1/port/{key}/ClosePort", Idempotency_Key="k1")

    assert first.status_code == second.status_code == 409
    assert first.json() == second.json()


def test_a_key_with_another_body_is_refused(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", Idempotency_Key="k1")

    other = town.post(f"/v1/lamp/{key}/Switch", {"times": 3}, Idempotency_Key="k1")

    problem(other, 422, "idempotency-key-reused")
    assert town.client.get(f"/v1/lamp/{key}").json()["version"] == 1


def test_a_key_means_something_else_to_each_entity(town: Town, key: str) -> None:
    answers = [
        town.post(f"/v1/lamp/{key}-{n}/Switch", {"times": n}, Idempotency_Key="k1")
        for n in range(1, 9)
    ]

    assert [answer.json()["reply"] for answer in answers] == list(range(1, 9))


def test_a_key_repeated_while_the_first_is_under_way_waits_for_it(town: Town, key: str) -> None:
    def send(_: int) -> httpx.Response:
        return town.post(f"/v1/lamp/{key}/Switch", Idempotency_Key="k1")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["version"] for answer in answers} == {1}
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7


def test_a_key_is_known_in_every_process(town: Town, key: str) -> None:
    door, url = town.open_door()
    first = town.post(f"/v1/lamp/{key}/Switch", Idempotency_Key="k1")

    second = httpx.post(f"{url}/v1/lamp/{key}/Switch", headers={"Idempotency-Key": "k1"})

    assert second.json() == first.json()
    door.terminate()


# -- versions -------------------------------------------------------------------------------------


def test_a_command_for_the_version_that_is_there_is_done(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")

    assert town.post(f"/v1/lamp/{key}/Switch", If_Match='"v1"').json()["version"] == 2


def test_a_command_for_another_version_is_refused(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")

    problem(town.post(f"/v1/lamp/{key}/Switch", If_Match='"v7"'), 412, "version-conflict")
    assert town.client.get(f"/v1/lamp/{key}").json()["version"] == 1


def test_any_version_must_be_one(town: Town, key: str) -> None:
    problem(town.post(f"/v1/lamp/{key}/Switch", If_Match="*"), 412, "version-conflict")
    town.post(f"/v1/lamp/{key}/Switch")
    assert town.post(f"/v1/lamp/{key}/Switch", If_Match="*").status_code == 200


# -- following ------------------------------------------------------------------------------------


def test_a_correlation_id_is_kept(town: Town, key: str) -> None:
    response = town.post(f"/v1/lamp/{key}/Switch", X_Correlation_ID="flow-1")

    assert response.headers["x-correlation-id"] == "flow-1"
    event = town.client.get(f"/v1/lamp/{key}/events").json()["events"][0]
    assert event["correlation_id"] == "flow-1"


def test_a_correlation_id_is_made_when_there_is_none(town: Town, key: str) -> None:
    response = town.post(f"/v1/lamp/{key}/Switch")

    event = town.client.get(f"/v1/lamp/{key}/events").json()["events"][0]
    assert event["correlation_id"] == response.headers["x-correlation-id"]
    assert town.client.get("/nowhere").headers["x-correlation-id"]


def test_a_trace_is_stored_with_what_it_caused(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch", traceparent=TRACE)

    event = town.client.get(f"/v1/lamp/{key}/events").json()["events"][0]
    assert event["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "trace",
    ["nonsense", TRACE.upper(), TRACE + "-more", TRACE.replace("00-", "ff-", 1),
     TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32)],
)  # fmt: skip
def test_a_malformed_trace_is_as_good_as_none(town: Town, key: str, trace: str) -> None:
    assert town.post(f"/v1/lamp/{key}/Switch", traceparent=trace).status_code == 200

    event = town.client.get(f"/v1/lamp/{key}/events").json()["events"][0]
    assert event["trace_id"] is None


# -- many at once ---------------------------------------------------------------------------------


def test_of_500_at_once_ten_get_the_ten_berths(town: Town, key: str) -> None:
    port = town.port(key, capacity=10)

    # A client library would queue 500 requests; here they are all under way at once.
    async def reserve(n: int) -> int:
        body = b'{"reservation_id":"r%d","vessel_id":"v%d"}' % (n, n)
        about = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(f"POST {port}/ReserveDocking HTTP/1.1\r\n{about}\r\n\r\n".encode() + body)
        status = int((await reader.readline()).split()[1])
        writer.close()
        return status

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(reserve(n) for n in range(500)))

    url = urlsplit(town.url)
    answers = asyncio.run(all_at_once())

    assert answers.count(200) == 10
    assert answers.count(409) == 490
    assert len(town.client.get(port).json()["state"]["reservations"]) == 10
