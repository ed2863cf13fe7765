"""The supervisor of a turn: which entities are stopped, and what follows when a handler raised."""

from dataclasses import dataclass

from wherry.codec import to_json
from wherry.engine.changes import Changes
from wherry.engine.envelope import Envelope
from wherry.engine.record import Record
from wherry.engine.registry import Registry
from wherry.engine.supervision import Attention, is_over, judge


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Keeps `attention` as it will be when the turn is stored, and notes what it changed."""

    registry: Registry
    changes: Changes
    attention: dict[str, Attention]
    code: str

    def has_stopped(self, address: str) -> bool:
        """Whether an entity takes no messages."""
        found = self.attention.get(address)
        return found is not None and found.stopped

    def failed(self, record: Record, envelope: Envelope, error: Exception, said: str) -> str:
        """Decide about an error that a handler raised, and remember it. Returns the directive."""
        address, kind = record.address, record.spec.name
        failed = Attention(
            stopped_at=self.changes.now_ms, error=said, command=envelope.type,
            command_id=envelope.id, version=record.version, code=self.code,
        )  # fmt: skip
        verdict = judge(record.spec.supervision, error, self.attention.get(address), failed)
        self.changes.counters[f"supervised:{kind}:{verdict.directive}"] += 1
        if verdict.attention is not None:
            self.attention[address] = verdict.attention
            self.changes.attention[address] = to_json(verdict.attention)
        return verdict.directive

    def restarted(self, address: str) -> None:
        """An operator let an entity go on: what it did is forgotten."""
        if self.attention.pop(address, None) is not None:
            self.changes.attention[address] = b""

    def forget_old_restarts(self) -> None:
        """What is out of its window does not count any more."""
        for address, kept in list(self.attention.items()):
            kind = self.registry.kinds.get(address.partition("/")[0])
            if kind and is_over(kind.supervision, kept, self.changes.now_ms):
                self.restarted(address)
