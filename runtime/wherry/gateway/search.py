"""Search: whatever an id may be the id of."""

from collections.abc import Iterator

from wherry.authoring.messages import KEY_PATTERN
from wherry.engine.envelope import read_result
from wherry.errors import NotFound
from wherry.gateway import shapes
from wherry.gateway.dead import DeadLetters
from wherry.gateway.effects import Effects
from wherry.gateway.feed import Feed
from wherry.gateway.shapes import Json
from wherry.store.client import reaching
from wherry.wiring import Runtime

#: So many of the newest events are looked through for a correlation id; it has no index.
WINDOW = 20_000


class Search:
    """Finds entities, sagas, commands, dead letters, calls and flows."""

    def __init__(self, runtime: Runtime, dead: DeadLetters, effects: Effects) -> None:
        self._runtime = runtime
        self._dead = dead
        self._effects = effects
        self._feed = Feed(runtime)

    def of(self, text: str) -> Json:
        """Everything that a text may mean; and the newest events that belong to it."""
        text = text.strip()
        flow = self._feed.search(text, WINDOW) if text else {"items": [], "looked_at": 0}
        return {"query": text, "items": list(self._found(text)), "events": flow}

    def _found(self, text: str) -> Iterator[Json]:
        yield from self._entities(text)
        if KEY_PATTERN.fullmatch(text):
            yield from self._commands(text)
            yield from self._others(text)

    def _entities(self, text: str) -> Iterator[Json]:
        """Entities and sagas of an address, or of a key in any kind."""
        kinds = self._runtime.registry.kinds
        kind, slash, key = text.partition("/")
        names = [kind, f"saga.{kind}"] if slash else sorted(kinds)
        key = key if slash else text
        if not KEY_PATTERN.fullmatch(key):
            return
        candidates = [(name, key) for name in names if name in kinds]
        keys, place = self._runtime.store.keys, self._runtime.registry.partition_of
        with reaching():
            pipe = self._runtime.redis.pipeline(transaction=False)
            for name, its in candidates:
                pipe.hmget(
                    keys.partition(place(f"{name}/{its}")).entity(name, its), "version", "status"
                )
            found = pipe.execute()
        for (name, its), (version, status) in zip(candidates, found, strict=True):
            if version is not None:
                what = "saga" if name.startswith("saga.") else "entity"
                yield {
                    "what": what, "subject": f"{name}/{its}", "said": f"version {int(version)}",
                    "status": (status or b"").decode(),
                }  # fmt: skip

    def _commands(self, text: str) -> Iterator[Json]:
        """What became of a command from outside; its id does not say in which partition it is."""
        keys = self._runtime.store.keys
        with reaching():
            pipe = self._runtime.redis.pipeline(transaction=False)
            for number in range(self._runtime.registry.partitions):
                pipe.get(keys.partition(number).result(text))
            found = pipe.execute()
        for data in filter(None, found):
            result = read_result(data)
            shown = shapes.command_status(text, result)
            said = shown["problem"]["code"] if "problem" in shown else ""
            yield {
                "what": "command", "subject": text, "said": said, "status": result.status,
                "entity": result.entity or None, "command": shown,
            }  # fmt: skip

    def _others(self, text: str) -> Iterator[Json]:
        for what, show in (("dead-letter", self._dead.show), ("call", self._effects.show)):
            try:
                shown = show(text)
            except NotFound:
                continue
            said = shown.get("type") or shown.get("command") or ""
            status = shown.get("state") or "dead"
            yield {"what": what, "subject": text, "said": said, "status": status}
