"""What each problem means, for the page that its `type` leads to."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """What happened, and what to do about it."""

    what: str
    remedy: str


_LOOK = "Look at `errors`: each names a place, as a JSON pointer, and what is wrong there."

TEXTS = {
    "malformed-json": Text(
        "The body is not JSON, is nested deeper than 32 levels, or has a name twice in one object.",
        "Send the fields of the command as one JSON object.",
    ),
    "malformed-request": Text(
        "What was sent is no HTTP/1.1 request.", "Use a client for HTTP; send one Content-Length."
    ),
    "head-too-large": Text(
        "Request line and headers have more than 64 KiB.", "Send less; data belongs into the body."
    ),
    "invalid": Text("A field, a query parameter or a header is not as it must be.", _LOOK),
    "unauthenticated": Text(
        "Here everybody has to say who they are, and what was sent opens nothing: it is missing,"
        " wrong, revoked or has expired. Which of these is not told.",
        "Send `Authorization: Bearer` with an API key (`wherry apikey create`) or with a token of"
        " the issuer that `oidc_issuer` names.",
    ),
    "forbidden": Text(
        "The caller lacks the role that this needs; `role` says which one. An attempt at what"
        " operators do is in the audit.",
        "Use a key or a token that has the role: read, invoke or operate.",
    ),
    "rate-limited": Text(
        "The caller sent more requests a second than `rate_limit` allows. Nothing was written.",
        "Wait as long as Retry-After says.",
    ),
    "issuer-unreachable": Text(
        "The keys of the issuer are not known, and it does not answer. Nothing was written.",
        "Try again; look at the issuer, at `oidc_issuer` and `oidc_jwks`, and at our log.",
    ),
    "not-found": Text(
        "There is no such kind, command, entity, saga, command id or dead letter.",
        "The detail names what there is. An entity exists after its first event.",
    ),
    "method-not-allowed": Text(
        "This path does not know the method.", "The header Allow names those it knows."
    ),
    "version-conflict": Text(
        "The entity is at another version than If-Match said.",
        "Read it again, decide again, then send with the new version.",
    ),
    "idempotency-key-reused": Text(
        "The Idempotency-Key came with another request before.",
        "Choose a new key for each new request.",
    ),
    "overloaded": Text(
        "Too many messages wait for this part of the namespace. Nothing was written.",
        "Wait as long as Retry-After says; start more workers if it lasts.",
    ),
    "paused": Text(
        "The namespace takes no commands now. Nothing was written.", "Send it again later."
    ),
    "redis-unreachable": Text(
        "Redis did not answer. Whether the command arrived is not known.",
        "Repeat it with the `idempotency_key` of the problem: it is applied once.",
    ),
    "misconfigured": Text(
        "Wherry is not set up rightly.", "Read the detail; `wherry doctor` tells more."
    ),
    "draining": Text(
        "This process stops. Nothing was written.", "Send it again; another process takes it."
    ),
    "body-too-large": Text(
        "The body has more than 1 MiB.", "Keep large data elsewhere, and send its name."
    ),
    "unsupported-media-type": Text("The body is not application/json.", "Set Content-Type."),
    "request-timeout": Text(
        "Head or body did not arrive in time. Nothing was written.", "Send it again."
    ),
    "cross-site": Text(
        "A browser says that a page of another site sent this. Nothing was written.",
        "Send commands from your own site, or from a program.",
    ),
    "too-many-streams": Text(
        "This process serves as many streams of events as it can.", "Come back later."
    ),
    "handler-failed": Text(
        "The code of the bundle raised an error. Nothing of the command is stored;"
        " it is kept as a dead letter.",
        "Correct the bundle, then retry the dead letter.",
    ),
    "entity-damaged": Text(
        "What is stored of the entity does not fit the code. Commands to it become dead letters.",
        "Deploy code that can fold its log, then retry the dead letters.",
    ),
    "entity-stopped": Text(
        "The code of the bundle raised an error, and its supervision stopped the entity."
        " Nothing of the command is stored.",
        "Look at `GET /v1/attention`, correct the cause, then restart the entity there.",
    ),
    "effect-running": Text(
        "A runner makes an attempt at the call just now; its outcome is not known.",
        "Look again when the attempt has ended.",
    ),
    "effect-failed": Text(
        "A call to an outside system was not done, and is not tried again.",
        "The detail says how the last attempt ended.",
    ),
    "outcome-unknown": Text(
        "A call to an outside system may have been done; nobody could find out.",
        "Ask the outside system, with the idempotency key of the call.",
    ),
    "cancelled": Text(
        "Somebody cancelled the saga; what was done is undone.", "Start another one."
    ),
    "killed": Text(
        "Somebody ended the saga at once; undos were sent and not waited for.",
        "Look at the entities that it had changed.",
    ),
    "step-timeout": Text(
        "A step did not answer in time; what was done is undone.", "Start another one."
    ),
    "deadline-passed": Text(
        "The saga took longer than it may; what was done is undone.",
        "Start another one, or give it more time in the bundle.",
    ),
    "undo-failed": Text(
        "An undo was refused, so the saga could not undo all.",
        "Look at its steps, and correct the entity by hand.",
    ),
    "saga-failed": Text(
        "The code of the saga raised an error; what was done is undone.",
        "Correct the bundle, then start another one.",
    ),
    "saga-exists": Text(
        "A saga of this id was started before.", "Look at it, or choose another id."
    ),
    "saga-not-started": Text(
        "The start of the saga was delayed, and its time has not come.",
        "Do it again when the saga runs.",
    ),
    "saga-ended": Text(
        "The saga has ended: it cannot be cancelled or killed, and there is no undo to try again.",
        "Look at its result.",
    ),
    "saga-running": Text(
        "The saga goes on by itself; only one that could not undo everything can be tried again.",
        "Ask `wherry why` what it waits for.",
    ),
    "step-given-up": Text(
        "The message was a step or an undo of a saga. The saga was told that it failed, and has"
        " gone on without it; nobody would look at what it does now. Nothing was sent.",
        "Drop the letter; or try the undos again with `wherry saga retry`; or say force=true.",
    ),
    "internal": Text(
        "A fault of the server, which has logged it.", "Report it, with the X-Correlation-ID."
    ),
}

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def of_domain(code: str) -> Text | None:
    """The text of a code that a bundle has made up; None when it cannot be one."""
    if not _CODE.fullmatch(code):
        return None
    return Text(
        "An entity rejected the command; nothing is stored. The code comes from the bundle.",
        "Read the detail of the problem, and the bundle's own documentation.",
    )
