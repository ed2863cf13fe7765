"""From what a caller wrote to a command on its way. Pure: both the CLI and HTTP start here."""

import hashlib
import os
import re
from typing import Any

import msgspec

from wherry import tracing
from wherry.authoring.messages import KEY_PATTERN
from wherry.codec import Codec, to_json
from wherry.engine.envelope import EMPTY, Envelope
from wherry.engine.registry import Registry
from wherry.engine.saga import id_near
from wherry.engine.specs import CommandSpec
from wherry.engine.supervision import RESTART
from wherry.errors import Fault, Invalid, NotFound
from wherry.store.calls import Sending
from wherry.tracing import Span

#: An id or an idempotency key becomes part of a Redis key, so it has the form of an entity's key.
_ID = KEY_PATTERN
#: A due time has at most 15 digits in Lua; nobody waits that long.
LONGEST_DELAY_MS = 10 * 366 * 86_400_000
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Options(msgspec.Struct, frozen=True):
    """How a command is sent.

    id            of the command; made when empty
    key           idempotency key; a repeated one gets the first answer
    expect        version at which the entity must be
    delay_ms      how long to wait before it is handled
    correlation   id that all that follows from it shares
    trace         W3C traceparent
    reply         channel on which the sender waits
    backlog       how many messages may wait before it
    """

    id: str = ""
    key: str = ""
    expect: int | None = None
    delay_ms: int = 0
    correlation: str = ""
    trace: str = ""
    reply: str = ""
    backlog: int = 100_000


_PLAIN = Options()


class Request(msgspec.Struct, frozen=True):
    """A command that was checked: where it goes and what to look for afterwards.

    `key` is the idempotency key with which it can be repeated when its outcome is unknown.
    """

    entity: str
    sending: Sending
    key: str
    span: Span = msgspec.field(default_factory=Span)

    @property
    def command_id(self) -> str:
        """The id under which its result will be found."""
        return self.sending.id


def command(
    registry: Registry,
    address: str,
    name: str,
    body: Any,
    now_ms: int,
    options: Options = _PLAIN,
) -> Request:
    """Check a command and put it into an envelope. `body` is its fields as plain JSON values.

    Raises NotFound for an unknown kind, key or command and Invalid for wrong fields.
    """
    if not registry.can_exist(address):
        _explain(registry, address)
    spec = public_command(registry, address.partition("/")[0], name)
    return _request(registry, address, spec, body, now_ms, options)


def public_command(registry: Registry, kind: str, name: str) -> CommandSpec:
    """A command that anybody may send. Raises NotFound, also for one that only entities send."""
    spec = registry.command(kind, name)
    if spec.internal:
        raise NotFound(f"{name} comes only from other entities, sagas and timers")
    return spec


def restart(registry: Registry, address: str, now_ms: int, options: Options = _PLAIN) -> Request:
    """Let an entity that was stopped go on: a message as any other, only no bundle knows it.

    Raises NotFound for an address that cannot exist.
    """
    if not registry.can_exist(address):
        _explain(registry, address)
    return _message(registry, address, RESTART, EMPTY, now_ms, options)


def saga_start(
    registry: Registry,
    name: str,
    body: Any,
    now_ms: int,
    options: Options = _PLAIN,
    saga_id: str = "",
) -> Request:
    """Check a saga's input. The saga's id is the given one, the idempotency key's, or a new one.

    A saga of an id is started once; the same id with another input is KeyReused.
    """
    kind = f"saga.{name}"
    if kind not in registry.kinds:
        known = ", ".join(sorted(registry.app.sagas)) or "none"
        raise NotFound(f"no saga {name!r}; deployed are {known}")
    key = saga_id or (
        _saga_id_of(name, options.key) if options.key else _new_saga_id(registry, name, body)
    )
    if not KEY_PATTERN.fullmatch(key):
        raise Invalid("saga id", [Fault("/id", f"must match {KEY_PATTERN.pattern}")])
    spec = registry.command(kind, "Start")
    options = msgspec.structs.replace(options, id=key, key=options.key or saga_id)
    return _request(registry, f"{kind}/{key}", spec, body, now_ms, options)


