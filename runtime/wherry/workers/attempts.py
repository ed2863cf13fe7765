"""What follows from an attempt at a call: it has ended, it is made again, or a person decides.

Pure. What came of the attempt, the rule and what is remembered go in; what to do comes out. All
that is remembered between two attempts is a `Note`, which lies in Redis: any process can go on.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import msgspec

from wherry.authoring.effect import EffectRule, Retry
from wherry.codec import to_json
from wherry.engine.envelope import Problem

#: Codes of the problems that an answer may have; they are part of the interface.
FAILED = "effect-failed"
UNKNOWN = "outcome-unknown"


class Note(msgspec.Struct, omit_defaults=True, frozen=True):
    """What one attempt leaves for the next.

    first_ms  when it was first tried
    unknown   it may have been done
    asked     attempts at which the target was only asked, and did not answer
    parked    it has waited for a person: whoever finds this takes it on the person's word
    error     how the last attempt ended
    """

    first_ms: int = 0
    unknown: bool = False
    asked: int = 0
    parked: bool = False
    error: str = ""

    def json(self) -> bytes:
        """As it is stored."""
        return to_json(self)


_note = msgspec.json.Decoder(Note)


def read_note(stored: bytes) -> Note:
    """Read a note. One that cannot be read is no reason not to make the call."""
    try:
        return _note.decode(stored) if stored else Note()
    except msgspec.DecodeError:
        return Note()


# -- what can come of an attempt -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Replied:
    """It was done. The reply is JSON."""

    reply: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class NotDone:
    """It was certainly not done."""

    error: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may have been done."""

    error: str


@dataclass(frozen=True, slots=True)
class NotTold:
    """The target was asked what became of an earlier attempt, and did not say."""

    error: str


Came = Replied | Refused | NotDone | Unclear | NotTold


# -- what is done about it -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more is tried; who asked gets an answer."""

    status: Literal["done", "rejected", "failed", "unknown"]
    reply: bytes = b""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Repeat:
    """Another attempt is made when it is due. `counts` is false for one that was not begun."""

    due_ms: int
    note: Note
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Parked:
    """A person has to decide."""

    note: Note


Next = Ended | Repeat | Parked


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt at a call: its rule, what is remembered, and its number, from 1."""

    rule: EffectRule
    note: Note
    number: int

    @property
    def tries(self) -> int:
        """How often the function ran, this attempt included."""
        return self.number - self.note.asked


def how_to_begin(case: Case, now_ms: int) -> Literal["run", "ask", "stop", "park"]:
    """What an attempt has to begin with: earlier ones may have left the outcome open."""
    note, rule = case.note, case.rule
    if note.unknown and rule.unknown == "park" and not note.parked:
        return "park"
    if note.unknown and rule.unknown == "query":
        return "ask"
    return "run" if note.parked or may_run(case, now_ms) else "stop"


def may_run(case: Case, now_ms: int) -> bool:
    """Whether the function may run once more."""
    retry = case.rule.retry
    enough = retry.attempts > 0 and case.tries > retry.attempts
    return not enough and not _is_late(case, now_ms)


def what_follows(came: Came, case: Case, now_ms: int, chance: float) -> Next:
    """Decide. `chance` is a random number from 0 to 1, which shortens the pause."""
    match came:
        case Replied(reply):
            return Ended("done", reply)
        case Refused(problem):
            return Ended("rejected", problem=problem)
        case NotDone(error):
            return _after(_noted(case, error), now_ms, chance)
        case Unclear(error):
            return _after_unclear(_noted(case, error, unknown=True), now_ms, chance)
        case NotTold(error):
            return _after_silence(_noted(case, error, unknown=True), now_ms, chance)


def held_back(case: Case, until_ms: int) -> Repeat:
    """The attempt that a breaker did not allow is made later, but not much after its last time."""
    last = _last_ms(case)
    due = until_ms if last is None else min(until_ms, last + 1)
    return Repeat(due, case.note, counts=False)


def interrupted(case: Case, now_ms: int) -> Repeat:
    """The process had to end in the middle of an attempt: the next one goes on at once."""
    return Repeat(now_ms, cut_off(case.note, "its runner was stopped"))


def cut_off(note: Note, why: str) -> Note:
    """What an attempt leaves that did not come to its end: nobody knows if the call was made."""
    return msgspec.structs.replace(note, unknown=True, parked=False, error=why)


def left_to_a_person(note: Note) -> Note:
    """What is noted of a call that is parked."""
    return msgspec.structs.replace(note, parked=True)


def pause_ms(retry: Retry, number: int, chance: float) -> int:
    """How long to wait after attempt `number`."""
    first, most = _ms(retry.first), _ms(retry.most)
    grown = first * retry.factor ** min(number - 1, 64)
    return max(1, round(min(grown, most) * (1 - retry.jitter * chance)))


def _after(case: Case, now_ms: int, chance: float) -> Next:
    """Try again, if the rule allows another attempt."""
    retry = case.rule.retry
    due = now_ms + pause_ms(retry, case.number, chance)
    enough = retry.attempts > 0 and case.tries >= retry.attempts
    if enough or _is_late(case, due):
        return given_up(case)
    return Repeat(due, case.note)


def _after_unclear(case: Case, now_ms: int, chance: float) -> Next:
    match case.rule.unknown:
        case "retry":
            return _after(case, now_ms, chance)
        case "park":
            return Parked(left_to_a_person(case.note))
        case "query":
            # Whether or not there are attempts left: what became of this one has to be asked.
            return Repeat(now_ms + pause_ms(case.rule.retry, case.number, chance), case.note)


def _after_silence(case: Case, now_ms: int, chance: float) -> Next:
    """Ask again, as often as the call itself might be tried."""
    asked = Case(case.rule, _asked_once_more(case.note), case.number)
    retry = case.rule.retry
    due = now_ms + pause_ms(retry, case.number, chance)
    if (retry.attempts > 0 and asked.note.asked >= retry.attempts) or _is_late(case, due):
        return given_up(asked)
    return Repeat(due, asked.note)


def given_up(case: Case) -> Ended:
    """Nothing more is tried."""
    if case.note.unknown:
        return Ended("unknown", problem=Problem(UNKNOWN, case.note.error))
    return Ended("failed", problem=Problem(FAILED, case.note.error or "its time was over"))


def _noted(case: Case, error: str, *, unknown: bool = False) -> Case:
    """The case with what its attempt taught. What may have been done stays so."""
    note = msgspec.structs.replace(case.note, error=error, unknown=case.note.unknown or unknown)
    return Case(case.rule, note, case.number)


def _asked_once_more(note: Note) -> Note:
    return msgspec.structs.replace(note, asked=note.asked + 1)


def _is_late(case: Case, at_ms: int) -> bool:
    last = _last_ms(case)
    return last is not None and at_ms > last


def _last_ms(case: Case) -> int | None:
    """When the last attempt may begin; None when there is no such time."""
    within = case.rule.retry.within
    return None if within is None else case.note.first_ms + _ms(within)


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
