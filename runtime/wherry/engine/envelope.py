"""The envelope: how a message travels, in an inbox, a timer or a dead letter. Always JSON."""

from typing import Any

import msgspec

from wherry.codec import codec_of, to_json
from wherry.errors import Fault, Invalid

EMPTY = msgspec.Raw(b"{}")
#: No reply. Not None: msgspec reads no `Raw | None`.
NOTHING = msgspec.Raw(b"null")


class Envelope(msgspec.Struct, omit_defaults=True, rename={"sender": "from"}):
    """One message.

    id       unique; a repeated id is applied once
    to       address of the entity, `kind/key`
    type     name of the command
    data     its fields
    sender   address of the entity that sent it; empty when it came from outside
    tag      what the sender calls its ask; empty when it wants no answer
    carry    JSON that comes back with the answer
    reply    channel on which somebody outside waits for the result
    expect   version at which the entity must be
    corr     correlation id, when it is not the id
    cause    id of the message that led to this one
    trace    W3C traceparent
    """

    id: str
    to: str
    type: str
    data: msgspec.Raw = EMPTY
    sender: str = ""
    tag: str = ""
    carry: str = ""
    reply: str = ""
    expect: int | None = None
    corr: str = ""
    cause: str = ""
    trace: str = ""

    @property
    def correlation(self) -> str:
        """The id that all messages of one flow share."""
        return self.corr or self.id

    @property
    def from_outside(self) -> bool:
        """Whether a client sent it, so that the result is kept for reading."""
        return not self.sender


class Problem(msgspec.Struct, omit_defaults=True):
    """Why something did not happen: a stable code, a sentence, and values for programs."""

    code: str
    detail: str = ""
    data: dict[str, Any] = {}
    errors: list[dict[str, str]] = []
    saga_id: str = ""
    version: int | None = None


class Result(msgspec.Struct, omit_defaults=True):
    """What became of a command. `status` is pending, done, rejected or dead."""

    status: str
    command_id: str = ""
    entity: str = ""
    version: int = 0
    reply: msgspec.Raw = NOTHING
    problem: Problem | None = None


class Answer(msgspec.Struct, omit_defaults=True):
    """The data of an `Answer` message: the outcome of an ask.

    `status` is done, rejected or dead, as in Result; of an effect also failed or unknown.
    """

    asked: str
    tag: str
    status: str
    reply: msgspec.Raw = NOTHING
    problem: Problem | None = None
    carry: str = ""


PENDING = to_json(Result("pending"))
ANSWER = "Answer"

_envelope = msgspec.json.Decoder(Envelope)
_result = msgspec.json.Decoder(Result)


def read_envelope(data: bytes) -> Envelope:
    """Decode an envelope. Raises Invalid when it is not one."""
    try:
        return _envelope.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("envelope", [Fault("", str(error))]) from None


def read_result(data: bytes) -> Result:
    """Decode a stored result."""
    return _result.decode(data)


def answer_of(
    asked: Envelope, status: str, reply: msgspec.Raw = NOTHING, problem: Problem | None = None
) -> Answer:
    """The outcome of a message that is asked for."""
    return Answer(asked.type, asked.tag, status, reply, problem, asked.carry)


def answer_message(asked: Envelope, id_: str, answer: Answer) -> Envelope:
    """The message that takes an answer back to who asked."""
    return Envelope(
        id_, asked.sender, ANSWER, raw_body(answer), sender=asked.to, corr=asked.correlation,
        cause=asked.id, trace=asked.trace,
    )  # fmt: skip


def raw_body(body: Any) -> msgspec.Raw:
    """The JSON of a message's fields, or of any value, ready to travel."""
    return msgspec.Raw(codec_of(type(body)).encode(body))


def raw(value: Any) -> msgspec.Raw:
    """JSON that is ready to be put into a larger one."""
    return msgspec.Raw(to_json(value))
