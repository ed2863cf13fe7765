"""`wherry dead`: messages that could not be handled."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from wherry.cli.consent import ASK, Consent, confirmed
from wherry.cli.failure import usage
from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.read import Limit
from wherry.cli.session import Session, session

if TYPE_CHECKING:
    from wherry.gateway.dead import Verb, Wanted

_LETTER = ("id", "at", "entity", "type", "code", "command_id")
_DONE = ("id", "status", "command_id", "detail")

Force = Annotated[
    bool, Flag, Parameter(help="Also what a saga has given up; it will not know of it.")
]
Letter = Annotated[str | None, Parameter(name="ID")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which dead letters."""

    entity: Annotated[
        str, Parameter(help="Those of this entity: kind/key.", show_default=False)
    ] = ""
    code: Annotated[str, Parameter(help="Those with this code.", show_default=False)] = ""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Many(Filter):
    """Which dead letters, when it is not one."""

    every: Annotated[bool, Flag, Parameter(name="--all", help="Every one of them.")] = False


_ALL = Filter()
_ONE = Many()


def add_to(app: App) -> None:
    """Register the commands."""
    group = App(name="dead", help="Messages that could not be handled: look, retry, drop.")
    group.group = (OPERATE,)
    group.command(list_, name="list")
    for command in (show, retry, drop):
        group.command(command)
    app.command(group)


def list_(*, chosen: Filter = _ALL, limit: Limit = 100, common: Common = NOTHING) -> int:
    """List the dead letters, the newest first."""
    with session(common, "dead letters", "wherry doctor") as s:
        s.out.page(s.dead.letters(limit, _wanted(chosen)), "items", _LETTER)
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
    many: Many = _ONE,
    force: Force = False,
    consent: Consent = ASK,
    common: Common = NOTHING,
) -> int:
    """Send a dead letter's message again; or those of many, in the order in which they failed."""
    return _do("retry", letter, many, consent, common, force=force)


def drop(
    letter: Letter = None,
    /,
    *,
    many: Many = _ONE,
    consent: Consent = ASK,
    common: Common = NOTHING,
) -> int:
    """Forget a dead letter, or many, for good: their messages are lost."""
    return _do("drop", letter, many, consent, common)


def _do(
    verb: "Verb",
    letter: str | None,
    many: Many,
    consent: Consent,
    common: Common,
    *,
    force: bool = False,
) -> int:
    said = [letter is not None, many.every, bool(many.entity or many.code)]
    subject = f"dead {verb} {letter or ''}".rstrip()
    if sum(said) != 1:
        cause = "name one dead letter, or say --entity, --code or --all"
        raise usage(subject, cause, f"wherry dead {verb} --help")
    with session(common, subject, "wherry dead list") as s:
        if letter is None:
            _many(s, verb, many, consent, force=force)
        else:
            s.out.one(_one(s, verb, letter, consent, force=force))
    return 0


def _many(s: Session, verb: "Verb", many: Many, consent: Consent, *, force: bool) -> None:
    """The oldest first, so that messages to one entity come again in the order they had."""
    chosen = s.dead.oldest(_wanted(many))
    if chosen and not consent.dry_run:
        confirmed(f"{verb.capitalize()} {len(chosen)} dead letters?", f"dead {verb}", consent)
    done = s.dead.each(verb, chosen, dry_run=consent.dry_run, force=force)
    s.out.page({"items": done}, "items", _DONE)


def _one(s: Session, verb: "Verb", letter: str, consent: Consent, *, force: bool) -> dict[str, Any]:
    if consent.dry_run:
        return s.dead.each(verb, [s.dead.show(letter)], dry_run=True, force=force)[0]
    if verb == "retry":
        return s.dead.retry(letter, force=force)
    subject = f"dead letter {letter}"
    shown = s.dead.show(letter)
    confirmed(f"Drop {shown['type']} to {shown['entity']} for good?", subject, consent)
    return s.dead.drop(letter)


def _wanted(chosen: Filter) -> "Wanted":
    from wherry.gateway.dead import Wanted

    return Wanted(chosen.entity, chosen.code)
