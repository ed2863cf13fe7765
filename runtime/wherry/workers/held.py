"""A call that a runner holds: read from the store, made ready to be carried out and settled."""

import re
import traceback
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wherry.codec import to_json
from wherry.engine.envelope import (
    NOTHING,
    Envelope,
    answer_message,
    answer_of,
    read_envelope,
)
from wherry.engine.registry import Registry
from wherry.engine.saying import printable
from wherry.engine.specs import EffectSpec, TargetSpec
from wherry.errors import Invalid
from wherry.redaction import Redactor
from wherry.store.calls import Again, Back, Bury, Done, How, Park, Settling
from wherry.store.effects import TakenCall
from wherry.workers.attempts import (
    Case,
    Ended,
    Next,
    Note,
    Parked,
    Repeat,
    cut_off,
    left_to_a_person,
    read_note,
)

#: Upper bounds of the histograms of attempts, in microseconds.
BUCKETS_US = (
    1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
)  # fmt: skip

# The id of a call begins with the inbox entry that led to it, and that with a time.
_MADE_AT = re.compile(r"\d+-(?P<ms>\d{13})-\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Held:
    """One call, and the attempt at it that is ours. `n` is the proof that we have it.

    `lost` says that the runner before was lost; `before` is the case as it would be otherwise.
    """

    partition: int
    n: int
    envelope: Envelope
    target: TargetSpec
    spec: EffectSpec
    command: Any
    case: Case
    before: Case
    lost: bool = False
    redactor: Redactor = field(default_factory=Redactor)

    @property
    def id(self) -> str:
        """The id of the call; all attempts have the same."""
        return self.envelope.id

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.envelope.to.partition("/")[2]

    @property
    def limit_s(self) -> float:
        """How long one attempt may take."""
        return self.spec.rule.timeout.total_seconds()

    @property
    def headers(self) -> dict[str, str]:
        """What an attempt sends along."""
        trace = {"traceparent": self.envelope.trace} if self.envelope.trace else {}
        return {"Idempotency-Key": self.key, **trace}


@dataclass(frozen=True, slots=True)
class Unusable:
    """A call that this code cannot carry out: a person has to look at it."""

    partition: int
    id: str
    n: int
    note: Note
    why: str


def hold(registry: Registry, partition: int, taken: TakenCall, now_ms: int) -> Held | Unusable:
    """Make a call ready."""
    before = _remembered(taken, now_ms)
    note = cut_off(before, "its runner was lost") if taken.lost else before
    try:
        envelope = read_envelope(taken.envelope)
        name, target = envelope.type, registry.targets.get(envelope.to.partition("/")[0])
        if target is None or name not in target.effects:
            return Unusable(
                partition, taken.id, taken.n, note, f"{envelope.to} {name} is not deployed"
            )
        spec = target.effects[name]
        # A version of it that was deployed earlier may have had other fields.
        command = spec.codec.read(envelope.data, f"{envelope.to} {name}")
    except Invalid as error:
        return Unusable(partition, taken.id, taken.n, note, str(error))
    except Exception as error:  # noqa: BLE001 - the bundle's own checks may raise anything
        return Unusable(partition, taken.id, taken.n, note, said(error))
    return Held(
        partition, taken.n, envelope, target, spec, command, Case(spec.rule, note, taken.made),
        Case(spec.rule, before, taken.made), taken.lost, registry.redactor,
    )  # fmt: skip


def _remembered(taken: TakenCall, now_ms: int) -> Note:
    """What is known of earlier attempts. The time of a call begins with the first of them.

    Not before: calls that nobody could take for a while would be over before they were tried. If
    the first attempt cost its runner, it began with the call, so that the next ones end.
    """
    note = read_note(taken.note)
    if not note.first_ms:
        made_at = _MADE_AT.fullmatch(taken.id) if taken.lost else None
        first = min(int(made_at["ms"]), now_ms) if made_at else now_ms
        note = msgspec.structs.replace(note, first_ms=first)
    return note


# -- settling ------------------------------------------------------------------------------------


def settling(held: Held, then: Next, now_ms: int, took_us: int | None, code: str) -> Settling:
    """What to tell the store. `took_us` is None when nothing was tried."""
    how, word = _how(held, then, now_ms, code)
    counted = Counter(dict(_counted(held, word, took_us)))
    return Settling(held.partition, held.id, held.n, now_ms, how, counted)


def parking(call: Unusable, now_ms: int) -> Settling:
    """Tell the store that nobody can carry out a call."""
    note = left_to_a_person(msgspec.structs.replace(call.note, error=call.why))
    return Settling(call.partition, call.id, call.n, now_ms, Park(note.json()))


def putting_back(call: Unusable, now_ms: int) -> Settling:
    """Leave a call to those who have the code that is deployed."""
    how = Back(now_ms + 1_000, call.note.json())
    return Settling(call.partition, call.id, call.n, now_ms, how)


def _how(held: Held, then: Next, now_ms: int, code: str) -> tuple[How, str]:
    match then:
        case Repeat(due_ms, note, counts=True):
            return Again(due_ms, note.json()), "again"
        case Repeat(due_ms, note):
            return Back(due_ms, note.json()), "back"
        case Parked(note):
            return Park(note.json()), "parked"
        case Ended():
            return _end(held, then, now_ms, code), then.status


def _end(held: Held, ended: Ended, now_ms: int, code: str) -> How:
    """Whoever waits is told; of what nobody waits for, the failures are kept."""
    envelope = held.envelope
    if envelope.tag:
        return Done(to_json(answer(held, ended)))
    if ended.problem is None or ended.status == "rejected":
        return Done()
    return Bury(
        ["entity", envelope.to, "type", envelope.type, "id", envelope.id, "at", str(now_ms),
         "code", ended.problem.code, "error", ended.problem.detail, "version", code,
         "message", to_json(envelope)]
    )  # fmt: skip


def answer(held: Held, ended: Ended) -> Envelope:
    """The message that goes back to who asked."""
    asked = held.envelope
    reply = msgspec.Raw(ended.reply) if ended.reply else NOTHING
    body = answer_of(asked, ended.status, reply, ended.problem)
    return answer_message(asked, f"{asked.id}.answer", body)


def _counted(held: Held, word: str, took_us: int | None) -> Iterator[tuple[str, int]]:
    name = f"{held.target.name}:{held.spec.name}"
    yield f"effect:{name}:{word}", 1
    if took_us is not None:
        at = bisect_left(BUCKETS_US, took_us)
        yield f"effect_us:{name}", took_us
        yield f"effect_bucket:{name}:{BUCKETS_US[at] if at < len(BUCKETS_US) else 'inf'}", 1


# -- words ---------------------------------------------------------------------------------------


def said(error: BaseException) -> str:
    """An error of a bundle in one line that can be stored."""
    text = "".join(traceback.format_exception_only(error)).strip()
    return printable(text)[:1000]
