"""`wherry keys`: where an entity is in Redis, as lines to paste into a shell."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cyclopts import App

from wherry.cli.failure import warn
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.output import line
from wherry.cli.session import Session, session

if TYPE_CHECKING:
    from wherry.gateway.requests import Request

Line = tuple[str, list[str]]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(keys, group=OPERATE)


def keys(entity: str, /, *, common: Common = NOTHING) -> int:
    """Print redis-cli lines that show an entity, and one that sends it a command.

    The lines are plain text in every case but with -o json or jsonl.
    """
    with session(common, entity, f"wherry list {entity.partition('/')[0]}") as s:
        client, needs_password = redis_cli(s.settings.redis_url)
        found = [(what, shlex.join([*client, *words])) for what, words in _lines(s, entity)]
        if s.out.asked and s.out.format != "table":
            partition = s.runtime.registry.partition_of(entity)
            lines = [{"shows": what, "line": text} for what, text in found]
            s.out.page({"entity": entity, "partition": partition, "lines": lines}, "lines", ())
        else:
            for what, text in found:
                line(f"# {what}\n{text}")
        if needs_password:
            warn("the password is not shown: put it into the environment as REDISCLI_AUTH")
    return 0


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


def _lines(s: Session, entity: str) -> Iterator[Line]:
    from wherry.store.records import entity_reads

    read = entity_reads(s.runtime.store.keys, s.runtime.registry, entity)
    own = s.runtime.store.keys.partition(s.runtime.registry.partition_of(entity))
    yield "its state, version and pools", ["HGETALL", read.hash]
    yield "its events: the id is the version", ["XRANGE", read.log, "-", "+"]
    yield "new events, as they come", ["XREAD", "BLOCK", "0", "STREAMS", read.log, "$"]
    yield "how many messages wait in its partition", ["XLEN", own.inbox]
    yield "those messages", ["XRANGE", own.inbox, "-", "+"]
    yield (
        "when timers of its partition are due, in ms",
        ["ZRANGE", own.timers, "0", "-1", "WITHSCORES"],
    )
    yield "what those timers send", ["HGETALL", own.timer]
    yield "dead letters of its partition", ["XRANGE", own.dead, "-", "+"]
    yield "whether an error has stopped it", ["HGET", own.attention, entity]
    yield "calls to the outside world of its partition", ["HGETALL", own.effect]
    yield from _sample(s, entity)


def _sample(s: Session, entity: str) -> Iterator[Line]:
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
