"""`wherry keys`: where an entity is in Redis, as lines to paste into a shell."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from cyclopts import App, Parameter

from wherry.cli.failure import warn
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.output import line
from wherry.cli.session import Session, session

if TYPE_CHECKING:
    from wherry.gateway.requests import Request

#: What it shows, and the line.
Line = tuple[str, str]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(keys, group=OPERATE)


Entity = Annotated[
    str, Parameter(name="ENTITY", help="Without it, the keys of the namespace.", show_default=False)
]


def keys(entity: Entity = "", /, *, common: Common = NOTHING) -> int:
    """Print redis-cli lines that show an entity, and one that sends it a command.

    The lines are plain text in every case but with -o json or jsonl.
    """
    kind = entity.partition("/")[0]
    with session(common, entity or "keys", f"wherry list {kind}" if kind else "wherry doctor") as s:
        client, needs_password = redis_cli(s.settings.redis_url)
        lines = [*_lines(s, client, entity)] if entity else [*_lines_of_all(s, client)]
        if s.out.asked and s.out.format != "table":
            found = [{"shows": what, "line": text} for what, text in lines]
            s.out.page({**_about(s, entity), "lines": found}, "lines", ())
        else:
            for what, text in lines:
                line(f"# {what}\n{text}")
        if needs_password:
            warn("the password is not shown: put it into the environment as REDISCLI_AUTH")
    return 0


def _about(s: Session, entity: str) -> dict[str, Any]:
    registry = s.runtime.registry
    if entity:
        return {"entity": entity, "partition": registry.partition_of(entity)}
    return {"namespace": s.runtime.namespace, "partitions": registry.partitions}


def _lines(s: Session, client: list[str], entity: str) -> Iterator[Line]:
    for what, words in _words(s, entity):
        yield what, shlex.join([*client, *words])


def _lines_of_all(s: Session, client: list[str]) -> Iterator[Line]:
    """The keys of the namespace itself, and those that each partition has once."""
    all_, front = s.runtime.store.keys, shlex.join(client)
    yield "what is deployed", f"{front} HGETALL {all_.deployment}"
    yield "what was deployed before", f"{front} XREVRANGE {all_.releases} + - COUNT 5"
    yield (
        "which pumps are alive, and until when, in ms",
        f"{front} ZRANGE {all_.pumps} 0 -1 WITHSCORES",
    )
    yield "what operators did", f"{front} XREVRANGE {all_.audit} + - COUNT 20"
    yield "the rules, as a Lua library", f"{front} FUNCTION LIST LIBRARYNAME {all_.namespace}"
    yield "breakers", f"{front} --scan --pattern {shlex.quote(all_.breaker('*'))}"
    last = s.runtime.registry.partitions - 1
    for what, words in _EACH_PARTITION:
        each = f"{front} {words.format(prefix=f'{{{all_.namespace}:$p}}:')}"
        yield f"{what}, by partition", f"for p in $(seq 0 {last}); do {each}; done"
    pattern = shlex.quote(f"{{{all_.namespace}:*}}:*:log")
    yield "the logs of all entities", f"{front} --scan --pattern {pattern}"


#: What each partition has once; the prefix is written for a loop of the shell.
_EACH_PARTITION = (
    ("how many messages wait", 'XLEN "{prefix}inbox"'),
    ("where it stands", 'HGETALL "{prefix}meta"'),
    ("the next timer, in ms", 'ZRANGE "{prefix}timers" 0 0 WITHSCORES'),
    ("dead letters", 'XLEN "{prefix}dead"'),
    ("what is paused", 'HGETALL "{prefix}paused"'),
    ("entities that an error has stopped", 'HKEYS "{prefix}attention"'),
    ("calls to the outside world that wait for a person", 'ZRANGE "{prefix}parked" 0 -1'),
    ("the last events", 'XREVRANGE "{prefix}feed" + - COUNT 3'),
)


def redis_cli(url: str) -> tuple[list[str], bool]:
    """The words in front of each command, and whether a password was left out of them."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return ["redis-cli", "-s", parts.path], parts.password is not None
    secret = parts.password is not None
    user = f"{parts.username}@" if parts.username and not secret else ""
    place = parts.netloc.rpartition("@")[2]
    words = ["redis-cli", "-u", f"{parts.scheme}://{user}{place}{parts.path}"]
    return [*words, "--user", parts.username] if parts.username and secret else words, secret


def _words(s: Session, entity: str) -> Iterator[tuple[str, list[str]]]:
    from wherry.store.records import entity_reads

    read = entity_reads(s.runtime.store.keys, s.runtime.registry, entity)
    own = s.runtime.store.keys.partition(s.runtime.registry.partition_of(entity))
    yield "its state, version and pools", ["HGETALL", read.hash]
    yield "its events: the id is the version", ["XRANGE", read.log, "-", "+"]
    yield (
        "new events of the next five seconds; BLOCK 0 waits for ever",
        ["XREAD", "BLOCK", "5000", "STREAMS", read.log, "$"],
    )
    yield "how many messages wait in its partition", ["XLEN", own.inbox]
    yield "those messages", ["XRANGE", own.inbox, "-", "+"]
    yield (
        "when timers of its partition are due, in ms",
        ["ZRANGE", own.timers, "0", "-1", "WITHSCORES"],
    )
    yield "what those timers send", ["HGETALL", own.timer]
    yield "dead letters of its partition", ["XRANGE", own.dead, "-", "+"]
    yield "whether an error has stopped it", ["HGET", own.attention, entity]
    yield "what is paused in its partition", ["HGETALL", own.paused]
    yield (
        "messages that are held back for it",
        ["LRANGE", own.held_for(*entity.split("/")), "0", "-1"],
    )
    yield (
        "entities of its kind, the newest change first",
        ["ZREVRANGE", own.index(read.spec.name), "0", "9"],
    )
    yield "calls to the outside world of its partition", ["HGETALL", own.effect]
    yield from _sample(s, entity)


def _sample(s: Session, entity: str) -> Iterator[tuple[str, list[str]]]:
    """Lines that send a command and read what became of it."""
    from wherry.store import calls

    request = _request(s, entity)
    if request is None:
        return
    store = s.runtime.store
    words = calls.send(store.keys, request.sending).words(store.namespace)
    result = store.keys.partition(request.sending.partition).result(request.command_id)
    yield (
        "send it a command; change the fields in `data`, and the id for each",
        list(map(_text, words)),
    )
    yield "what became of that command", ["GET", result]


def _request(s: Session, entity: str) -> "Request | None":
    """A command that fits its schema: the first for which an example can be made."""
    from wherry.cli.examples import example
    from wherry.errors import Invalid
    from wherry.gateway import requests

    now_ms = s.runtime.store.now_ms()
    options = requests.Options(id=f"by-hand-{now_ms}")
    for name, spec in s.runtime.registry.kind(entity.partition("/")[0]).commands.items():
        if spec.internal:
            continue
        try:
            body = example(spec.codec.of)
            return requests.command(s.runtime.registry, entity, name, body, now_ms, options)
        except Invalid:
            continue
    return None


def _text(word: Any) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)
