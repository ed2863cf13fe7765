"""`wherry fsck`: does all that is stored agree with the logs, and what mends it?"""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from wherry.cli.consent import ASK, Consent, confirmed
from wherry.cli.failure import INTERNAL, Failed, warn
from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.progress import progress
from wherry.cli.session import Session, session

if TYPE_CHECKING:
    from wherry.gateway.fsck import Report

_FINDING = ("subject", "code", "detail", "repairable")
_MENDED = ("subject", "code", "detail", "repaired")

Target = Annotated[
    str, Parameter(name="KIND|ENTITY", help="Only this kind or entity.", show_default=False)
]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(fsck, group=OPERATE)


def fsck(
    target: Target = "",
    /,
    *,
    repair: Annotated[bool, Flag, Parameter(help="Mend what follows from the logs.")] = False,
    consent: Consent = ASK,
    common: Common = NOTHING,
) -> int:
    """Build states, pools, indexes and timers anew from the logs, and report what differs.

    Everybody may go on meanwhile. Exit code 1 when something is wrong, and was not mended.
    """
    from wherry.gateway.fsck import audit, mend, require_current
    from wherry.wiring import is_current

    subject = f"fsck {target}".rstrip()
    with session(common, subject, "wherry doctor") as s:
        if repair:
            require_current(s.runtime)
        elif not is_current(s.runtime):
            warn(
                "the bundles here are not those that are deployed: what differs may be their doing"
            )
        with progress("fsck") as tell:
            report = audit(s.runtime, target, lambda n: tell(n, None, ""))
        if repair and report.repairable and not consent.dry_run:
            count = len(report.repairable)
            confirmed(f"Mend {count} of {len(report.findings)} findings?", subject, consent)
            report = mend(s.runtime, report)
        _print(s, report)
        _require_clean(subject, target, report)
    return 0


def _print(s: Session, report: "Report") -> None:
    shown = report.shown()
    if s.out.format == "table" and report.findings:
        s.out.rows(shown.pop("findings"), _MENDED if report.mended else _FINDING)
    if s.out.format == "jsonl":
        s.out.rows(shown["findings"], _FINDING)
    else:
        s.out.one(shown)


def _require_clean(subject: str, target: str, report: "Report") -> None:
    """Raises Failed while something is wrong."""
    if report.clean:
        return
    left = len(report.findings) - report.repaired
    again = f"wherry fsck {target} --repair".replace("  ", " ")
    look = "wherry events KIND/KEY    # what a repair cannot mend is for a person"
    next_step = again if report.repairable and not report.mended else look
    raise Failed(INTERNAL, subject, f"{left} findings", next_step)
