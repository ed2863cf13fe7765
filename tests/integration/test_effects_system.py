"""`wherry up` and `wherry worker` run what the bundles need: runners, processes, stand-ins."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

from tests.support.commands import WHERRY, clean_environment, eventually, run, running, runs
from wherry.supervisor.process import Child
from wherry.supervisor.standing import Standing

pytestmark = pytest.mark.slow

BUNDLE = """
import os
from dataclasses import dataclass

from wherry import (
    Accepted, Answered, App, Ask, Attempt, Command, Context, Entity, Event, Kind, StandIn, Target,
    accept, message, react,
)


class BellKind(Kind):
    name = "bell"


class TowerKind(Kind):
    name = "tower"


@message
class Toll(Command[TowerKind, str]):
    pass


@message
class Ring(Command[BellKind, None]):
    pass


@message
class Rung(Event):
    how: str


@dataclass(frozen=True)
class Bell:
    rung: str = ""


bell = Entity(BellKind, Bell())
tower = Target(TowerKind)


@bell.handles(Ring)
def ring(bell: Bell, command: Ring, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None, sends=(Ask(TowerKind.ref(f"toll-{ctx.key}"), Toll()),))


@bell.answers(Toll)
def tolled(bell: Bell, answer: Answered[str], ctx: Context) -> Accepted[None]:
    return react(Rung(answer.reply if answer.done else answer.code))


@bell.folds(Rung)
def rung(bell: Bell, event: Rung) -> Bell:
    return Bell(event.how)


@tower.effect(Toll, isolate=ISOLATE)
async def toll(call: Toll, attempt: Attempt) -> str:
    said = await attempt.http.post(os.environ["TOWER_URL"], headers=attempt.headers)
    return said.text


app = App([bell, tower], stand_ins=[StandIn("belfry.simulator:app", (("TOWER_URL", "/tower"),))])
"""

SIMULATOR = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def tower(request):
    return PlainTextResponse("dong " + request.headers["idempotency-key"])


app = Starlette(routes=[Route("/tower", tower, methods=["POST"])])
"""


def make(folder: Path, *, isolate: bool = False) -> Path:
    bundle = folder / "functions" / "belfry"
    bundle.mkdir(parents=True)
    (bundle / "__init__.py").write_text(BUNDLE.replace("ISOLATE", str(isolate)))
    (bundle / "simulator.py").write_text(SIMULATOR)
    return folder


def ring(project: Path, key: str, *words: str) -> bool:
    """Whether the answer from outside has come to the bell."""
    assert run("send", f"bell/{key}", "Ring", *words, cwd=project).code == 0
    return eventually(lambda: tolled(project, key, *words) == f"dong toll-{key}", 30)


def tolled(project: Path, key: str, *words: str) -> str:
    shown = run("get", f"bell/{key}", *words, cwd=project)
    return str(shown.json["state"]["rung"]) if shown.code == 0 else ""


def roles(process: psutil.Process) -> list[str]:
    """The roles of the workers among the descendants of a process."""
    lines = [child.cmdline() for child in process.children(recursive=True)]
    return sorted(line[-1] for line in lines if "--role" in line)


def test_up_simulates_what_is_outside_and_starts_what_the_bundles_need(tmp_path: Path) -> None:
    project = make(tmp_path, isolate=True)
    with running(project, "up") as system:
        said = system.errors.read_text()
        assert "belfry: tower is simulated at http://127.0.0.1:" in said
        assert "set TOWER_URL for the real one" in said
        assert roles(psutil.Process(system.process.pid)) == ["effects", "isolated", "pumps"]
        assert ring(project, "a")

        # A stand-in that dies comes back to the same address.
        stand_in = next(c for c in system.children if "wherry.supervisor.stand_in" in c.cmdline())
        stand_in.kill()
        assert ring(project, "b")

        system.children = psutil.Process(system.process.pid).children(recursive=True)
        code, seconds = system.stop()
        assert (code, system.left()) == (0, [])
        assert seconds < 10


