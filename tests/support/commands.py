"""The command as a user runs it, and systems that it starts."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
WHERRY = [sys.executable, "-P", "-m", "wherry.cli.main"]

# A bundle whose handler raises, so that there are dead letters.
FAULTY = """
from dataclasses import dataclass

from wherry import Accepted, App, Command, Context, Entity, Event, Kind, accept, message


class BombKind(Kind):
    name = "bomb"


@message
class Light(Command[BombKind, None]):
    fuse: int = 0
    tags: list[str] | None = None
    safe: bool = False


@message
class Lit(Event):
    fuse: int


@dataclass(frozen=True)
class Bomb:
    fuse: int = 0


bomb = Entity(BombKind, Bomb())


@bomb.handles(Light)
def light(bomb: Bomb, command: Light, ctx: Context) -> Accepted[None]:
    if not command.safe:
        raise RuntimeError("boom")
    return accept(command, Lit(command.fuse), reply=None)


@bomb.folds(Lit)
def lit(bomb: Bomb, event: Lit) -> Bomb:
    return Bomb(event.fuse)


app = App([bomb])
"""

# A bundle whose entities are stopped by an error.
GUARDED = """
from dataclasses import dataclass

from wherry import (
    Accepted, App, Command, Context, Entity, Event, Kind, OneForOne, Rejected, accept, message,
)


class FuseKind(Kind):
    name = "fuse"


@message
class Blow(Command[FuseKind, None]):
    safe: bool = False


@message
class Load(Command[FuseKind, None]):
    amps: int


@message
class Trip(Command[FuseKind, None]):
    secret: str


@message
class Loaded(Event):
    amps: int


@dataclass(frozen=True)
class Fuse:
    amps: int = 0


fuse = Entity(FuseKind, Fuse(), supervision=OneForOne())


@fuse.handles(Blow)
def blow(fuse: Fuse, command: Blow, ctx: Context) -> Accepted[None]:
    if not command.safe:
        raise RuntimeError("blown")
    return accept(command, reply=None)


@fuse.handles(Load)
def load(fuse: Fuse, command: Load, ctx: Context) -> Accepted[None]:
    if command.amps > 16:
        raise Rejected("overload", "too much", most=16, asked=command.amps)
    return accept(command, Loaded(command.amps), reply=None)


@fuse.handles(Trip, internal=True)
def trip(fuse: Fuse, command: Trip, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None)


@fuse.folds(Loaded)
def loaded(fuse: Fuse, event: Loaded) -> Fuse:
    return Fuse(event.amps)


app = App([fuse])
"""


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class System:
    """A running `wherry up` or `wherry dev`."""

    process: subprocess.Popen[str]
    folder: Path
    ready: dict[str, Any]
    errors: Path
    children: list[psutil.Process] = field(default_factory=list)

    @property
    def redis_url(self) -> str:
        return str(self.ready["redis_url"])

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Return the exit code, and after how many seconds it came."""
        began = time.monotonic()
        self.process.send_signal(signum)
        code = self.process.wait(30)
        return code, time.monotonic() - began

    def left(self) -> list[str]:
        """The children that still run."""
        eventually(lambda: not any(map(runs, self.children)), 3)
        return [" ".join(child.cmdline()) for child in self.children if runs(child)]


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def eventually(condition: Callable[[], bool], within_s: float = 15) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WHERRY_")}
    for name in ("CI", "NO_COLOR"):  # a command in this process may have set the latter
        kept.pop(name, None)
    return kept | {"PYTHONPATH": str(ROOT / "runtime")}


def run(*words: str, cwd: Path, env: dict[str, str] | None = None, **more: Any) -> Done:
    """Run the command in a process of its own."""
    done = subprocess.run(
        [*WHERRY, *words],
        cwd=cwd, env=clean_environment() | (env or {}), capture_output=True,
        text=True, timeout=60, **more,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def running(folder: Path, *words: str) -> Iterator[System]:
    """Start a system in a folder, and make sure that it ends."""
    errors = folder / "stderr.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [*WHERRY, *words, "--port", "0", "--workers", "1", "--linger", "0.5s", "-o", "json"],
            cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, stderr=stderr, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said, errors.read_text()
        children = psutil.Process(process.pid).children(recursive=True)
        yield System(process, folder, json.loads(said), errors, children)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        process.stdout.close()


def make_project(folder: Path) -> Path:
    """A folder of a user: the docking bundle, and two that fail."""
    shutil.copytree(ROOT / "functions" / "docking", folder / "functions" / "docking")
    faulty = folder / "functions" / "faulty"
    faulty.mkdir()
    (faulty / "__init__.py").write_text(FAULTY)
    (folder / "functions" / "guarded").mkdir()
    (folder / "functions" / "guarded" / "__init__.py").write_text(GUARDED)
    return folder


Wherry = Callable[..., Done]
