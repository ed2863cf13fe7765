"""wherry dead."""

import uuid

from tests.support.commands import Wherry, eventually


def bury(wherry: Wherry) -> str:
    """Make a dead letter; return its id."""
    command_id = uuid.uuid4().hex
    assert wherry("send", "bomb/dead", "Light", "--id", command_id).code == 1
    letters = wherry("dead", "list").json["items"]
    return str(next(row["id"] for row in letters if row["command_id"] == command_id))


def test_a_dead_letter_can_be_seen_retried_and_dropped(wherry: Wherry) -> None:
    letter = bury(wherry)
    shown = wherry("dead", "show", letter).json
    assert (shown["entity"], shown["code"]) == ("bomb/dead", "handler-failed")
    assert "boom" in shown["error"]

    dry = wherry("dead", "retry", letter, "--dry-run").json
    assert dry["status"] == "would retry"
    assert wherry("dead", "retry", letter).json["status"] == "retried"
    assert wherry("dead", "show", letter).code == 4
    # It raises again, so that there is another letter of the same command.
    same = shown["command_id"]
    assert eventually(lambda: same in wherry("dead", "list").out)
    again = next(r["id"] for r in wherry("dead", "list").json["items"] if r["command_id"] == same)
    refused = wherry("dead", "drop", again)
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    assert wherry("dead", "drop", again, "--yes").json["status"] == "dropped"
    assert wherry("dead", "drop", again).code == 4


def test_all_of_them_need_consent(wherry: Wherry) -> None:
    letter = bury(wherry)
    refused = wherry("dead", "drop", "--all")
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    dry = wherry("dead", "drop", "--all", "--dry-run").json["items"]
    assert letter in [row["id"] for row in dry]
    assert wherry("dead", "show", letter).code == 0
    assert wherry("dead", "drop", "--all", "--yes").code == 0
    assert wherry("dead", "list").json["items"] == []


def test_those_of_an_entity_or_a_code_can_be_chosen(wherry: Wherry) -> None:
    letter = bury(wherry)
    assert letter in wherry("dead", "list", "--entity", "bomb/dead").out
    assert wherry("dead", "list", "--entity", "bomb/other").json["items"] == []
    assert wherry("dead", "list", "--code", "unreadable").json["items"] == []

    refused = wherry("dead", "retry", "--entity", "bomb/dead")
    assert (refused.code, refused.out) == (2, "")
    words = ("--entity", "bomb/dead", "--code", "handler-failed")
    dry = wherry("dead", "retry", *words, "--dry-run").json["items"]
    assert letter in [row["id"] for row in dry]
    done = wherry("dead", "retry", *words, "--yes").json["items"]
    assert [row["id"] for row in done] == [row["id"] for row in dry]
    assert wherry("dead", "show", letter).code == 4
    assert wherry("dead", "drop", "--code", "handler-failed", "--yes").code == 0


def test_one_letter_or_all_has_to_be_said(wherry: Wherry) -> None:
    assert wherry("dead", "retry").code == 2
    assert wherry("dead", "drop", "0-1-0", "--all").code == 2
    assert wherry("dead", "drop", "0-1-0", "--code", "x").code == 2
    assert wherry("dead", "drop", "--all", "--code", "x").code == 2
    assert wherry("dead", "drop", "not-an-id").code == 4