def _new_saga_id(registry: Registry, name: str, body: Any) -> str:
    """An id that places a new saga where its author wants it."""
    saga = registry.app.sagas[name]
    if saga.near is None:
        return new_id()
    given = registry.command(saga.kind, "Start").codec.convert(body, f"saga {name}")
    return id_near(new_id(), saga.near(given))


def new_id() -> str:
    """An id for something that has none yet."""
    return os.urandom(16).hex()


def command_id_of(address: str, idempotency_key: str) -> str:
    """The id of the command that came with an idempotency key: other entities, other ids."""
    return _digest(address.encode(), idempotency_key.encode())


def fingerprint(address: str, name: str, body: bytes) -> str:
    """What makes two requests the same."""
    return _digest(address.encode(), name.encode(), body)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def _saga_id_of(name: str, idempotency_key: str) -> str:
    """The key itself when it can be an id: then people find the saga by it."""
    if _ID.fullmatch(idempotency_key):
        return idempotency_key
    return _digest(name.encode(), idempotency_key.encode())


def _request(
    registry: Registry, address: str, spec: CommandSpec, body: Any, now_ms: int, options: Options
) -> Request:
    data = _checked(spec.codec, body, f"{address} {spec.name}")
    return _message(registry, address, spec.name, data, now_ms, options)


def _message(
    registry: Registry, address: str, name: str, data: msgspec.Raw, now_ms: int, options: Options
) -> Request:
    _check_options(options)
    key = options.key or options.id or new_id()
    id_ = options.id or command_id_of(address, key)
    span = tracing.begin(
        f"send {name}", parent=options.trace, kind="producer", entity=address, command=name,
        command_id=id_,
    )  # fmt: skip
    envelope = Envelope(
        id_, address, name, data, reply=options.reply, expect=options.expect,
        corr=options.correlation, trace=span.traceparent,
    )  # fmt: skip
    return Request(
        address,
        Sending(
            registry.partition_of(address), to_json(envelope), id_, now_ms, options.backlog,
            idem=command_id_of(address, key) if options.key else "",
            fingerprint=fingerprint(address, name, bytes(data)) if options.key else "",
            due_ms=now_ms + options.delay_ms if options.delay_ms else None,
        ),
        key,
        span,
    )  # fmt: skip


def _checked(codec: Codec[Any], body: Any, subject: str) -> msgspec.Raw:
    """The command as it will be stored: checked, defaults filled in."""
    try:
        return msgspec.Raw(codec.encode(codec.convert(body, subject)))
    except (OverflowError, UnicodeEncodeError) as error:  # Python knows larger numbers than JSON
        raise Invalid(subject, [Fault("", str(error))]) from None


def _check_options(options: Options) -> None:
    if options.id and not _ID.fullmatch(options.id):
        raise Invalid("command id", [Fault("/id", f"must match {_ID.pattern}")])
    if not 0 <= options.delay_ms <= LONGEST_DELAY_MS:
        raise Invalid("delay", [Fault("", "is longer than ten years")])
    if len(options.key) > 256:
        raise Invalid("idempotency key", [Fault("", "is longer than 256 characters")])
    if options.trace and not _TRACEPARENT.fullmatch(options.trace):
        raise Invalid("traceparent", [Fault("", "is not a W3C traceparent")])
    if len(options.correlation) > 256:
        raise Invalid("correlation id", [Fault("", "is longer than 256 characters")])


def _explain(registry: Registry, address: str) -> None:
    kind, _, key = address.partition("/")
    registry.kind(kind)
    raise NotFound(f"{key!r} cannot be a key: it must match {KEY_PATTERN.pattern}")
