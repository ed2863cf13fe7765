"""Calls of the library made by hand, as any client could: no engine, no Store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from redis import Redis

from wherry.store import library

NAMESPACE = "t"
NOW = 1_800_000_000_000
RULES = """
local RULES = {
  ["ship"] = {
    transitions = { [""] = { ["new"] = true }, ["new"] = { ["sailing"] = true },
                    ["sailing"] = { ["docked"] = true }, ["docked"] = { ["sailing"] = true } },
    pools = { ["berths"] = { most = 10 }, ["cranes"] = { most = 2 } },
  },
  ["note"] = { transitions = { }, pools = { } },
}
"""

#: The keys of every commit.
FIXED = (
    *("meta", "inbox", "dead", "feed", "timers", "timer"),
    *("effects", "effect", "attention", "counters", "held"),
)

Word = str | bytes | int


def load_library(redis: Redis, code: str = "") -> None:
    redis.function_load(library.build(NAMESPACE, RULES, code), replace=True)


def key(name: str, partition: int = 0) -> str:
    return f"{{{NAMESPACE}:{partition}}}:{name}"


def fcall(redis: Redis, verb: str, keys: Sequence[str], args: Sequence[Word]) -> list[Any]:
    words = [f"{NAMESPACE}_{verb}", len(keys), *keys, *args]
    client: Any = redis  # its types say less than the answer does
    answer: list[Any] = client.execute_command("FCALL", *words)
    return answer


Dump = dict[bytes, tuple[bytes, Any, bool]]


def dump(redis: Redis) -> Dump:
    """The whole keyspace: type, value, whether it ends by itself."""
    return {name: _content(redis, name) for name in sorted(redis.scan_iter())}


def _content(redis: Redis, name: bytes) -> tuple[bytes, Any, bool]:
    kind = cast(bytes, redis.type(name))
    match kind:
        case b"hash":
            value: Any = redis.hgetall(name)
        case b"stream":
            value = (redis.xrange(name), last_id(redis, name))
        case b"zset":
            value = redis.zrange(name, 0, -1, withscores=True)
        case b"list":
            value = redis.lrange(name, 0, -1)
        case _:
            value = redis.get(name)
    return kind, value, redis.pttl(name) >= 0


def last_id(redis: Redis, name: str | bytes) -> bytes:
    info = cast(dict[Any, Any], redis.xinfo_stream(name))
    return cast(bytes, {str(k): v for k, v in info.items()}["last-generated-id"])


@dataclass
class Forged:
    """What one entity of a forged commit says; the keys follow from kind and key."""

    key: str = "ever"
    kind: str = "ship"
    expected: Word = 0
    state: Word = '{"tons":1}'
    statuses: Sequence[Word] = ()
    steps: Sequence[tuple[Word, Word, Word, Word]] = ()
    events: Sequence[Sequence[Word]] = (("type", "Built", "data", "{}"),)
    old: str = ""
    new: str | None = None

    def final_status(self) -> str:
        """The status whose index it names; `new` forges another."""
        if self.new is not None:
            return self.new
        return str(self.statuses[-1]) if self.statuses else self.old


@dataclass
class Commit:
    """The words of a forged commit, in the order that lua/commit.lua names them."""

    start: Word = "0-0"
    upto: Word = "0-0"
    epoch: Word = 0
    now: Word = NOW
    ttl: Word = 60_000
    cap: Word = 100
    code: Word = ""
    entities: Sequence[Forged] = ()
    messages: Sequence[tuple[int, Word]] = ()
    timers: Sequence[tuple[Word, Word, Word]] = ()
    results: Sequence[tuple[str, Word, Word]] = ()
    dead: Sequence[Sequence[Word]] = ()
    effects: Sequence[tuple[Word, Word]] = ()
    attention: Sequence[tuple[Word, Word]] = ()
    counters: Sequence[tuple[Word, Word]] = ()
    #: Kind, key, and how many; kind, key, and envelope.
    released: Sequence[tuple[str, str, Word]] = ()
    held: Sequence[tuple[str, str, Word]] = ()
    keys: list[str] = field(default_factory=lambda: [key(name) for name in FIXED])

    def words(self) -> tuple[list[str], list[Word]]:
        keys = list(self.keys)

        def status_index(e: Forged, status: str) -> int:
            return at(key(f"index:{e.kind}:{status}")) if status else 0

        def at(name: str) -> int:
            if name not in keys:
                keys.append(name)
            return keys.index(name) + 1

        args: list[Word] = [self.start, self.upto, self.epoch]
        args += [self.now, self.ttl, self.cap, self.code]
        args.append(len(self.entities))
        for e in self.entities:
            args += [at(key(f"{e.kind}:{e.key}")), at(key(f"{e.kind}:{e.key}:log"))]
            args.append(at(key(f"index:{e.kind}")))
            args += [status_index(e, e.old), status_index(e, e.final_status())]
            args += [e.kind, e.key, e.expected, e.state, len(e.statuses), *e.statuses]
            args += [len(e.steps), *(word for step in e.steps for word in step)]
            args.append(len(e.events))
            args += [word for event in e.events for word in (len(event), *event)]
        args.append(len(self.messages))
        args += [
            word
            for partition, text in self.messages
            for word in (at(key("inbox", partition)), text)
        ]
        args += [len(self.timers), *(word for timer in self.timers for word in timer)]
        args.append(len(self.results))
        for name, text, channel in self.results:
            args += [at(key(f"result:{name}")), text, channel]
        args.append(len(self.dead))
        args += [word for letter in self.dead for word in (len(letter), *letter)]
        for pairs in (self.effects, self.attention, self.counters):
            args += [len(pairs), *(word for pair in pairs for word in pair)]
        for rows in (self.released, self.held):
            args += [len(rows), *(word for row in rows for word in _of_list(at, *row))]
        return keys, args

    def call(self, redis: Redis) -> list[Any]:
        return fcall(redis, "commit", *self.words())


def _of_list(at: Callable[[str], int], kind: str, name: str, word: Word) -> list[Word]:
    return [at(key(f"held:{kind}:{name}")), kind, name, word]


def full_commit(upto: str) -> Commit:
    """A first commit that uses every part of the contract."""
    return Commit(
        upto=upto,
        entities=[
            Forged(
                statuses=("new", "sailing"),
                new="sailing",
                steps=(
                    ("berths", "limit", "", 3),
                    ("berths", "hold", "a", NOW + 1000),
                    ("berths", "hold", "b", NOW + 2000),
                    ("berths", "keep", "a", ""),
                    ("berths", "free", "b", ""),
                ),
                events=(("type", "Built", "data", "{}"), ("type", "Sailed", "data", '{"to":"x"}')),
            ),
            Forged(key="n1", kind="note"),
        ],
        messages=[(0, "to own"), (1, "to other")],
        timers=[("ship/ever:dock", NOW + 5000, "{}"), ("ship/ever:gone", "", "")],
        results=[("c1", '{"status":"done"}', "t:replies:p"), ("c2", '{"status":"dead"}', "")],
        dead=[("message", "{}", "error", "boom")],
        effects=[("1-0.1", '{"id":"1-0.1"}'), ("1-0.2", '{"id":"1-0.2"}')],
        attention=[("ship/ever", '{"restarts":[]}'), ("ship/gone", "")],
        counters=[("handled:ship:accepted", 2), ("seconds_us:ship", 1500)],
        held=[("ship", "late", '{"id":"h1"}'), ("ship", "late", '{"id":"h2"}')],
    )


def put_into_inbox(redis: Redis, *texts: str) -> list[str]:
    ids = [redis.xadd(key("inbox"), {"message": text}) for text in texts]
    return [cast(bytes, id_).decode() for id_ in ids]


def send_words(
    id_: str = "c1", *, idem: str = "", args: Mapping[int, Word] | None = None
) -> tuple[list[str], list[Word]]:
    """The words of a send; `args` replaces arguments by position, from 1."""
    names = ("inbox", "meta", f"result:{id_}", f"idem:{idem}" if idem else f"result:{id_}")
    keys = [key(name) for name in (*names, "timers", "timer")]
    keys += [f"{NAMESPACE}:pumps", f"{NAMESPACE}:wake"]
    words: list[Word] = ['{"id":"' + id_ + '"}', id_, NOW, 10, "", "", ""]
    if idem:
        words[4:6] = ["print1", 5000]
    for position, word in (args or {}).items():
        words[position - 1] = word
    return keys, words


def send(
    redis: Redis, id_: str = "c1", *, idem: str = "", args: Mapping[int, Word] | None = None
) -> list[Any]:
    return fcall(redis, "send", *send_words(id_, idem=idem, args=args))
