"""wherry up, dev and demo: they start everything, keep it running, and leave nothing behind."""

import json
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from redis import Redis

from tests.support.commands import (
    ROOT,
    WHERRY,
    clean_environment,
    eventually,
    make_project,
    run,
    running,
    runs,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


def is_ready(url: str) -> bool:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_up_is_ready_keeps_its_parts_alive_is_quiet_and_stops_cleanly(project: Path) -> None:
    with running(project, "up") as system:
        assert system.ready.keys() == {"event", "url", "redis_url", "pid"}
        assert (system.ready["event"], system.ready["pid"]) == ("ready", system.process.pid)
        assert is_ready(system.ready["url"])
        assert len(system.children) == 4, "server, http, worker, scheduler"

        # A second one in the same folder would write the same data.
        second = run("up", "--port", "0", cwd=project)
        assert (second.code, second.out) == (1, "")
        assert "Another `wherry" in second.err

        # A part that dies comes back, and says why it went.
        worker = next(c for c in system.children if "worker" in c.cmdline())
        worker.kill()
        assert eventually(lambda: "worker-1 ended by SIGKILL" in system.errors.read_text())
        assert eventually(
            lambda: any(
                "worker" in c.cmdline() for c in psutil.Process(system.process.pid).children()
            )
        )
        assert eventually(lambda: _works(project), 30)
        system.children = psutil.Process(system.process.pid).children(recursive=True)

        assert _is_quiet(system.redis_url)

        code, seconds = system.stop()
        assert (code, system.left()) == (0, [])
        assert seconds < 10
    assert not (project / ".wherry" / "running.json").exists()
    # Its data is still there.
    with running(project, "up") as system:
        assert run("get", "bomb/alive", cwd=project).code == 0
        code, seconds = system.stop(signal.SIGINT)
        assert (code, system.left()) == (0, [])


def _works(project: Path) -> bool:
    return run("send", "bomb/alive", "Light", "safe=true", cwd=project).code == 0


def _is_quiet(url: str) -> bool:
    """Whether an idle system costs little, between two sweeps and after its pumps have ended."""
    with Redis.from_url(url) as redis:
        assert eventually(lambda: redis.zcard("wherry:pumps") == 0, 20)
        return any(_rate(redis) < 20 for _ in range(3))


def _rate(redis: Redis, seconds: float = 1.5) -> float:
    before = redis.info("stats")["total_commands_processed"]
    time.sleep(seconds)
    return float((redis.info("stats")["total_commands_processed"] - before - 1) / seconds)


def test_nothing_survives_a_supervisor_that_is_killed(project: Path) -> None:
    with running(project, "up", "--ephemeral") as system:
        system.process.kill()
        assert system.left() == []
        assert run("get", "bomb/x", cwd=project).code == 7


def test_dev_deploys_what_has_changed_and_keeps_what_is_broken_out(project: Path) -> None:
    bundle = project / "functions" / "faulty" / "__init__.py"
    with running(project, "dev", "--ephemeral") as system:
        assert run("send", "bomb/b", "Light", cwd=project).code == 1
        bundle.write_text(bundle.read_text().replace("if not command.safe:", "if False:"))
        assert system.process.stdout is not None
        assert json.loads(system.process.stdout.readline()) == {**system.ready, "event": "reloaded"}
        assert run("send", "bomb/b", "Light", cwd=project).code == 0

        good = bundle.read_text()
        bundle.write_text("this is no Python")
        assert eventually(lambda: "was not deployed" in system.errors.read_text())
        bundle.write_text(good + "\n")
        assert json.loads(system.process.stdout.readline())["event"] == "reloaded"
        assert run("send", "bomb/b", "Light", cwd=project).code == 0

        # What is ephemeral goes with the process.
        server = next(c for c in system.children if "server" in c.name())
        data = Path(server.cwd()).parent
        assert data.is_dir()
        assert system.stop()[0] == 0
        assert not data.exists()
    assert not (project / ".wherry").exists()


def test_up_says_why_it_cannot_start(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("up", "--ephemeral", "--port", str(port), cwd=project)
    assert (done.code, done.out) == (1, "")
    assert str(port) in done.err
    assert run("up", "--redis-url", "redis://127.0.0.1:1", cwd=project).code == 7
    (project / "functions" / "faulty" / "__init__.py").write_text("this is no Python")
    broken = run("up", "--ephemeral", "--port", "0", cwd=project)
    assert (broken.code, broken.out) == (1, "")
    assert "SyntaxError" in broken.err
    assert run("up", "--workers", "0", cwd=project).code == 2
    assert run("up", "--functions", "nowhere", cwd=project).code == 1


def test_the_demo_holds_what_it_promises_and_goes_on_until_it_is_stopped(tmp_path: Path) -> None:
    words = ["--port", "0", "--functions", str(ROOT / "functions")]
    with subprocess.Popen(
        [*WHERRY, "demo", *words],
        cwd=tmp_path, env=clean_environment(), stdout=subprocess.PIPE, stderr=sys.stderr, text=True,
    ) as endless:  # fmt: skip
        once = run("demo", "--once", *words, cwd=tmp_path)
        assert once.code == 0, once.out + once.err
        for said in (
            "first docking complete", "Port at capacity", "no compensation", "compensated",
            "expired", "cancelled", "OrderShipped -> OrderDelivered", "the customer was told",
            "the account has 41.00 again", "Where to look", "curl ", "wherry get", "redis-cli",
        ):  # fmt: skip
            assert said in once.out
        assert "\x1b" not in once.out

        assert endless.stdout is not None
        assert any("until you stop it" in line for line in endless.stdout)
        children = psutil.Process(endless.pid).children(recursive=True)
        endless.send_signal(signal.SIGINT)
        assert endless.wait(10) == 0
        assert not any(map(runs, children))
    assert list(tmp_path.iterdir()) == []


def test_the_demo_says_what_it_needs(tmp_path: Path) -> None:
    done = run("demo", "--once", cwd=tmp_path)
    assert done.code == 1
    assert "docking bundle" in done.err
    assert "checkout" in done.err
