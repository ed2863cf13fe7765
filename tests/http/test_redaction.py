"""What nobody should read is stored with the event that has it, and shown and logged nowhere."""

import json
import uuid

from tests.http.town import Town, wait_until


def test_a_secret_is_in_no_log_no_list_and_no_problem(town: Town, key: str) -> None:
    secret, combination = f"canary{uuid.uuid4().hex}", f"bird{uuid.uuid4().hex}"
    path = f"/v1/safe/{key}"
    assert town.post(f"{path}/Set", {"combination": combination}).status_code == 200
    said = [town.post(f"{path}/Open", {"access_token": secret, "how": "reject"}).text]
    with town.a_runner():
        said.append(town.post(f"{path}/Open", {"access_token": secret, "how": "turn"}).text)
        wait_until(lambda: "the lock does not know" in town.client.get("/v1/effects").text)
    said.append(town.post(f"{path}/Open", {"access_token": secret}).text)  # this one stops it
    said.append(town.post(f"{path}/Open", {"access_token": 7, "how": secret}).text)

    burgled = town.post("/v1/sagas/burglary", {"access_token": secret})
    assert "nobody opens it with ***" in burgled.json()["detail"]
    said.append(burgled.text)

    letters = town.client.get(f"/v1/dead?entity=safe/{key}").json()["items"]
    calls = [c for c in town.client.get("/v1/effects").json()["items"] if c["target"] == "lock"]
    said += [town.client.get(f"/v1/dead/{letter['id']}").text for letter in letters]
    said += [town.client.get(f"/v1/effects/{call['id']}").text for call in calls]
    said += [
        town.client.get(p).text for p in ("/v1/attention", "/metrics", "/v1/queues", "/v1/audit")
    ]
    said += [json.dumps(letters), json.dumps(calls), town.log()]

    for text in said:
        assert secret not in text
        assert combination not in text
    assert "*** does not open ***" in letters[0]["error"]
    assert letters[0]["message"]["data"]["access_token"] == "***"
    assert town.client.get(f"/v1/effects/{calls[0]['id']}").json()["data"] == {
        "access_token": "***"
    }
    # Nothing of what is stored has changed: it can be retried, and the state is what it was.
    assert town.client.get(path).json()["state"]["combination"] == combination
    partition, _, entry = letters[0]["id"].partition("-")
    ((_, stored),) = town.redis.xrange(f"{{wherry:{partition}}}:dead", entry, entry)
    assert secret.encode() in stored[b"message"]
