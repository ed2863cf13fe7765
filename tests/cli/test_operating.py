"""doctor, deploy, version, and how the command finds its server."""

import socket
from pathlib import Path

import pytest
from redis import Redis

from tests.support.commands import System, Wherry, run
from wherry.store.server import Server


def test_doctor_finds_a_running_system_well(wherry: Wherry, system: System) -> None:
    done = wherry("doctor")
    assert done.code == 0, done.err
    sources = {row["setting"]: row["source"] for row in done.json["settings"]}
    assert sources["redis_url"] == ".wherry/running.json"
    assert sources["wait"] in {"default", ".wherry/running.json"}
    checks = {row["check"]: row["level"] for row in done.json["checks"]}
    assert checks.keys() >= {
        "version", "appendonly", "appendfsync", "maxmemory-policy", "library", "deployment",
        "workers", "pumps", "runners", "sweep", "scheduler", "clock",
    }  # fmt: skip
    assert "wrong" not in checks.values()


def test_doctor_says_what_is_wrong_and_how_to_mend_it(
    wherry: Wherry, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_REDIS_URL", system.redis_url)
    done = wherry("doctor", "--namespace", "other")
    assert done.code == 1
    wrong = {row["check"]: row["remedy"] for row in done.json["checks"] if row["level"] == "wrong"}
    assert wrong.keys() == {"library", "deployment", "workers", "sweep"}
    assert all("wherry" in remedy for remedy in wrong.values())
    sources = {row["setting"]: row["source"] for row in done.json["settings"]}
    assert sources["redis_url"] == "WHERRY_REDIS_URL"
    assert sources["namespace"] == "--namespace"


def test_nothing_is_deployed_in_another_namespace(wherry: Wherry, system: System) -> None:
    done = wherry("send", "bomb/b", "Light", "--namespace", "empty")
    assert done.code == 1
    assert "next: wherry deploy" in done.err


def test_deploy_says_what_it_did_and_check_what_it_would_do(wherry: Wherry) -> None:
    checked = wherry("deploy", "--check").json
    assert (checked["bundles"], checked["changed"]) == (["docking", "faulty", "guarded"], False)
    done = wherry("deploy")
    assert (done.code, done.json["version"]) == (0, checked["version"])


def test_bundles_can_be_named_but_none_that_is_deployed_left_out(wherry: Wherry) -> None:
    done = wherry("deploy", "docking", "faulty", "guarded")
    assert (done.code, done.json["bundles"]) == (0, ["docking", "faulty", "guarded"])
    for words in (["deploy", "docking"], ["deploy", "docking", "--check"]):
        refused = wherry(*words)
        assert refused.code == 2
        assert "faulty, guarded would lose its rules" in refused.err
    alone = wherry("deploy", "docking", "--namespace", "alone")
    assert (alone.code, alone.json["bundles"]) == (0, ["docking"])
    unknown = wherry("deploy", "dockin")
    assert unknown.code == 1
    assert "there are docking, faulty, guarded" in unknown.err


def test_a_broken_bundle_is_not_deployed(wherry: Wherry, tmp_path: Path) -> None:
    (tmp_path / "broken_bundle").mkdir()
    (tmp_path / "broken_bundle" / "__init__.py").write_text("import nothing_like_this")
    for words in (["deploy"], ["deploy", "--check"]):
        done = wherry(*words, "--functions", str(tmp_path))
        assert done.code == 1
        assert "nothing_like_this" in done.err
    missing = wherry("deploy", "--functions", str(tmp_path / "none"))
    assert missing.code == 1
    assert "--functions" in missing.err


def test_without_a_server_the_command_says_how_to_start_one(
    wherry: Wherry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["get", "port/x"], ["deploy"], ["worker"], ["scheduler"], ["serve"], ["doctor"]):
        done = wherry(*words)
        assert done.code == 7
        assert "start one with `wherry dev`" in done.err


def test_a_server_that_does_not_answer_is_unreachable(wherry: Wherry) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{closed.getsockname()[1]}"
    done = wherry("get", "port/x", "--redis-url", url)
    assert done.code == 7
    assert "next: wherry doctor" in done.err
    assert wherry("doctor", "--redis-url", url).code == 7


def test_a_database_that_the_server_does_not_have_is_no_fault_of_ours(
    wherry: Wherry, system: System
) -> None:
    done = wherry("get", "port/x", "--redis-url", system.redis_url.replace("/0", "/9999"))
    assert done.code == 1
    assert "the server has no database of that number" in done.err


def test_no_process_starts_on_a_server_that_evicts(
    wherry: Wherry, tmp_path: Path, server_binary: Path | None
) -> None:
    server = Server(tmp_path, binary=server_binary).start()
    with Redis.from_url(server.url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
    for words in (["worker"], ["serve", "--port", "0"], ["deploy"]):
        done = wherry(*words, "--redis-url", server.url)
        assert done.code == 1
        assert "maxmemory-policy: allkeys-lru" in done.err
    with Redis.from_url(server.url) as redis:
        redis.config_set("appendonly", "no")
    ill = wherry("doctor", "--redis-url", server.url)
    assert ill.code == 1
    wrong = {row["check"] for row in ill.json["checks"] if row["level"] == "wrong"}
    assert wrong > {"maxmemory-policy", "appendonly"}
    server.kill()


def test_doctor_misses_a_scheduler_that_does_not_keep_to_the_schedule(
    wherry: Wherry, system: System
) -> None:
    [scheduler] = [child for child in system.children if "scheduler" in child.cmdline()]
    scheduler.suspend()
    try:
        with Redis.from_url(system.redis_url) as redis:
            redis.zincrby("rq:scheduler:scheduled_jobs", -1000, "sweep-wherry")
        done = wherry("doctor")
    finally:
        scheduler.resume()
    assert done.code == 1
    wrong = {row["check"]: row["remedy"] for row in done.json["checks"] if row["level"] == "wrong"}
    assert wrong.keys() == {"sweep", "scheduler"}
    assert "wherry scheduler" in wrong["scheduler"]


def test_what_ran_here_before_is_not_taken_for_running(tmp_path: Path) -> None:
    (tmp_path / ".wherry").mkdir()
    (tmp_path / ".wherry" / "running.json").write_text('{"settings": {"redis_url": "redis://x"}}')
    (tmp_path / ".wherry" / "running.lock").touch()
    assert run("get", "port/x", cwd=tmp_path).code == 7


@pytest.mark.parametrize(
    "words",
    [["--redis-url", "http://x"], ["--namespace", "A"], ["--redis-url", "redis://u:secret@:x"]],
)
def test_a_flag_that_cannot_be_right_is_a_usage_error(wherry: Wherry, words: list[str]) -> None:
    done = wherry("get", "port/x", *words)
    assert done.code == 2
    assert "secret" not in done.err


def test_a_password_is_never_printed(wherry: Wherry) -> None:
    url = "redis://:hunter2@127.0.0.1:1/0"
    done = wherry("doctor", "--redis-url", url)
    assert "hunter2" not in done.out + done.err


def test_the_version_is_printed(wherry: Wherry) -> None:
    plain = wherry("version").out.strip()
    assert wherry("--version").out.strip() == plain
    assert wherry("version", "-o", "json").json == {"version": plain}


def test_queues_show_every_partition(wherry: Wherry) -> None:
    """S122: by the command, too."""
    done = wherry("queues")
    assert done.code == 0
    assert {"partition", "waiting", "held", "oldest_at", "entities"} == set(done.json["items"][0])
