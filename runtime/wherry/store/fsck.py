"""The audit of a namespace: does all that is stored agree with the logs? Everybody may go on.

Memory is bounded: keys, indexes, timers and logs are read page by page. An entity is judged as it
is at one moment, and indexes and timers with it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from redis.exceptions import ResponseError

from wherry.engine.envelope import read_result
from wherry.engine.registry import Registry
from wherry.errors import Invalid
from wherry.store.cases import read_cases
from wherry.store.checks import Finding, OfEntity, check
from wherry.store.client import Store, reaching
from wherry.store.known import KeyName, is_of_namespace, read_name
from wherry.store.look import TOGETHER, Place, place_of, statuses
from wherry.store.part_checks import PartChecks, wrong_type
from wherry.store.repair import TRIES, Extra
from wherry.store.walk import keys_like, members

#: Told how many entities have been looked at so far.
Progress = Callable[[int], None]


@dataclass
class Fsck:
    """One audit. Counts what it has looked at, as far as its findings have been taken.

    kind  only entities of this kind, and what belongs to them
    """

    store: Store
    registry: Registry
    kind: str = ""
    progress: Progress | None = None
    entities: int = 0
    events: int = 0
    _said: set[tuple[str, str, str]] = field(default_factory=set)

    def everything(self) -> Iterator[Finding]:
        """All that is wrong in the namespace, or with the entities of a kind."""
        if not self.kind:
            yield from self._strangers()
        for page in keys_like(self.store.redis, self._pattern()):
            names = [read_name(text, self.registry.partitions) for text in page]
            yield from self._once(self._page(names))
        for number in range(self.registry.partitions):
            yield from self._once(self._part(number))

    def one(self, address: str) -> Iterator[Finding]:
        """All that is wrong with one entity."""
        yield from self._once(self._entities([place_of(self.registry, address)]))
        part = PartChecks(
            self.store, self.registry, self.registry.partition_of(address), address.__eq__
        )
        yield from self._once(part.timers())
        yield from self._once(part.effects())

    def _pattern(self) -> str:
        return f"{{{self.store.namespace}:*}}:" + (f"*{self.kind}*" if self.kind else "*")

    def _once(self, findings: Iterator[Finding]) -> Iterator[Finding]:
        """A key that moves while keys are listed may come twice."""
        for finding in findings:
            told = (finding.subject, finding.code, finding.detail)
            if told not in self._said:
                self._said.add(told)
                yield finding

    def _wants(self, address: str) -> bool:
        return not self.kind or address.partition("/")[0] == self.kind

    # -- keys ------------------------------------------------------------------------------------

    def _strangers(self) -> Iterator[Finding]:
        """Keys of the namespace itself that nobody knows."""
        prefix = f"{self.store.namespace}:"
        for page in keys_like(self.store.redis, f"{prefix}*"):
            for text in page:
                if not is_of_namespace(text.removeprefix(prefix)):
                    yield _stranger(text)

    def _page(self, names: Sequence[KeyName]) -> Iterator[Finding]:
        yield from self._others([name for name in names if name.group not in {"entity", "log"}])
        hashes = [name for name in names if name.group == "entity"]
        found = hashes + self._without_hash([name for name in names if name.group == "log"])
        places = [Place(name.rest[0], name.rest[1], name.partition) for name in found]
        rest = (place for place in places if self._wants(place.address))
        while batch := list(islice(rest, TOGETHER)):
            yield from self._entities(batch)
            if self.progress is not None:
                self.progress(self.entities)

    def _without_hash(self, logs: Sequence[KeyName]) -> list[KeyName]:
        pipe = self.store.redis.pipeline(transaction=False)
        for name in logs:
            pipe.exists(name.text.removesuffix(":log"))
        with reaching():
            found = zip(logs, pipe.execute(), strict=True)
        return [name for name, exists in found if not exists]

    def _others(self, names: Sequence[KeyName]) -> Iterator[Finding]:
        """Whatever is neither a hash nor a log."""
        right: list[KeyName] = []
        for name, type_ in zip(names, self._types(names), strict=True):
            if type_ == name.type:
                right.append(name)
            elif type_ != "none" and not self.kind:  # it is there still
                known = bool(name.group)
                yield wrong_type(name.text, type_, name.type) if known else _stranger(name.text)
        for name in right:
            if name.group == "index" and self._wants(f"{name.rest[0]}/"):
                yield from self._index(name)
        if not self.kind:
            yield from self._strings([n for n in right if n.group in {"result", "idem"}])
            yield from self._lists([n for n in right if n.group == "held" and n.rest])

    def _types(self, names: Sequence[KeyName]) -> list[str]:
        pipe = self.store.redis.pipeline(transaction=False)
        for name in names:
            pipe.type(name.text)
        with reaching():
            return [found.decode() for found in pipe.execute()]

    # -- entities --------------------------------------------------------------------------------

    def _entities(self, places: Sequence[Place]) -> Iterator[Finding]:
        left = list(places)
        for _ in range(TRIES):
            cases = read_cases(self.store, self.registry, left)
            for case in cases:
                if not case.moved:
                    self.entities += case.stored.exists
                    self.events += case.told.version if case.told else 0
                    yield from check(case)
            left = [case.place for case in cases if case.moved]
            if not left:
                return
        # Whatever changes as often as that was stored a moment ago, all of it in one step.
        self.entities += len(left)

    def _index(self, name: KeyName) -> Iterator[Finding]:
        """Entries of an index that reading an entity does not show."""
        kind, status = name.rest[0], ":".join(name.rest[1:])
        spec = self.registry.kinds.get(kind)
        odd = spec is None or (bool(status) and status not in statuses(spec))
        why = "which nobody has" if odd else "and does not exist"
        said = f"is in index {':'.join(name.rest)}, {why}"
        for page in members(self.store.redis, name.text):
            keys = list(page)
            for key in keys if odd else self._without_entity(name.partition, kind, keys):
                address = f"{kind}/{key}"
                extra = Extra(statuses=frozenset({status}))
                cure = OfEntity(address, extra) if self._is_home(name, address) else None
                yield Finding(address, "index-stale", said, page[key], None, cure)

    def _is_home(self, name: KeyName, address: str) -> bool:
        can_exist = self.registry.can_exist(address)
        return can_exist and self.registry.partition_of(address) == name.partition

    def _without_entity(self, partition: int, kind: str, keys: Sequence[str]) -> list[str]:
        own = self.store.keys.partition(partition)
        pipe = self.store.redis.pipeline(transaction=False)
        for key in keys:
            pipe.exists(own.entity(kind, key), own.log(kind, key))
        with reaching():
            found = zip(keys, pipe.execute(), strict=True)
        return [key for key, count in found if not count]

    # -- the rest of a partition -----------------------------------------------------------------

    def _part(self, number: int) -> Iterator[Finding]:
        part = PartChecks(self.store, self.registry, number, self._wants)
        wrong = list(part.wrong_types())
        names = {finding.subject.rpartition(":")[2] for finding in wrong}
        if not names & {"timers", "timer"}:
            yield from part.timers()
        if not names & {"effects", "effect", "parked", "attempt"}:
            yield from part.effects()
        if not self.kind and not names & {"meta", "counters", "attention", "held"}:
            marks = list(part.marks())
            yield from marks
            yield from () if marks else part.held()

    def _strings(self, names: Sequence[KeyName]) -> Iterator[Finding]:
        """Results and idempotency keys: `send` and `read_result` rely on their form."""
        pipe = self.store.redis.pipeline(transaction=False)
        for name in names:
            pipe.get(name.text)
        with reaching():
            found = zip(names, pipe.execute(raise_on_error=False), strict=True)
        for name, value in found:
            if value is None or isinstance(value, ResponseError):
                continue
            if not (_is_result(value) if name.group == "result" else _is_idem(value)):
                said = f"is no {name.group}: DEL lets its command be sent once more"
                yield Finding(f"key {name.text}", name.group, said, value.decode(errors="replace"))

    def _lists(self, names: Sequence[KeyName]) -> Iterator[Finding]:
        """Messages that are held back for entities of which nobody knows that they wait."""
        for name in names:
            address = "/".join(name.rest)
            held = self.store.keys.partition(name.partition).held
            pipe = self.store.redis.pipeline(transaction=True)
            pipe.zscore(held, address)
            pipe.exists(name.text)
            with reaching():
                since, exists = pipe.execute(raise_on_error=False)
            if since is None and exists:
                said = f"has messages that are held back for ever: ZADD {held} <ms> {address}"
                yield Finding(address, "held-lost", said)


def _stranger(key: str) -> Finding:
    return Finding(f"key {key}", "key-unknown", "nobody knows this key")


def _is_result(value: bytes) -> bool:
    try:
        return read_result(value).status in {"pending", "done", "rejected", "dead"}
    except (Invalid, ValueError):
        return False


def _is_idem(value: bytes) -> bool:
    fingerprint, space, id_ = value.partition(b" ")
    return bool(fingerprint and space and id_)
