"""The pieces of an export: one JSON object a line. `p` is the partition that a piece comes from."""

import base64
import binascii

import msgspec


class Blob(msgspec.Struct, frozen=True):
    """Bytes that are no text."""

    base64: str


Text = str | Blob
Fields = dict[str, Text]


class Piece(msgspec.Struct, frozen=True, tag_field="is", forbid_unknown_fields=True):
    """Something that is stored."""


class Header(Piece, frozen=True, tag="header"):
    """What the file is.

    newest  the id that any inbox gave last; `epoch` is the highest one: ids are made of both
    """

    wherry: str
    format: int
    namespace: str
    partitions: int
    at: str
    newest: str
    epoch: int
    kind: str = ""
    version: str = ""
    bundles: str = ""


class Idem(Piece, frozen=True, tag="idem"):
    """An idempotency key: the digest, and fingerprint and id of its command."""

    p: int
    id: str
    value: Text
    expires_in: int | None


class Result(Piece, frozen=True, tag="result"):
    """What became of a command."""

    p: int
    id: str
    value: Text
    expires_in: int | None


class Message(Piece, frozen=True, tag="message"):
    """A message that waits in an inbox; they come in order."""

    p: int
    message: Text


class Timer(Piece, frozen=True, tag="timer"):
    """A message that is due at a time."""

    p: int
    id: str
    due: int
    message: Text


class Effect(Piece, frozen=True, tag="effect"):
    """A call to the outside world, with how far it is."""

    p: int
    id: str
    message: Text
    due: int | None
    parked: int | None
    attempt: Text | None


class Dead(Piece, frozen=True, tag="dead"):
    """A dead letter."""

    p: int
    fields: Fields


class Attention(Piece, frozen=True, tag="attention"):
    """What supervision remembers of an entity."""

    p: int
    entity: str
    value: Text


class Paused(Piece, frozen=True, tag="paused"):
    """A mark on an entity or a kind."""

    p: int
    what: str
    mark: Text


class Held(Piece, frozen=True, tag="held"):
    """Messages that are held back for an entity, in order; more of them may follow."""

    p: int
    entity: str
    since: int
    messages: list[Text]


class Counters(Piece, frozen=True, tag="counters"):
    """How often things happened in a partition."""

    p: int
    counters: dict[str, int]


class Entity(Piece, frozen=True, tag="entity"):
    """An entity's hash; its events follow."""

    p: int
    entity: str
    hash: Fields


class Events(Piece, frozen=True, tag="events"):
    """Events of an entity, with their ids; more of them may follow."""

    p: int
    entity: str
    events: list[tuple[str, Fields]]


class End(Piece, frozen=True, tag="end"):
    """The last line: what came before it, and its SHA-256."""

    lines: int
    entities: int
    events: int
    sha256: str


Stored = (
    Idem | Result | Message | Timer | Effect | Dead | Attention | Paused | Held | Counters
    | Entity | Events
)  # fmt: skip
AnyPiece = Header | Stored | End

read_piece = msgspec.json.Decoder(AnyPiece).decode


def text_of(value: bytes) -> Text:
    """Bytes as JSON has them."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return Blob(base64.b64encode(value).decode())


def bytes_of(text: Text) -> bytes:
    """The bytes again. Raises ValueError."""
    if isinstance(text, str):
        return text.encode()
    try:
        return base64.b64decode(text.base64, validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from None


def fields_of(found: dict[bytes, bytes]) -> Fields:
    """Fields of a hash or of an entry."""
    return {name.decode(errors="replace"): text_of(value) for name, value in found.items()}
