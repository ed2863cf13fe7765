"""Asking before something is lost: on a terminal; elsewhere `--yes` has to say it."""

import os
import sys
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from wherry.cli.failure import Failed, usage
from wherry.cli.options import Flag


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Whether to ask, and whether to do it at all."""

    yes: Annotated[bool, Flag, Parameter(name=["--yes", "-y"], help="Do not ask.")] = False
    dry_run: Annotated[bool, Flag, Parameter(help="Only say what would be done.")] = False


ASK = Consent()


def confirmed(question: str, subject: str, consent: Consent, looks: str = "--dry-run") -> None:
    """Return when somebody agrees. Raises Failed otherwise; `looks` is the flag that only looks."""
    if consent.yes:
        return
    somebody = sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")
    if not somebody:
        raise usage(subject, "nobody is here to be asked", f"the same with --yes, or with {looks}")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Failed(1, subject, "nothing was done", "")
