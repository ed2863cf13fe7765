"""`wherry dead`: messages that could not be handled."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from wherry.cli.consent import ASK, Consent, confirmed
from wherry.cli.failure import usage
from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.read import Limit
from wherry.cli.session import Session, session

_LETTER = ("id", "at", "entity", "type", "code", "command_id")
_DONE = ("id", "status", "command_id")

#: How many letters --all takes at most; the same again takes the next ones.
_MOST = 1000

Letter = Annotated[str | None, Parameter(name="ID")]
All = Annotated[bool, Flag, Parameter(name="--all", help="Every one of them.")]


def add_to(app: App) -> None:
    """Register the commands."""
    group = App(name="dead", help="Messages that could not be handled: look, retry, drop.")
    group.group = (OPERATE,)
    group.command(list_, name="list")
    for command in (show, retry, drop):
        group.command(command)
    app.command(group)


def list_(*, limit: Limit = 100, common: Common = NOTHING) -> int:
    """List the dead letters, the newest first."""
    with session(common, "dead letters", "wherry doctor") as s:
        s.out.page(s.dead.letters(limit), "items", _LETTER)
    return 0


def show(letter: Annotated[str, Parameter(name="ID")], /, *, common: Common = NOTHING) -> int:
    """Show a dead letter: the message, and why it could not be handled."""
    with session(common, f"dead letter {letter}", "wherry dead list") as s:
        s.out.one(s.dead.show(letter))
    return 0


def retry(
    letter: Letter = None,
    /,
    *,
    every: All = False,
    consent: Consent = ASK,
    common: Common = NOTHING,
) -> int:
    """Send a dead letter's message again, or those of all."""
    return _each("retry", letter, common, consent, every=every)


def drop(
    letter: Letter = None,
    /,
    *,
    every: All = False,
    consent: Consent = ASK,
    common: Common = NOTHING,
) -> int:
    """Forget a dead letter, or all of them."""
    return _each("drop", letter, common, consent, every=every)


def _each(verb: str, letter: str | None, common: Common, consent: Consent, *, every: bool) -> int:
    subject = f"dead {verb} {letter or '--all'}"
    if (letter is None) is not every:
        raise usage(subject, "name one dead letter, or say --all", f"wherry dead {verb} --help")
    with session(common, subject, "wherry dead list") as s:
        chosen = s.dead.letters(_MOST)["items"] if letter is None else [s.dead.show(letter)]
        if letter is None and chosen and not consent.dry_run:
            confirmed(f"{verb.capitalize()} {len(chosen)} dead letters?", subject, consent)
        done = [_do(s, verb, found, consent) for found in chosen]
        if letter is None:
            s.out.page({"items": done}, "items", _DONE)
        else:
            s.out.one(done[0])
    return 0


def _do(s: Session, verb: str, found: dict[str, Any], consent: Consent) -> dict[str, Any]:
    if consent.dry_run:
        return {"id": found["id"], "status": f"would {verb}", "command_id": found["command_id"]}
    return s.dead.retry(found["id"]) if verb == "retry" else s.dead.drop(found["id"])
