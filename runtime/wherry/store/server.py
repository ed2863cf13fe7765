"""A Redis or Valkey server of our own: for `wherry dev`, the demo and the tests.

It is configured as the guarantees need it (see infra/redis.conf for the reasons), keeps its data
in one folder, and ends when we end.
"""

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from types import TracebackType
from typing import Literal, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from wherry.children import spawn
from wherry.errors import Misconfigured
from wherry.store.server_binary import find_server

__all__ = ["Fsync", "Server", "find_server"]

Fsync = Literal["always", "everysec", "no"]

_HOST = "127.0.0.1"

# A server that we killed a moment ago, or its rewrite of the log, may still hold the folder.
_LOCK_S = 5.0

# Long enough for a log of some gigabytes on a slow disk.
_LOADING_S = 60.0

# A clean stop writes what it has and ends; one that a long script keeps from it is killed.
_STOPPING_S = 10.0

_POLL_S = 0.01

_TAIL_LINES = 15


class Server:
    """A server process on this machine, that keeps its data in `folder`.

    `port` 0 takes a free one and keeps it over restarts. `fsync` "always" is what the guarantees
    need; tests that never cut the power may take "no". Not safe to use from two threads at once.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        fsync: Fsync = "always",
        socket_file: Path | None = None,
        binary: Path | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.fsync = fsync
        self.socket_file = socket_file
        self.binary = binary
        self._process: Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What a client connects to. The port is known once the server has been started."""
        return f"redis://{_HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        """The id of the server process, running or the last one. Raises if there was none."""
        if self._process is None:
            raise Misconfigured(f"The server in {self.folder} has not been started.")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """The file with all that the server has printed."""
        return self.folder / "server.log"

    def start(self) -> Self:
        """Start it, or start it again, and return when it has loaded its data and answers.

        Raises Misconfigured, with the end of its log, if it cannot run here.
        """
        if self.running:
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or _free_port()
        self._process = self._spawn()
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Stop it cleanly, with everything on disk; kill it if it does not end in ten seconds."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOPPING_S)
        except TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(self) -> Popen[bytes]:
        binary = self.binary or find_server()
        lock = _lock(self.folder)
        try:
            _mend_log(binary, self.folder / "appendonlydir" / "appendonly.aof.manifest")
            return spawn([binary, *self._options()], output=self.log, keep=[lock])
        except OSError as error:
            raise Misconfigured(f"{binary} cannot be started: {error}") from error
        finally:
            os.close(lock)  # the server has inherited it: the lock ends with the server

    def _options(self) -> list[str]:
        options = {
            "bind": _HOST,
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": self.fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
            "logfile": "",  # to its standard output, which is our log file
            "daemonize": "no",
        }
        if self.socket_file is not None:
            options |= {"unixsocket": str(self.socket_file), "unixsocketperm": "600"}
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _await_ready(self) -> None:
        # A lost attempt costs a tenth of a second here; a client's own retries would hide it.
        client = Redis(_HOST, self.port, socket_timeout=1, retry=Retry(NoBackoff(), 0))
        with client:
            if _becomes_true(lambda: not self.running or self._answers(client), _LOADING_S):
                if self.running:
                    return
                raise Misconfigured(f"The server in {self.folder} ended at once.{self._tail()}")
        raise Misconfigured(
            f"The server in {self.folder} was not ready after {_LOADING_S:.0f} s.{self._tail()}"
        )

    def _answers(self, client: "Redis") -> bool:
        """Whether it is loaded, and is ours: another program may have taken the port first."""
        try:
            client.ping()
            return bool(client.info("server")["process_id"] == self.pid)
        except (NoConnection, NoAnswer):  # the first also says that it is loading
            return False

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join(["", f"The end of {self.log}:", *lines])


def _mend_log(binary: Path, manifest: Path) -> None:
    """Cut off what a crash left half-written at the end of the log.

    Redis does so itself when it starts, but 7.0 may cut inside a transaction: its beginning stays,
    and at the start after that its half comes to life, together with the transaction that follows.
    """
    if manifest.exists():
        command = ["redis-check-aof", "--fix", str(manifest)]  # the server's program has two names
        subprocess.run(command, executable=binary, input=b"y\n", capture_output=True, check=False)


def _lock(folder: Path) -> int:
    """Take the folder, so that two servers never write one log. Returns the lock's descriptor."""
    lock = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if _becomes_true(lambda: _try_lock(lock), _LOCK_S):
        return lock
    os.close(lock)
    raise Misconfigured(
        f"Another server keeps its data in {folder}. Stop the other `wherry dev`, or give this "
        "one a folder of its own: WHERRY_DATA_DIR=another-folder"
    )


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _becomes_true(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
