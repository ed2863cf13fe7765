"""fsck, export and import, time travel: what is stored, looked at and carried by hand."""

import json
from pathlib import Path

from redis import Redis

from tests.support.commands import System, Wherry, run


def key_of(wherry: Wherry, address: str) -> str:
    """Where an entity is, as `wherry keys` says."""
    lines = wherry("keys", address, "-o", "jsonl").out.splitlines()
    return str(json.loads(lines[0])["line"]).split("HGETALL ")[1].strip("'")


def test_fsck_finds_a_running_system_well(wherry: Wherry, port: str) -> None:
    for words in (["fsck"], ["fsck", "port"], ["fsck", port], ["fsck", "--repair", "--yes"]):
        done = wherry(*words)
        assert done.code == 0, done.out + done.err
        assert done.json["findings"] == []
        assert done.json["entities"] > 0


def test_fsck_says_what_differs_and_mends_it(wherry: Wherry, system: System, port: str) -> None:
    key = key_of(wherry, port)
    with Redis.from_url(system.redis_url) as redis:
        redis.hset(key, "status", "closed")
        found = wherry("fsck", port)
        assert found.code == 1
        assert found.json["findings"] == [
            {
                "subject": port, "code": "status", "stored": "closed", "rebuilt": "open",
                "detail": "its status is closed, its log tells open", "repairable": True,
            }
        ]  # fmt: skip
        assert f"next: wherry fsck {port} --repair" in found.err
        assert [
            json.loads(line)["code"]
            for line in wherry("fsck", "port", "-o", "jsonl").out.splitlines()
        ] == ["status"]
        table = wherry("fsck", port, "-o", "table")
        assert "its log tells open" in table.out

        looked = wherry("fsck", port, "--repair", "--dry-run")
        assert (looked.code, redis.hget(key, "status")) == (1, b"closed")
        asked = wherry("fsck", port, "--repair")
        assert (asked.code, redis.hget(key, "status")) == (2, b"closed")
        mended = wherry("fsck", port, "--repair", "--yes")
        assert (mended.code, redis.hget(key, "status")) == (0, b"open")
        assert mended.json["repaired"] == 1
        assert mended.json["findings"][0]["repaired"] is True
    assert wherry("fsck", port).code == 0


def test_fsck_leaves_to_a_person_what_no_log_tells(
    wherry: Wherry, system: System, port: str
) -> None:
    with Redis.from_url(system.redis_url) as redis:
        log = f"{key_of(wherry, port)}:log"
        event = redis.xrange(log)[0][1]
        redis.xtrim(log, maxlen=0)
        try:
            done = wherry("fsck", port, "--repair", "--yes")
        finally:
            redis.delete(log)
            redis.xadd(log, event, id="1-0")
    assert done.code == 1
    assert done.json["findings"][0]["code"] == "log-missing"
    assert done.json["findings"][0]["repairable"] is False
    assert wherry("fsck", port).code == 0


def test_fsck_names_what_there_is_not(wherry: Wherry) -> None:
    assert wherry("fsck", "nothing").code == 4
    assert wherry("fsck", "port/nowhere-at-all").code == 4


def test_a_namespace_is_carried_to_another(
    wherry: Wherry, system: System, port: str, tmp_path: Path
) -> None:
    file = tmp_path / "all.jsonl"
    wherry("pause", "*", "--refuse")
    wherry("pause", "*")
    try:
        written = wherry("export", str(file))
        piped = run("export", "-", cwd=system.folder)
        again = wherry("export", str(file))
    finally:
        wherry("resume", "*")
    assert written.code == 0, written.err
    assert (written.json["file"], written.json["kind"]) == (str(file), None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert again.code == 2
    assert "exists already" in again.err
    assert json.loads(piped.out.splitlines()[-1])["is"] == "end"
    assert_imported(wherry, system, port, file, piped.out)


def assert_imported(wherry: Wherry, system: System, port: str, file: Path, piped: str) -> None:
    there = ("--namespace", "copy")
    assert wherry("deploy", *there).code == 0
    looked = wherry("import", str(file), "--dry-run", *there)
    assert (looked.code, looked.json["imported"]) == (0, False)
    assert wherry("get", port, *there).code == 4
    assert wherry("import", str(file), *there).code == 2
    done = wherry("import", str(file), "--yes", *there)
    assert done.code == 0, done.err
    assert done.json["from"] == "wherry"
    assert wherry("get", port, *there).json == wherry("get", port).json
    assert wherry("fsck", *there).json["findings"] == []
    assert wherry("paused", *there).json["items"] == []
    full = run("import", "-", "--yes", *there, cwd=system.folder, input=piped)
    assert full.code == 2
    assert "is not empty" in full.err


def test_what_is_no_export_is_not_imported(wherry: Wherry, tmp_path: Path) -> None:
    there = ("--namespace", "empty2")
    wherry("deploy", *there)
    bad = tmp_path / "bad"
    bad.write_text('{"is":"header"}\n')
    for name in (str(bad), str(tmp_path / "missing"), str(tmp_path)):
        done = wherry("import", name, "--yes", *there)
        assert done.code == 2, done.err
        assert name in done.err


def test_a_kind_is_written_while_everybody_works(wherry: Wherry, port: str, tmp_path: Path) -> None:
    file = tmp_path / "ports"
    assert wherry("export", str(file), "--kind", "port").code == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert port in {line.get("entity") for line in lines}
    assert wherry("export", "-", "--kind", "nothing").code == 4


def test_an_entity_is_seen_as_it_was(wherry: Wherry, port: str) -> None:
    wherry("send", port, "ChangeCapacity", "capacity=5")
    first = wherry("events", port).json["events"][0]["at"]
    assert wherry("get", port, "--at", "1").json["state"]["capacity"] == 1
    assert wherry("get", port, "--at", "2999-01-01T00:00:00Z").json["version"] == 2
    assert wherry("get", port, "--at", first).json["version"] == 1
    assert wherry("get", port, "--at", "7").code == 4
    assert wherry("get", port, "--at", "yesterday").code == 2

    shown = wherry("diff", port, "1", "2").json
    assert shown["changes"] == [{"path": "/capacity", "from": 1, "to": 5}]
    assert wherry("diff", port, "1").json == shown
    table = wherry("diff", port, "1", "-o", "table").out
    assert "/capacity" in table
    assert "CapacityChanged" in table
    line = wherry("diff", port, "1", "-o", "jsonl").out
    assert json.loads(line) == {"path": "/capacity", "from": 1, "to": 5}
    assert wherry("diff", port, "1", "9").code == 4
    assert wherry("diff", "port/nowhere-at-all", "1").code == 4
