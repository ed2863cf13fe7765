"""send, get, events, list, timers, command, replay, keys: as a user has them."""

import json
import shutil
import subprocess
import uuid

import pytest
from redis import Redis

from tests.support.commands import WHERRY, System, Wherry, clean_environment, eventually

RESERVE = ("ReserveDocking", "reservation_id=r1", "vessel_id=v1")


def test_a_command_is_sent_and_its_reply_printed_as_http_has_it(wherry: Wherry, port: str) -> None:
    done = wherry("send", port, *RESERVE, "hold_for=60s")
    assert done.code == 0
    assert done.json.keys() == {"command_id", "entity", "version", "reply"}
    assert (done.json["entity"], done.json["version"]) == (port, 2)
    assert done.json["reply"]["reservation_id"] == "r1"


def test_a_rejection_names_subject_code_and_the_next_command(wherry: Wherry, port: str) -> None:
    wherry("send", port, *RESERVE)
    done = wherry("send", port, "ReserveDocking", "reservation_id=r2", "vessel_id=v2")
    assert (done.code, done.out) == (3, "")
    assert (
        done.err.splitlines()
        == [
            f"error: {port}: port-at-capacity: all 1 places are taken",
            f"  next: wherry get {port}",
        ]
        or "port-at-capacity: Port at capacity" in done.err
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["{port}", "ReserveDocking", "reservation_id=r1"], 2, "/vessel_id"),
        (["{port}", "ReserveDocking", "nonsense"], 2, "field=value"),
        (
            ["{port}", "ReserveDocking", "reservation_id=r1", "vessel_id=v", "x=1"],
            2,
            "unknown field",
        ),
        (["{port}", "ReserveDocking", "reservation_id=r1", "vessel_id=a b"], 2, "/vessel_id"),
        (["{port}", "ReserveDocking", "--json", "{"], 2, "malformed"),
        (["{port}", "ReserveDocking", "--json", "[]"], 2, "ReserveDocking"),
        (["{port}", "ChangeCapacity", "capacity=two"], 2, "/capacity"),
        (["{port}", "ChangeCapacity", "capacity=2", "--wait", "soon"], 2, "soon"),
        (["{port}", "ChangeCapacity", "capacity=2", "--delay", "x"], 2, "duration"),
        (["{port}", "ChangeCapacity", "capacity=2", "--id", "a:b"], 2, "/id"),
        (["{port}", "ChangeCapacity", "capacity=2", "--expect-version", "9"], 5, "version"),
        (["{port}", "ChangeCapacity", "capacity=2", "--expect-version", "-1"], 2, "expect"),
        (["{port}", "ChangeCapacity", "capacity=2", "--delay", "999999999d"], 2, "ten years"),
        (["{port}", "ChangeCapacity", "capacity=2", "--wait", "-1"], 2, "--wait"),
        (["{port}", "ChangeCapacity", "capacity=1e999"], 2, "/capacity"),
        (["{port}", "ChangeCapacity", "capacity=99999999999999999999999"], 2, "capacity"),
        (["vessel/v", "RegisterVessel", "name=\udcff"], 2, "RegisterVessel"),
        (["vessel/\udcff\x1b[2J", "RegisterVessel", "name=x"], 4, "\\x1b"),
        (["{port}", "Nope"], 4, "ReserveDocking"),
        (["nope/x", "Nope"], 4, "no kind 'nope'"),
        (["port/a:b", "ClosePort"], 4, "a:b"),
        (["port/", "ClosePort"], 4, "port"),
        (["port", "ClosePort"], 4, "port"),
        (["bomb/b", "Light"], 1, "handler-failed"),
    ],
)
def test_bad_input_has_its_exit_code(
    wherry: Wherry, port: str, words: list[str], code: int, said: str
) -> None:
    done = wherry("send", *(word.format(port=port) if "{p" in word else word for word in words))
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert "next: " in done.err
    assert "Traceback" not in done.err


def test_fields_are_typed_by_the_schema(wherry: Wherry) -> None:
    done = wherry("send", "bomb/typed", "Light", "fuse=3", 'tags=["a"]', "safe=true")
    assert (done.code, done.json["version"]) == (0, 1)


def test_a_command_that_is_not_waited_for_can_be_asked_for_later(wherry: Wherry, port: str) -> None:
    sent = wherry("send", port, "ClosePort", "--no-wait")
    assert (sent.code, sent.json["status"]) == (0, "pending")
    id_ = sent.json["command_id"]
    assert eventually(lambda: wherry("command", port, id_).json["status"] == "done")
    assert wherry("command", port, "nope").code == 4


def test_a_wait_that_ends_too_early_says_so(wherry: Wherry, port: str) -> None:
    done = wherry("send", port, "ClosePort", "--delay", "60s", "--wait", "0.1s")
    assert (done.code, done.json["status"]) == (6, "pending")
    assert f"next: wherry command {port}" in done.err


def test_the_same_key_gets_the_first_answer_and_another_body_is_refused(wherry: Wherry) -> None:
    address = f"bomb/{uuid.uuid4().hex}"
    words = ("send", address, "Light", "safe=true", "--key", "k1")
    first, again = wherry(*words, "fuse=1"), wherry(*words, "fuse=1")
    assert first.json == again.json
    assert wherry(*words, "fuse=2").code == 2


def test_a_delayed_command_is_a_timer_until_it_is_due(wherry: Wherry, port: str) -> None:
    assert wherry("send", port, "ClosePort", "--delay", "1s").code == 0
    assert any(row["entity"] == port for row in wherry("timers", "list").json["items"])
    assert eventually(lambda: wherry("get", port).json["status"] == "closed")


