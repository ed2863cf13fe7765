"""Carrying out one attempt: the functions of a bundle, each within its time limit.

A coroutine function shares the loop. A plain one gets a thread, which cannot be stopped: when its
time is over it goes on, and its thread is missing until it returns. `isolate` is for those.
"""

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from wherry import tracing
from wherry.authoring.effect import Attempt, EffectFunction
from wherry.engine.saying import problem_of
from wherry.engine.specs import TargetSpec
from wherry.errors import Rejected, Transient
from wherry.workers.attempts import Came, Case, NotDone, NotTold, Refused, Replied, Unclear, may_run
from wherry.workers.held import Held, said

if TYPE_CHECKING:
    import httpx


class Performer(Protocol):
    """Calls a function of a bundle within the time limit of the call."""

    async def perform(self, function: EffectFunction, held: Held) -> Any:
        """Return what the function returns. Raises what it raises, and TimeoutError."""
        ...


async def attempt(
    performer: Performer, held: Held, now_ms: Callable[[], int], *, ask: bool
) -> Came:
    """Make one attempt. With `ask` the target is asked first what became of the one before."""
    if not tracing.is_on():
        return await _attempt(performer, held, now_ms, ask=ask)
    envelope = held.envelope
    span = tracing.begin(
        f"effect {envelope.type}", parent=envelope.trace, kind="client", target=held.target.name,
        key=held.key, attempt=held.case.tries, entity=envelope.sender,
    )  # fmt: skip
    traced = msgspec.structs.replace(envelope, trace=span.traceparent)
    with span:
        came = await _attempt(performer, replace(held, envelope=traced), now_ms, ask=ask)
        span.note(outcome=type(came).__name__)
        if not is_well(came):
            span.fail(str(getattr(came, "error", "")))
        return came


async def _attempt(
    performer: Performer, held: Held, now_ms: Callable[[], int], *, ask: bool
) -> Came:
    return _fit_to_show(await _made(performer, held, now_ms, ask=ask), held)


def _fit_to_show(came: Came, held: Held) -> Came:
    """What came, without values that nobody should read: an error may quote some."""
    about = bytes(held.envelope.data)
    match came:
        case NotDone(error) | Unclear(error) | NotTold(error):
            return replace(came, error=held.redactor.scrubbed(error, about))
        case Refused(problem):
            detail = held.redactor.scrubbed(problem.detail, about)
            return Refused(msgspec.structs.replace(problem, detail=detail))
        case _:
            return came


async def _made(performer: Performer, held: Held, now_ms: Callable[[], int], *, ask: bool) -> Came:
    if ask:
        found = await _find(performer, held)
        if found is not None:
            return found
        known = msgspec.structs.replace(held.case.note, unknown=False)
        if not may_run(Case(held.case.rule, known, held.case.number), now_ms()):
            return NotDone(f"{held.case.note.error}; it was not done")
    came = await _run(performer, held)
    if isinstance(came, Unclear) and held.case.rule.unknown == "query":
        # Only a yes is believed so soon: a call that was cut off may arrive after the question.
        found = await _find(performer, held)
        return found if isinstance(found, Replied) else came
    return came


async def _run(performer: Performer, held: Held) -> Came:
    try:
        return Replied(_encode(held, await performer.perform(held.spec.rule.run, held)))
    except Rejected as error:
        return Refused(problem_of(error.code, error.detail, error.data))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a bundle's function may raise anything
        return NotDone(said(error)) if is_certain(error) else Unclear(_described(error, held))
    except asyncio.CancelledError:
        if _is_cancelled():
            raise
        return Unclear("it cancelled itself")


async def _find(performer: Performer, held: Held) -> Came | None:
    """Ask the target what became of a call; None: it was not done."""
    find = held.spec.find
    assert find is not None, "a rule with unknown='query' has a finder: target_spec checks it"  # noqa: S101
    try:
        value = await performer.perform(find, held)
        return None if value is None else Replied(_encode(held, value))
    except Rejected as error:
        return Refused(problem_of(error.code, error.detail, error.data))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a bundle's function may raise anything
        return NotTold(_described(error, held))
    except asyncio.CancelledError:
        if _is_cancelled():
            raise
        return NotTold("it cancelled itself")


