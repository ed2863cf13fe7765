"""wherry effects, breakers, and what doctor says of them, in a system that has an outside world."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.town import Town, wait_until
from tests.support.commands import Done, Wherry
from wherry.cli.main import main
from wherry.store import calls
from wherry.store.calls import Asking, Park, Settling
from wherry.store.effect_store import EffectStore
from wherry.store.effects import taken


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, server_binary: Path | None) -> Iterator[Town]:
    """A system of its own: it has no runner, so that nobody takes calls away."""
    with Town(tmp_path_factory.mktemp("town"), server_binary) as running:
        yield running


@pytest.fixture
def wherry(
    town: Town, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Wherry:
    for name in [name for name in os.environ if name.startswith("WHERRY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WHERRY_REDIS_URL", town.server.url)
    monkeypatch.setenv("WHERRY_FUNCTIONS", str(town.bundles))
    monkeypatch.chdir(town.folder)

    def call(*words: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capfd.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return call


def ask(wherry: Wherry, boiler: str) -> dict[str, Any]:
    """Ask for water; return the call that waits for it."""
    command = wherry("send", f"boiler/{boiler}", "Fetch", "litres=5", "--no-wait").json
    key = command["command_id"]
    wait_until(lambda: key in wherry("effects", "list").out)
    items = wherry("effects", "list").json["items"]
    return next(item for item in items if item["key"] == key)


def park(town: Town, call: dict[str, Any]) -> None:
    """Take a call as a runner does, and leave it for a person."""
    store, number = town.runtime.store, int(call["id"].partition("-")[0])
    own, now = store.keys.partition(number), store.now_ms()
    found = taken(store.call(calls.take(own, now, 60_000, 100))).calls
    for one in found:
        EffectStore(store).settle(Settling(number, one.id, one.n, now, Park(b'{"error":"lost"}')))


def test_a_parked_call_is_seen_retried_and_resolved(town: Town, wherry: Wherry) -> None:
    call = ask(wherry, "b1")
    park(town, call)
    id_ = call["id"]
    assert id_ in wherry("effects", "list", "--state", "parked", "--target", "well").out
    shown = wherry("effects", "show", id_).json
    assert (shown["state"], shown["note"], shown["data"]) == (
        "parked", {"error": "lost"}, {"litres": 5},
    )  # fmt: skip

    assert wherry("effects", "retry", id_).json["status"] == "retried"
    assert wherry("effects", "show", id_).json["state"] == "waiting"
    done = wherry("effects", "resolve", id_, "--reply", '{"litres": 8}')
    assert (done.code, done.json["status"]) == (0, "resolved")
    wait_until(lambda: wherry("get", "boiler/b1").json["state"]["litres"] == 8)
    assert wherry("effects", "show", id_).code == 4


def test_an_outcome_may_be_a_no_or_a_failure(wherry: Wherry) -> None:
    refused, failed = ask(wherry, "b2"), ask(wherry, "b3")

    words = ("--rejected", "dry", "--detail", "no water")
    assert wherry("effects", "resolve", refused["id"], *words).code == 0
    assert wherry("effects", "resolve", failed["id"], "--failed", "gone").code == 0

    wait_until(lambda: told(wherry, refused)["status"] == "rejected")
    wait_until(lambda: told(wherry, failed)["status"] == "rejected")
    assert told(wherry, refused)["problem"]["code"] == "dry"
    assert told(wherry, failed)["problem"]["code"] == "effect-failed"


def told(wherry: Wherry, call: dict[str, Any]) -> Any:
    """What became of the command that led to a call."""
    return wherry("command", call["entity"], call["key"]).json


def test_what_cannot_be_right_is_refused(wherry: Wherry) -> None:
    id_ = ask(wherry, "b4")["id"]

    for words in (
        [], ["--reply", "{}", "--failed", "x"], ["--detail", "x", "--failed", "x"],
        ["--reply", "{"], ["--reply", '{"litres": "x"}'], ["--rejected", "Not a code"],
    ):  # fmt: skip
        done = wherry("effects", "resolve", id_, *words)
        assert (done.code, done.out) == (2, ""), words
    assert wherry("effects", "show", id_).json["state"] == "waiting"
    assert wherry("effects", "list", "--state", "lost").code == 2
    assert wherry("effects", "list", "--target", "wel").code == 2
    for verb in ("show", "retry"):
        assert wherry("effects", verb, "0-1-1.1").code == 4


def test_breakers_are_a_table_for_people(wherry: Wherry) -> None:
    assert wherry("breakers").json["items"][0]["state"] == "closed"
    head, *rows = wherry("breakers", "-o", "table").out.splitlines()
    assert head.split() == ["target", "state", "failures", "since", "retry_at"]
    assert ["well", "closed"] in [row.split()[:2] for row in rows]


def test_a_target_takes_no_commands(wherry: Wherry) -> None:
    assert wherry("send", "well/w", "Draw", "litres=1").code == 4
    assert wherry("get", "well/w").code == 4
    assert wherry("list", "well").code == 4


# -- doctor ---------------------------------------------------------------------------------------


def checks(wherry: Wherry) -> dict[str, dict[str, str]]:
    return {row["check"]: row for row in wherry("doctor").json["checks"]}


def test_doctor_misses_whoever_makes_calls(town: Town, wherry: Wherry) -> None:
    missing = checks(wherry)["effects workers"]
    assert (missing["level"], missing["said"]) == ("wrong", "none is registered")
    assert "wherry worker" in missing["remedy"]

    with town.a_runner():
        wait_until(lambda: checks(wherry)["effects workers"]["level"] == "fine")


def test_doctor_counts_what_needs_a_person(town: Town, wherry: Wherry) -> None:
    def levels(*names: str) -> list[str]:
        found = checks(wherry)
        return [found[name]["level"] for name in names]

    for call in wherry("effects", "list").json["items"]:
        wherry("effects", "resolve", call["id"], "--failed", "gone")
    lists = ("stopped entities", "parked calls", "dead letters", "breakers")
    assert levels(*lists) == ["fine"] * 4

    park(town, ask(wherry, "b5"))
    wherry("send", "boiler/b6", "Fail")
    store, now = town.runtime.store, town.runtime.store.now_ms()
    failing = Asking(0, 0, 3, limit=3, reset_ms=60_000, probes=1, lease_ms=1_000)
    store.call(calls.breaker(store.keys, "well", now, failing))

    assert levels(*lists) == ["weak"] * 4
    assert "well is open after 3 failures" in checks(wherry)["breakers"]["said"]
    assert "wherry attention list" in checks(wherry)["stopped entities"]["remedy"]
    town.redis.delete(store.keys.breaker("well"))
    for words in (("effects", "list"), ("attention", "list"), ("dead", "list")):
        assert len(wherry(*words).json["items"]) == 1
    assert wherry("attention", "restart", "boiler/b6").code == 0
    assert wherry("dead", "drop", "--all", "--yes").code == 0