def test_get_shows_the_state_now_and_then(wherry: Wherry, port: str) -> None:
    wherry("send", port, "ClosePort")
    assert wherry("get", port).json["status"] == "closed"
    assert wherry("get", port, "--at", "1").json["status"] == "open"
    assert wherry("get", port, "--at", "9").code == 4
    missing = wherry("get", "port/nowhere")
    assert missing.code == 4
    assert missing.err.splitlines() == [
        "error: port/nowhere: not-found: nothing has happened to it yet",
        "  next: wherry list port",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["events", "--after", "-5"],
        ["events", "--limit", "0"],
        ["get", "--at", "-1"],
        ["get", "--at", "x"],
    ],
)
def test_numbers_that_make_no_sense_are_usage_errors(wherry: Wherry, words: list[str]) -> None:
    done = wherry(words[0], "port/x", *words[1:])
    assert (done.code, done.out) == (2, "")
    assert wherry("list", "port", "--limit", "0").code == 2
    assert wherry("list", "port", "--cursor", "x").code == 2


def test_output_is_a_table_a_document_or_lines(wherry: Wherry, port: str) -> None:
    wherry("send", port, "ClosePort")
    assert [event["version"] for event in wherry("events", port).json["events"]] == [1, 2]
    lines = wherry("events", port, "-o", "jsonl").out.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["PortRegistered", "PortClosed"]
    table = wherry("events", port, "-o", "table").out.splitlines()
    assert table[0].split() == ["version", "at", "type", "data"]
    assert "PortClosed" in table[2]
    assert wherry("events", port, "--after", "1", "--limit", "5").json["events"][0]["version"] == 2


def test_entities_are_listed_by_status(wherry: Wherry, port: str) -> None:
    key = port.partition("/")[2]
    assert key in [row["key"] for row in wherry("list", "port").json["items"]]
    closed = wherry("list", "port", "--status", "closed", "-o", "jsonl").out
    assert key not in closed
    assert wherry("list", "nope").code == 4


def test_events_can_be_followed(system: System, wherry: Wherry, port: str) -> None:
    with subprocess.Popen(
        [*WHERRY, "events", port, "--follow"],
        cwd=system.folder, env=clean_environment(), stdout=subprocess.PIPE, text=True,
    ) as follower:  # fmt: skip
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["type"] == "PortRegistered"
        wherry("send", port, "ClosePort")
        assert json.loads(follower.stdout.readline())["type"] == "PortClosed"
        follower.send_signal(2)
        assert follower.wait(10) == 130


def test_output_may_be_cut_off(system: System, port: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(WHERRY)} events {port} | head -c 1"],
        cwd=system.folder, env=clean_environment(), capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_replay_finds_no_difference_until_somebody_makes_one(
    system: System, wherry: Wherry, port: str
) -> None:
    wherry("send", port, *RESERVE)
    same = wherry("replay", port)
    assert (same.code, same.json["same"], same.json["events"]) == (0, True, 2)
    with Redis.from_url(system.redis_url) as redis:
        (key,) = redis.keys(f"*{port.replace('/', ':')}")
        redis.hset(key, "pool:berths:used", "0")
        redis.hset(key, "status", "closed")
    other = wherry("replay", port)
    assert other.code == 1
    paths = {difference["path"] for difference in other.json["differences"]}
    assert paths == {"/pool:berths:used", "/status"}
    assert "/status" in other.err
    assert wherry("fsck", port, "--repair", "--yes").json["repaired"] == 2
    assert wherry("replay", port).code == 0
    assert wherry("replay", "port/nowhere").code == 4


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="needs redis-cli")
@pytest.mark.parametrize("key", ["{unique}", "a.b~c@d-e_{unique}", "--{unique}"])
def test_each_line_of_keys_can_be_pasted(system: System, wherry: Wherry, key: str) -> None:
    address = f"vessel/{key.format(unique=uuid.uuid4().hex[:8])}"
    lines = _lines(wherry, address)
    sending = next(line for line in lines if " FCALL " in line)
    assert _shell(sending).split()[0] == "SENT"
    assert eventually(lambda: '"status":"done"' in _shell(lines[-1]))
    assert wherry("get", address).json["version"] == 1
    shown = {line: _shell(line.replace("BLOCK 5000", "BLOCK 10")) for line in lines}
    assert [line for line, said in shown.items() if _is_error(said)] == []
    log = next(line for line in lines if " XRANGE " in line and ":log" in line)
    assert "VesselRegistered" in shown[log]
    as_json = wherry("keys", address, "-o", "json").json
    assert as_json["entity"] == address
    assert [row["line"] for row in as_json["lines"]][:3] == lines[:3]


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="needs redis-cli")
def test_the_lines_of_the_namespace_can_be_pasted(
    system: System, wherry: Wherry, port: str
) -> None:
    lines = _lines(wherry)
    shown = {line: _shell(line) for line in lines}
    assert [line for line, said in shown.items() if _is_error(said)] == []
    told = "\n".join(shown.values())
    for word in ("partitions", "library_name", "PortRegistered", port.replace("/", ":")):
        assert word in told
    assert wherry("keys", "-o", "json").json["namespace"] == "wherry"


def _lines(wherry: Wherry, *words: str) -> list[str]:
    printed = wherry("keys", *words)
    assert printed.code == 0, printed.err
    return [line for line in printed.out.splitlines() if not line.startswith("#")]


def _is_error(said: str) -> bool:
    return any(word in said for word in ("ERR", "WRONGTYPE", "not found", "Usage", "INVALID"))


def _shell(line: str) -> str:
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=10)
    return done.stdout + done.stderr
