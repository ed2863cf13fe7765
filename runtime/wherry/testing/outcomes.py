"""What a test says became of an ask: a reply, a rejection, or one of these."""

from dataclasses import dataclass
from typing import Any

import msgspec

from wherry.authoring.messages import reply_type
from wherry.codec import codec_of
from wherry.engine.envelope import Answer, Problem
from wherry.errors import Rejected


@dataclass(frozen=True, slots=True)
class Failed:
    """An ask that failed: nothing was done."""

    code: str = "handler-failed"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """An effect that may have been done."""

    code: str = "outcome-unknown"
    detail: str = ""


def answer_to(command: type[Any], outcome: Any, carry: str = "", tag: str = "") -> Answer:
    """The answer to an ask: `outcome` is a reply, `Rejected(code)`, `Failed()` or `Unknown()`."""
    name = command.__name__
    tag = tag or name
    match outcome:
        case Rejected():
            problem = Problem(outcome.code, outcome.detail, outcome.data)
            return Answer(name, tag, "rejected", problem=problem, carry=carry)
        case Failed() | Unknown():
            problem = Problem(outcome.code, outcome.detail)
            return Answer(name, tag, type(outcome).__name__.lower(), problem=problem, carry=carry)
        case _:
            reply = msgspec.Raw(codec_of(reply_type(command)).encode(outcome))
            return Answer(name, tag, "done", reply, carry=carry)