def is_certain(error: BaseException) -> bool:
    """Whether an error says that nothing was done: no connection was made."""
    if isinstance(error, (Transient, ConnectionRefusedError)):
        return True
    httpx = sys.modules.get("httpx")  # nobody has raised its errors when it was never imported
    return httpx is not None and isinstance(
        error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    )


def is_well(came: Came) -> bool:
    """Whether the target answered: a no is an answer, too."""
    return isinstance(came, Replied | Refused)


def _encode(held: Held, value: Any) -> bytes:
    """The reply as JSON. Raises when it is not what the command promises."""
    encoded = held.spec.reply.encode(value)
    held.spec.reply.decode(encoded)
    return encoded


def _described(error: BaseException, held: Held) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return f"no answer in {held.limit_s:g} s"
    return said(error)


def _is_cancelled() -> bool:
    """Whether somebody wants the task to end; a function may also raise CancelledError itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


# -- in a runner ---------------------------------------------------------------------------------


class InRunner:
    """Functions of all calls of a runner: coroutines together, plain functions in threads."""

    def __init__(self, connections: int, threads: int) -> None:
        self._connections = connections
        self._threads = asyncio.Semaphore(threads)
        self._client: httpx.AsyncClient | None = None

    async def perform(self, function: EffectFunction, held: Held) -> Any:
        """Call a function, in the loop or in a thread."""
        if inspect.iscoroutinefunction(function):
            given = attempt_of(held, self._http)
            async with asyncio.timeout(held.limit_s):
                return await function(held.command, given)
        return await self._in_thread(function, held)

    def prepare(self, targets: Iterable[TargetSpec]) -> None:
        """Make the shared client now: it takes a while, and the loop would stand still."""
        specs = (spec for target in targets for spec in target.effects.values())
        if any(inspect.iscoroutinefunction(spec.rule.run) for spec in specs):
            self._http()

    async def close(self) -> None:
        """Close the connections that calls have shared."""
        if self._client is not None:
            await self._client.aclose()

    def _http(self) -> "httpx.AsyncClient":
        if self._client is None:
            from wherry.workers.http_client import shared_client  # not every bundle needs it

            self._client = shared_client(self._connections)
        return self._client

    async def _in_thread(self, function: EffectFunction, held: Held) -> Any:
        await self._threads.acquire()
        try:
            running = in_thread(lambda: function(held.command, attempt_of(held)))
        except BaseException:
            self._threads.release()
            raise
        # The thread is free when the function returns, which may be after its time is over.
        running.add_done_callback(self._returned)
        async with asyncio.timeout(held.limit_s):
            value = await asyncio.shield(running)
            # A plain function may hand back a coroutine.
            return await value if inspect.isawaitable(value) else value

    def _returned(self, running: "asyncio.Future[Any]") -> None:
        self._threads.release()
        running.exception()  # if nobody waits any more, asyncio would complain of it


def attempt_of(held: Held, http: "Callable[[], httpx.AsyncClient] | None" = None) -> Attempt:
    """What a function gets to know of its attempt."""
    return Attempt(held.key, held.case.tries, held.limit_s, held.headers, http)


def in_thread(work: Callable[[], Any]) -> "asyncio.Future[Any]":
    """Do something in a thread that does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def tell(action: Callable[[Any], None], value: Any) -> None:
        try:
            loop.call_soon_threadsafe(lambda: None if done.done() else action(value))
        except RuntimeError:  # the loop has ended, and nobody waits any more
            return

    def live() -> None:
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
            tell(done.set_exception, _bearable(error))
        else:
            tell(done.set_result, value)

    threading.Thread(target=live, name="effect", daemon=True).start()
    return done


def _bearable(error: BaseException) -> Exception:
    """Errors that a future can hold: SystemExit would end the loop, StopIteration is refused."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(said(error))
