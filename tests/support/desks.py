"""Desks that ask the outside world, and the outside world: a small HTTP server with a script."""

import asyncio
import os
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wherry import (
    Accepted,
    Answered,
    App,
    Ask,
    Attempt,
    Breaker,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    Rejected,
    Retry,
    Target,
    Tell,
    Transient,
    accept,
    message,
    react,
)

#: Where the outside world is; the processes of a test find it in their environment.
URL = "OUTSIDE_URL"
#: A file to which functions write that they have begun.
TRACE = "OUTSIDE_TRACE"


class DeskKind(Kind):
    name = "desk"


class WorldKind(Kind):
    name = "world"


class MoonKind(Kind):
    name = "moon"


@message
class Post(Command[WorldKind, str]):
    """Tried again with the same key when nobody knows what became of it."""

    text: str = ""


@message
class Query(Command[WorldKind, str]):
    """Asked for before it is tried again."""

    text: str = ""


@message
class Once(Command[WorldKind, str]):
    """Left to a person when nobody knows what became of it."""

    text: str = ""


@message
class Plain(Command[WorldKind, str]):
    """A plain function."""

    text: str = ""


@message
class Alone(Command[WorldKind, str]):
    """In a process of its own."""

    how: str = "answer"


@message
class Fly(Command[MoonKind, str]):
    """To a target with a breaker that opens soon."""

    text: str = ""


Outside = Post | Query | Once | Plain | Alone | Fly


@message
class Want(Command[DeskKind, int]):
    """Ask for something outside; or tell, and never hear of it."""

    what: str
    key: str
    text: str = ""
    tell: bool = False


@message
class Ping(Command[DeskKind, int]):
    """Something that has nothing to do with it."""


@message
class Wanted(Event):
    key: str


@message
class Pinged(Event):
    pass


@message
class Heard(Event):
    key: str
    outcome: str
    value: str
    code: str


@dataclass(frozen=True, slots=True)
class Desk:
    wanted: int = 0
    pinged: int = 0
    heard: dict[str, list[str]] = field(default_factory=dict)


QUICK = Retry(timedelta(milliseconds=50), most=timedelta(milliseconds=200), attempts=6)
STEADY = Breaker(failures=1000)

desk = Entity(DeskKind, Desk())
world = Target(WorldKind, breaker=STEADY)
moon = Target(MoonKind, breaker=Breaker(failures=3, reset=timedelta(seconds=1)))
app = App([desk, world, moon])

KINDS: dict[str, type[Any]] = {c.__name__: c for c in (Post, Query, Once, Plain, Alone, Fly)}


@desk.handles(Want)
def want(desk: Desk, command: Want, ctx: Context) -> Accepted[int]:
    what = KINDS[command.what](command.text) if command.text else KINDS[command.what]()
    kind = MoonKind if command.what == "Fly" else WorldKind
    send = Tell(kind.ref(command.key), what) if command.tell else Ask(kind.ref(command.key), what)
    return accept(command, Wanted(command.key), reply=desk.wanted + 1, sends=(send,))


@desk.handles(Ping)
def ping(desk: Desk, command: Ping, ctx: Context) -> Accepted[int]:
    return accept(command, Pinged(), reply=desk.pinged + 1)


@desk.folds(Wanted)
def wanted(desk: Desk, event: Wanted) -> Desk:
    return replace(desk, wanted=desk.wanted + 1)


@desk.folds(Pinged)
def pinged(desk: Desk, event: Pinged) -> Desk:
    return replace(desk, pinged=desk.pinged + 1)


@desk.folds(Heard)
def heard(desk: Desk, event: Heard) -> Desk:
    said = [*desk.heard.get(event.key, []), " ".join((event.outcome, event.value, event.code))]
    return replace(desk, heard={**desk.heard, event.key: said})


def _hear(desk: Desk, answer: Answered[str], ctx: Context) -> Accepted[None]:
    return react(Heard(answer.key, answer.outcome, answer.value or "", answer.code))


for _command in KINDS.values():
    desk.answers(_command)(_hear)


# -- what goes out -------------------------------------------------------------------------------


async def _post(text: str, attempt: Attempt) -> str:
    said = await attempt.http.post(os.environ[URL], content=text, headers=dict(attempt.headers))
    if said.status_code == 402:
        raise Rejected("no-money", said.text, asked=text)
    if said.status_code == 503:
        raise Transient(said.text)
    said.raise_for_status()
    return said.text