def test_a_stand_in_keeps_its_memory_until_its_own_code_changes(tmp_path: Path) -> None:
    functions = make(tmp_path).absolute() / "functions"
    env = clean_environment()

    def child(name: str, module: str, words: list[str], keep: list[int]) -> Child:
        return Child(name, words, env, tmp_path / name, module, keep)

    standing = Standing(functions, child)
    said = [{"app": "belfry.simulator:app", "env": [("TOWER_URL", "/tower")]}]
    try:
        [stand] = standing.start(said, {})
        assert standing.start(said, {}) == [], "it runs"
        [it] = standing.children
        first = it.pid
        assert eventually(lambda: bool(it.heard()))

        (functions / "belfry" / "other.py").write_text("")
        standing.renew()
        assert it.pid == first

        simulator = functions / "belfry" / "simulator.py"
        simulator.write_text(SIMULATOR.replace("dong", "ding"))
        standing.renew()
        assert it.pid != first
        asked = Request(f"{stand.url}/tower", b"", {"Idempotency-Key": "1"})
        with urlopen(asked, timeout=20) as answer:  # the socket was there all the time
            assert answer.read() == b"ding 1"
    finally:
        standing.stop()
        stand.listener.close()


def test_what_is_there_is_not_simulated(tmp_path: Path) -> None:
    project = make(tmp_path)
    with Belfry() as belfry:
        os.environ["TOWER_URL"] = belfry.url
        try:
            with running(project, "up", "--ephemeral") as system:
                assert "simulated" not in system.errors.read_text()
                assert roles(psutil.Process(system.process.pid)) == ["effects", "pumps"]
                assert ring(project, "a")
        finally:
            del os.environ["TOWER_URL"]


def test_dev_starts_a_runner_and_a_stand_in_when_a_change_brings_the_first(tmp_path: Path) -> None:
    project = make(tmp_path)
    bundle = project / "functions" / "belfry" / "__init__.py"
    whole = bundle.read_text()
    bundle.write_text(whole.partition("app = App(")[0] + "app = App([bell])\n")
    with running(project, "dev", "--ephemeral") as system:
        assert roles(psutil.Process(system.process.pid)) == ["pumps"]
        bundle.write_text(whole)
        assert system.process.stdout is not None
        assert json.loads(system.process.stdout.readline())["event"] == "reloaded"
        assert roles(psutil.Process(system.process.pid)) == ["effects", "pumps"]
        assert ring(project, "a")

        # It begins anew when its own code changes.
        simulator = bundle.with_name("simulator.py")
        simulator.write_text(simulator.read_text().replace("dong", "ding"))
        assert json.loads(system.process.stdout.readline())["event"] == "reloaded"
        assert run("send", "bell/b", "Ring", cwd=project).code == 0
        assert eventually(lambda: tolled(project, "b") == "ding toll-b", 30)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_brings_the_processes_that_its_bundles_need(
    tmp_path: Path, signum: signal.Signals
) -> None:
    project = make(tmp_path, isolate=True)
    with Belfry() as belfry, running(project, "up", "--ephemeral") as system:
        for child in system.children:  # only the server and HTTP are left, and nobody watches them
            if "worker" in child.cmdline():
                child.suspend()
        place = ["--redis-url", system.redis_url]
        worker = subprocess.Popen(
            [*WHERRY, "worker", *place],
            cwd=project, env=clean_environment() | {"TOWER_URL": belfry.url}, stdout=sys.stderr,
        )  # fmt: skip
        assert eventually(lambda: roles(psutil.Process(worker.pid)) == ["effects", "isolated"])
        assert ring(project, "a", *place)
        assert belfry.asked == ["toll-a"]
        children = psutil.Process(worker.pid).children(recursive=True)

        worker.send_signal(signum)

        assert worker.wait(15) == (0 if signum == signal.SIGTERM else -signum)
        assert eventually(lambda: not any(map(runs, children)))


class Belfry:
    """A tower that is no simulation."""

    def __enter__(self) -> "Belfry":
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        from threading import Thread

        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                key = self.headers["Idempotency-Key"]
                asked.append(key)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"dong {key}".encode())

            def log_message(self, *args: object) -> None:
                del args

        self.asked = asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
