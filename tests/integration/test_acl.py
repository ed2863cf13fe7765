"""The users that we ship: each role can do its work, and none can do what is not its own."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from wherry.store.client import is_denied
from wherry.store.library import FOR_ALL, build, rules_table, source, verbs
from wherry.store.server import Server
from wherry.workers.queue import enqueue_pump, is_empty, open_queue
from wherry.workers.schedule import SweepScheduler, ensure_sweep
from wherry.workers.worker import PumpWorker

RENDER = Path(__file__).parents[2] / "infra" / "acl" / "render"
OURS = ["ingress", "worker", "scheduler", "deploy", "operator", "reader"]

# Clients say who they are with it, and do not mind a no. Redis 7.0 refuses a file that names it.
NEW_IN_7_2 = "client|setinfo"

# Which verbs a role is there to run.
RUNS = {
    "ingress": set(FOR_ALL),
    "worker": set(verbs()) - {"admit"},
    "operator": set(verbs()),
    "deploy": {"repair"},
}


class Guarded(Server):
    """A server with our users."""

    def _options(self) -> list[str]:
        return [*super()._options(), "--aclfile", str(self.folder / "users.acl")]

    def _answers(self, client: Redis) -> bool:
        client.connection_pool.connection_kwargs |= {"username": "admin", "password": "admin"}
        return super()._answers(client)


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, server_binary: Path | None
) -> Iterator[Guarded]:
    """A running server with our users; the password of each is its name."""
    secrets = tmp_path_factory.mktemp("secrets")
    for role in [*OURS, "admin"]:
        (secrets / role).write_text(f"{role}\n")
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "users.acl").write_text(render("--secrets", str(secrets)))
    with Guarded(folder, fsync="no", binary=server_binary) as server:
        yield server


@pytest.fixture(scope="module")
def library(guarded: Guarded) -> None:
    """The verbs are there."""
    with login(guarded, "admin") as admin:
        admin.function_load(build("wherry", rules_table([])), replace=True)


def render(*options: str) -> str:
    return subprocess.run([RENDER, *options], capture_output=True, text=True, check=True).stdout


def login(server: Server, role: str) -> Redis:
    return Redis(port=server.port, username=role, password=role)


def may(server: Server, role: str, *command: str) -> bool:
    with login(server, "admin") as admin:
        answer: object = admin.acl_dryrun(role, *command)
    return answer in (b"OK", True)


def test_there_is_one_line_for_each_user() -> None:
    users = [line.split()[1] for line in render().splitlines()]

    assert sorted(users) == sorted([*OURS, "admin"])


def test_another_namespace_has_keys_of_its_own() -> None:
    assert "wherry:" not in render("--namespace", "harbour")


def test_who_does_not_log_in_may_do_nothing(guarded: Guarded) -> None:
    with Redis(port=guarded.port) as nobody, pytest.raises(AuthenticationError):
        nobody.get("wherry:deployment")


@pytest.mark.parametrize("role", OURS)
@pytest.mark.parametrize(
    "command",
    [
        *("FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG SET appendonly no", "SHUTDOWN", "DEBUG SLEEP 1"),
        *("EVAL script 0", "MODULE LIST", "REPLICAOF other 6379", "ACL SETUSER me on", "MONITOR"),
        *("RESTORE wherry:deployment 0 value", "MIGRATE host 1 key 0 1", "FUNCTION FLUSH"),
        *("GET other", "SET other value", "GET {other:1}:port:r", "PUBLISH other message"),
    ],
)
def test_no_role_can_harm_the_server_or_reach_other_keys(
    guarded: Guarded, role: str, command: str
) -> None:
    assert not may(guarded, role, *command.split(" "))


@pytest.mark.parametrize("role", [role for role in OURS if role != "deploy"])
def test_only_deploy_loads_code_and_says_what_is_deployed(guarded: Guarded, role: str) -> None:
    assert not may(guarded, role, "FUNCTION", "LOAD", "code")
    if role != "operator":
        assert not may(guarded, role, "HSET", "wherry:deployment", "partitions", "1")


@pytest.mark.parametrize("role", ["ingress", "worker", "scheduler", "deploy", "reader"])
@pytest.mark.parametrize("command", ["DEL", "UNLINK", "XTRIM {} MAXLEN 0", "RENAME {} {}"])
def test_history_cannot_be_removed_except_by_trimming_an_inbox(
    guarded: Guarded, role: str, command: str
) -> None:
    log = "{wherry:1}:port:rotterdam:log"
    words = command.replace("{}", log).split(" ")

    # Redis cannot tell an inbox from a log by its key's pattern here: only a worker may trim.
    allowed = role == "worker" and words[0] == "XTRIM"
    assert may(guarded, role, *(words if len(words) > 1 else [*words, log])) == allowed


def test_who_needs_no_entity_sees_none(guarded: Guarded) -> None:
    assert not may(guarded, "scheduler", "HGETALL", "{wherry:1}:port:rotterdam")


def test_a_reader_only_reads(guarded: Guarded) -> None:
    assert may(guarded, "reader", "XRANGE", "{wherry:1}:port:rotterdam:log", "-", "+")
    assert not may(guarded, "reader", "HSET", "{wherry:1}:port:rotterdam", "version", "1")
    assert not may(guarded, "reader", "FCALL", "wherry_send", "0")


@pytest.mark.parametrize(
    ("role", "verb"), [(role, verb) for role, names in RUNS.items() for verb in sorted(names)]
)
def test_a_role_may_make_every_call_of_the_verbs_it_runs(
    guarded: Guarded, role: str, verb: str
) -> None:
    # With a call denied in its middle, a script leaves the writes before it behind.
    key = "{wherry:1}:timer"
    denied = [call for call in calls(verb) if not may(guarded, role, *example(call, key))]

    assert denied == []
    keys = ["{wherry:1}:inbox", "{wherry:1}:meta"]
    assert may(guarded, role, "FCALL", f"wherry_{verb}", str(len(keys)), *keys)


@pytest.mark.parametrize("role", ["worker", "operator"])
@pytest.mark.parametrize(
    "command",
    ["FCALL wherry_breaker 1 wherry:breaker:x", "HSET wherry:breaker:x f v", "PUBLISH {} 1"],
)
def test_who_makes_calls_to_the_world_may_use_what_they_share(
    guarded: Guarded, role: str, command: str
) -> None:
    assert may(guarded, role, *command.replace("{}", "wherry:effects").split(" "))


def test_who_runs_effects_hears_of_new_ones(guarded: Guarded) -> None:
    assert may(guarded, "worker", "SUBSCRIBE", "wherry:effects")
    assert not may(guarded, "ingress", "SUBSCRIBE", "wherry:effects")


@pytest.mark.parametrize("verb", sorted(set(verbs()) - FOR_ALL))
def test_who_may_only_send_is_turned_back_by_every_other_verb(
    guarded: Guarded, library: None, verb: str
) -> None:
    del library
    keys = ["{wherry:1}:inbox", "{wherry:1}:timers", "{wherry:1}:timer", "wherry:pumps"]
    with login(guarded, "ingress") as ingress, pytest.raises(ResponseError) as refused:
        ingress.execute_command("FCALL", f"wherry_{verb}", len(keys), *keys)

    assert is_denied(refused.value)
    with login(guarded, "admin") as admin:
        assert admin.exists(*keys) == 0
        admin.acl_log_reset()


@pytest.mark.parametrize(
    "command",
    [
        "HSET {wherry:1}:port:p version 9", "XADD {wherry:1}:port:p:log 9-0 type Forged",
        "ZADD {wherry:1}:index:port 1 p", "HSET {wherry:1}:meta cursor 9-0",
        "XADD {wherry:1}:dead * a b", "HSET {wherry:1}:attention a b",
        "HSET {wherry:1}:port:inbox version 1", "HSET wherry:apikeys k {}", "SET wherry:apikeys x",
        "XADD wherry:releases * a b", "DEL {wherry:1}:inbox", "XTRIM wherry:audit MAXLEN 0",
        "XDEL wherry:audit 1-1", "ECHO x", "PUBLISH wherry:deployed x",
        "HSET wherry:deployment a b",
    ],
)  # fmt: skip
def test_who_may_only_send_cannot_make_up_what_has_happened(guarded: Guarded, command: str) -> None:
    assert not may(guarded, "ingress", *command.split(" "))


def calls(verb: str) -> set[str]:
    """The commands in a verb and in what it includes."""
    text = source(verb)
    included = [source(name) for name in re.findall(r'@include "([^"]+)"', text)]
    made = set(re.findall(r'redis\.p?call\("([A-Z]+)"', "\n".join([text, *included])))
    return made if verb in FOR_ALL else {*made, "ECHO"}


def example(command: str, key: str) -> list[str]:
    special = {
        "PUBLISH": ["PUBLISH", "wherry:replies:1", "message"],
        "XINFO": ["XINFO", "STREAM", key],
        "XADD": ["XADD", key, "*", "field", "value"],
        "HMGET": ["HMGET", key, "field"],
        "ECHO": ["ECHO", "inside"],
    }
    # As many words as the longest needs: whether they make sense is not looked at.
    arity = {
        "EXISTS": 0,
        "TYPE": 0,
        "GET": 0,
        "XLEN": 0,
        "HKEYS": 0,
        "LLEN": 0,
        "HGET": 1,
        "HEXISTS": 1,
        "ZSCORE": 1,
        "XDEL": 1,
        "HDEL": 1,
        "ZREM": 1,
        "SET": 1,
    }
    return special.get(command, [command, key, *["1"] * arity.get(command, 2)])


@pytest.mark.parametrize(
    "command",
    [
        "PUBSUB NUMSUB wherry:effects", "SUBSCRIBE wherry:effects", "PUBLISH wherry:effects 1",
        "ZMSCORE {wherry:1}:effects id", "HMGET {wherry:1}:attempt id",
        "ZRANGE {wherry:1}:effects 0 0 WITHSCORES", "LREM rq:queue:wherry.isolated 1 job",
    ],
)  # fmt: skip
def test_a_worker_may_do_what_a_runner_does_beside_the_verbs(
    guarded: Guarded, command: str
) -> None:
    assert may(guarded, "worker", *command.split(" "))


@pytest.fixture
def handlers_kept() -> Iterator[None]:
    """A worker takes the signals of its process; ours must still end by SIGTERM afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers_kept")
