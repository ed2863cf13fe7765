"""wherry attention, and what `wherry send` says of a stopped entity."""

import uuid

from tests.support.commands import Wherry


def stop(wherry: Wherry) -> str:
    """Stop an entity; return its address."""
    address = f"fuse/{uuid.uuid4().hex[:8]}"
    assert wherry("send", address, "Blow").code == 1
    return address


def test_a_stopped_entity_is_listed_refuses_and_goes_on_when_it_is_restarted(
    wherry: Wherry,
) -> None:
    address = stop(wherry)
    listed = wherry("attention", "list").json["items"]
    shown = next(item for item in listed if item["entity"] == address)
    assert (shown["directive"], shown["command"]) == ("escalate", "Blow")

    refused = wherry("send", address, "Blow", "safe=true")
    assert (refused.code, refused.out) == (3, "")
    assert "entity-stopped" in refused.err
    assert f"next: wherry attention restart {address}" in refused.err

    restarted = wherry("attention", "restart", address)
    assert (restarted.code, restarted.json["reply"]) == (0, {"restarted": True})
    assert wherry("send", address, "Blow", "safe=true").code == 0
    assert address not in wherry("attention", "list", "--all").out


def test_only_what_is_stopped_can_be_restarted(wherry: Wherry, port: str) -> None:
    for address in (port, "fuse/never", "nokind/x", "port", "port/a:b"):
        done = wherry("attention", "restart", address)
        assert (done.code, done.out) == (4, "")
    assert wherry("attention", "restart").code == 2


def test_a_restart_need_not_be_waited_for(wherry: Wherry) -> None:
    done = wherry("attention", "restart", stop(wherry), "--no-wait")
    assert (done.code, done.json["status"]) == (0, "pending")


def test_the_list_is_a_table_for_people(wherry: Wherry) -> None:
    address = stop(wherry)
    table = wherry("attention", "list", "-o", "table", "--limit", "1").out
    assert table.split()[:5] == ["since", "entity", "directive", "command", "error"]
    assert address in table


def test_what_only_entities_send_cannot_be_sent(wherry: Wherry) -> None:
    for fields in ([], ["secret=x"], ["nothing=x"]):
        done = wherry("send", "fuse/f", "Trip", *fields)
        assert (done.code, done.out) == (4, "")
        assert "secret" not in done.err.partition("error:")[2].partition("next:")[2]
    assert "Trip" not in wherry("keys", "fuse/f").out


def test_the_data_of_a_rejection_is_in_what_became_of_the_command(wherry: Wherry) -> None:
    address = f"fuse/{uuid.uuid4().hex[:8]}"
    done = wherry("send", address, "Load", "amps=99", "--id", "c1")
    assert done.code == 3
    assert wherry("command", address, "c1").json["problem"]["data"] == {"most": 16, "asked": 99}
