"""What an operator says of a call to the outside world: it was done, it was refused, it failed."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from wherry.codec import Codec, codec_of
from wherry.engine.envelope import NOTHING, Envelope, Problem
from wherry.engine.registry import Registry
from wherry.errors import Fault, Invalid, NotFound

FAILED = "effect-failed"

_SUBJECT = "resolution"
_Sentence = Annotated[str, msgspec.Meta(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A business no, as the outside system said it."""

    code: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
    detail: _Sentence = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call. `status` is done, rejected or failed."""

    status: str
    reply: msgspec.Raw
    problem: Problem | None = None


def read_outcome(registry: Registry, asked: Envelope, body: Any) -> Outcome:
    """Read `{"reply": ...}`, `{"rejected": {...}}` or `{"failed": "why"}`. Raises Invalid."""
    ways = ("reply", "rejected", "failed")
    if not isinstance(body, dict) or len(body) != 1 or not body.keys() <= set(ways):
        raise Invalid(_SUBJECT, [Fault("", f"an object with one of {', '.join(ways)}")])
    ((way, said),) = body.items()
    try:
        if way == "reply":
            codec = _codec(registry, asked)
            return Outcome("done", msgspec.Raw(codec.encode(codec.convert(said, _SUBJECT))))
        return _not_done(way, said)
    except Invalid as error:
        faults = [Fault(f"/{way}{fault.pointer}", fault.message) for fault in error.faults]
        raise Invalid(_SUBJECT, faults) from None
    except (OverflowError, UnicodeEncodeError) as error:  # Python knows more than JSON does
        raise Invalid(_SUBJECT, [Fault(f"/{way}", str(error))]) from None


def _not_done(way: str, said: Any) -> Outcome:
    if way == "failed":
        why = codec_of(_Sentence).convert(said, _SUBJECT)
        problem = Problem(FAILED, why)
    else:
        refusal: Refusal = codec_of(Refusal).convert(said, _SUBJECT)
        problem = Problem(refusal.code, refusal.detail, refusal.data)
    msgspec.json.encode(problem)
    return Outcome(way, NOTHING, problem)


def _codec(registry: Registry, asked: Envelope) -> Codec[Any]:
    """What checks the reply. Raises Invalid when the call is none of what is deployed."""
    target = asked.to.partition("/")[0]
    try:
        if target in registry.targets:
            return registry.effect(target, asked.type).reply
    except NotFound:
        pass
    text = f"{target} {asked.type} is not deployed, so that no reply to it can be checked"
    raise Invalid(_SUBJECT, [Fault("", text)])