def test_the_roles_can_pass_a_wake_up_from_one_to_the_next(guarded: Guarded) -> None:
    with login(guarded, "scheduler") as redis:
        queue = open_queue(redis, "wherry")
        ensure_sweep(queue, 60)
        assert SweepScheduler(queue, 60).tick()
    with login(guarded, "ingress") as redis:
        queue = open_queue(redis, "wherry")
        enqueue_pump(queue)
        assert not is_empty(queue)

    with login(guarded, "worker") as redis:
        queue = open_queue(redis, "wherry")
        ensure_sweep(queue, 60)
        # This process has no workplace, so the jobs fail: RQ itself had all that it needs.
        PumpWorker([queue], connection=redis).work(burst=True, logging_level="CRITICAL")
        assert is_empty(queue)

    with login(guarded, "admin") as admin:
        log = [(entry["username"], entry["object"]) for entry in admin.acl_log()]
    denied = [entry for entry in log if entry[0] in OURS and entry[1] != NEW_IN_7_2]
    assert denied == []


def test_a_denied_command_is_an_error_of_its_own(guarded: Guarded) -> None:
    with login(guarded, "reader") as reader, pytest.raises(NoPermissionError):
        reader.set("wherry:deployment", "mine")
    with login(guarded, "admin") as admin:
        admin.acl_log_reset()