LIMIT = timedelta(seconds=2)


@world.effect(Post, timeout=timedelta(seconds=20), retry=QUICK)
async def post(call: Post, attempt: Attempt) -> str:
    return await _post(call.text, attempt)


@world.effect(Query, timeout=LIMIT, retry=QUICK, unknown="query")
async def query(call: Query, attempt: Attempt) -> str:
    return await _post(call.text, attempt)


@world.finds(Query)
async def find(call: Query, attempt: Attempt) -> str | None:
    said = await attempt.http.get(os.environ[URL], headers=dict(attempt.headers))
    if said.status_code == 404:
        return None
    said.raise_for_status()
    return said.text


@world.effect(Once, timeout=LIMIT, retry=QUICK, unknown="park")
async def once(call: Once, attempt: Attempt) -> str:
    return await _post(call.text, attempt)


@world.effect(Plain, timeout=LIMIT, retry=QUICK)
def plain(call: Plain, attempt: Attempt) -> str:
    asked = urllib.request.Request(
        os.environ[URL], data=call.text.encode(), headers=dict(attempt.headers), method="POST"
    )
    with urllib.request.urlopen(asked, timeout=10) as said:
        return str(said.read().decode())


@world.effect(Alone, timeout=LIMIT, retry=replace(QUICK, attempts=2), isolate=True)
def alone(call: Alone, attempt: Attempt) -> str:
    if trace := os.environ.get(TRACE):
        with Path(trace).open("a") as file:
            file.write(f"{attempt.key} {call.how} {os.getpid()}\n")
    if call.how == "exit":
        os._exit(3)
    if call.how == "never":
        threading.Event().wait()
    if call.how == "no":
        raise Rejected("not-alone")
    return f"{attempt.key} done"


@moon.effect(Fly, timeout=LIMIT, retry=replace(QUICK, attempts=0))
async def fly(call: Fly, attempt: Attempt) -> str:
    return await _post(call.text, attempt)


# -- the outside world ---------------------------------------------------------------------------

#: What is done with a request: status and text, None to hang up without a word.
Script = Callable[["World", str, str], tuple[int, str] | None]


def answer(world: "World", key: str, text: str) -> tuple[int, str]:
    """Do it, once for each key."""
    return 200, world.do(key, text)


class World:
    """Answers HTTP on a port of its own: POST does something once for each key, GET tells."""

    def __init__(self, script: Script = answer) -> None:
        self.script = script
        self.latency_s = 0.0
        self.done: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.looked_up: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0
        self.opened = threading.Event()
        self.opened.set()
        self._up = threading.Event()

    def do(self, key: str, text: str) -> str:
        """Do it; again is the same."""
        return self.done.setdefault(key, f"{text} as {key}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def env(self) -> dict[str, str]:
        """What processes need, to find it."""
        return {URL: self.url}

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.opened.set()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _live(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=2000)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        await self._end.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._serve_one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        said = await self._handle(head[0].split()[0], headers["idempotency-key"], body.decode())
        if said is None:
            return False
        status, text = said
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-length: {len(text.encode())}\r\n\r\n{text}".encode()
        )
        await writer.drain()
        return True

    async def _handle(self, verb: str, key: str, text: str) -> tuple[int, str] | None:
        if verb == "GET":
            self.looked_up[key] += 1
            return (200, self.done[key]) if key in self.done else (404, "")
        self.asked[key] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency_s)
            while not self.opened.is_set():  # noqa: ASYNC110 - a thread of the test sets it
                await asyncio.sleep(0.01)
            return self.script(self, key, text)
        finally:
            self.in_flight -= 1


def scripted(*steps: str, then: str = "ok") -> Script:
    """For each key one step after the other, then always the last one.

    ok, no (402), error (503), lost (done, then no answer), cut (not done, and no answer)
    """

    def script(world: World, key: str, text: str) -> tuple[int, str] | None:
        at = world.asked[key] - 1
        step = steps[at] if at < len(steps) else then
        done = world.do(key, text) if step in {"ok", "lost"} else ""
        return {"ok": (200, done), "no": (402, "no money"), "error": (503, "not now")}.get(step)

    return script
