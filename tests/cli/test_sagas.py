"""wherry saga."""

import uuid

from tests.support.commands import Wherry


def test_a_saga_is_started_waited_for_and_shown(wherry: Wherry, port: str, vessel: str) -> None:
    place = (f"vessel_id={vessel}", f"port_id={port.partition('/')[2]}")
    id_ = uuid.uuid4().hex
    done = wherry("saga", "start", "docking", *place, "--id", id_, "--wait", "10s")
    assert (done.code, done.json["status"], done.json["id"]) == (0, "completed", id_)
    assert [step["status"] for step in done.json["steps"]] == ["done"] * 3

    assert wherry("saga", "show", "docking", id_).json == done.json
    listed = wherry("saga", "list", "docking", "--status", "completed").json["items"]
    assert id_ in [row["id"] for row in listed]
    trace = wherry("saga", "trace", "docking", id_).json["items"]
    assert {event["entity"] for event in trace} == {f"saga.docking/{id_}", port, f"vessel/{vessel}"}
    assert [event["at"] for event in trace] == sorted(event["at"] for event in trace)
    table = wherry("saga", "show", "docking", id_, "-o", "table").out
    assert "confirm" in table

    # The same again gets the first answer; the same id with another input is refused.
    again = wherry("saga", "start", "docking", *place, "--id", id_)
    assert (again.code, again.json) == (0, done.json)
    other = wherry("saga", "start", "docking", "vessel_id=x", "port_id=y", "--id", id_)
    assert other.code == 3
    assert "saga-exists" in other.err
    # It has ended, so that it can neither be cancelled nor killed.
    assert wherry("saga", "cancel", "docking", id_).code == 3
    assert wherry("saga", "kill", "docking", id_, "--yes").code == 3


def test_a_saga_that_is_compensated_has_its_own_exit_code(wherry: Wherry, port: str) -> None:
    where = f"port_id={port.partition('/')[2]}"
    done = wherry("saga", "start", "docking", "vessel_id=nobody", where)
    assert (done.code, done.json["status"]) == (8, "compensated")
    assert "vessel-not-registered" in done.err
    assert f"next: wherry saga show docking {done.json['id']}" in done.err


def test_a_saga_need_not_be_waited_for(wherry: Wherry, port: str, vessel: str) -> None:
    place = (f"vessel_id={vessel}", f"port_id={port.partition('/')[2]}")
    done = wherry("saga", "start", "docking", *place, "--no-wait")
    assert (done.code, done.json["status"]) == (0, "pending")


def test_what_is_wrong_with_a_saga_has_its_exit_code(wherry: Wherry) -> None:
    assert wherry("saga", "start", "nope", "x=1").code == 4
    assert wherry("saga", "start", "docking", "vessel_id=x").code == 2
    assert wherry("saga", "start", "docking", "vessel_id=x", "port_id=y", "--id", "a:b").code == 2
    assert wherry("saga", "list", "nope").code == 4
    assert wherry("saga", "show", "docking", "nope").code == 4
    assert wherry("saga", "trace", "docking", "nope").code == 4
    assert wherry("saga", "cancel", "docking", "nope").code == 4
    assert wherry("saga", "kill", "docking", "nope", "--yes").code == 4


def test_to_kill_needs_consent(wherry: Wherry, port: str, vessel: str) -> None:
    place = (f"vessel_id={vessel}", f"port_id={port.partition('/')[2]}")
    id_ = wherry("saga", "start", "docking", *place).json["id"]
    asked = wherry("saga", "kill", "docking", id_)
    assert asked.code == 2
    assert "--yes" in asked.err
    dry = wherry("saga", "kill", "docking", id_, "--dry-run")
    assert (dry.code, dry.json["would"]) == (0, "kill")
