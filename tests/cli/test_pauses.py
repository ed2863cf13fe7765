"""wherry pause, resume, paused, why; and what can be said of sagas that failed."""

from tests.support.commands import Wherry, eventually


def test_an_entity_rests_and_goes_on(wherry: Wherry, port: str) -> None:
    done = wherry("pause", port, "--reason", "a look")
    assert done.code == 0
    assert (done.json["what"], done.json["status"], done.json["reason"]) == (
        port, "paused", "a look",
    )  # fmt: skip
    assert "@" in done.json["by"]

    waited = wherry("send", port, "ClosePort", "--id", "c-paused", "--wait", "0.2s")
    assert waited.code == 6
    (row,) = wherry("paused").json["items"]
    assert (row["what"], row["held"]) == (port, 1)
    told = wherry("why", "c-paused")
    assert told.code == 0
    assert told.json["status"] == "pending"
    assert f"wherry resume {port}" in [reason["unblock"] for reason in told.json["because"]]

    assert wherry("resume", port).json == {"what": port, "status": "resumed"}
    assert eventually(lambda: bool(wherry("get", port).json["version"] == 2))
    assert wherry("command", port, "c-paused").json["status"] == "done"
    again = wherry("resume", port)
    assert (again.code, again.out) == (4, "")
    assert "wherry paused" in again.err


def test_everything_can_be_refused(wherry: Wherry, port: str) -> None:
    assert wherry("pause", "*", "--refuse").json["refuse"] is True
    refused = wherry("send", port, "ClosePort")
    assert (refused.code, refused.out) == (1, "")
    assert "paused" in refused.err
    assert wherry("resume", "*").code == 0
    assert wherry("send", port, "ClosePort").code == 0


def test_what_cannot_be_said_is_refused_with_the_next_step(wherry: Wherry, port: str) -> None:
    for words, code in (
        (("pause", "pier/1"), 4),
        (("pause", port, "--refuse"), 2),
        (("why", "no-such-id"), 4),
        (("why", "port/nobody"), 4),
        (("saga", "retry", "docking", "nobody"), 4),
        (("saga", "retry", "stew", "x"), 4),
        (("dead", "retry", "0-1-1", "--force"), 4),
        (("timers", "fire", "no-such-timer"), 4),
    ):
        done = wherry(*words)
        assert (done.code, done.out) == (code, ""), words
        assert "next:" in done.err


def test_a_delayed_command_need_not_be_waited_for(wherry: Wherry, port: str) -> None:
    assert wherry("send", port, "ClosePort", "--delay", "1h", "--id", "c-late").code == 0
    assert wherry("timers", "fire", "c-late").json["status"] == "due"
    assert eventually(lambda: bool(wherry("command", port, "c-late").json["status"] == "done"))


def test_why_is_a_table_for_people(wherry: Wherry, port: str) -> None:
    done = wherry("why", port, "-o", "table")

    assert done.code == 0
    assert "idle" in done.out
    assert "waits for no message" in done.out


def test_a_saga_that_has_ended_well_cannot_be_tried_again(
    wherry: Wherry, port: str, vessel: str
) -> None:
    key = port.partition("/")[2]
    words = ("saga", "start", "docking", f"vessel_id={vessel}", f"port_id={key}", "--id", key)
    assert wherry(*words).code == 0

    done = wherry("saga", "retry", "docking", key)

    assert done.code == 3
    assert "saga-ended" in done.err
    assert wherry("why", f"docking/{key}").json["status"] == "completed"
