"""`wherry export` and `import`: a namespace as a file of JSON lines."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import App, Parameter

from wherry.cli.consent import ASK, Consent, confirmed
from wherry.cli.failure import INTERNAL, Failed, usage, warn
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.progress import progress
from wherry.cli.session import session

_STDIO = "-"
_REST = "wherry pause '*' --refuse; wherry pause '*'    # the same again, then: wherry resume '*'"

Target = Annotated[
    str, Parameter(name="FILE", allow_leading_hyphen=True, help="A new file; - is stdout.")
]
Source = Annotated[
    str,
    Parameter(name="FILE", allow_leading_hyphen=True, help="What was exported; - is stdin."),
]
Kind = Annotated[
    str, Parameter(help="Only the entities of this kind, and their timers.", show_default=False)
]


def add_to(app: App) -> None:
    """Register the commands."""
    app.command(export, group=OPERATE)
    app.command(import_, name="import", group=OPERATE)


def export(target: Target = _STDIO, /, *, kind: Kind = "", common: Common = NOTHING) -> int:
    """Write the namespace to a file: entities, messages under way, timers, calls, results.

    The copy is one of a single moment: if something is written meanwhile, it fails. For a
    namespace that is busy: wherry pause '*' --refuse; wherry pause '*'
    """
    from wherry.gateway.transfer import export as write
    from wherry.store.exporting import Disturbed

    subject = f"export {kind}".rstrip()
    with session(common, subject, "wherry doctor") as s:
        try:
            with _new_file(target, subject) as out, progress("export") as tell:
                shown = write(s.runtime, out, kind, lambda n, of: tell(n, of, ""))
        except Disturbed as error:
            cause = "something was written while the namespace was read"
            raise Failed(INTERNAL, subject, cause, _REST) from error
        if target != _STDIO:
            s.out.one({**shown, "file": target})
    return 0


def import_(source: Source, /, *, consent: Consent = ASK, common: Common = NOTHING) -> int:
    """Make an empty namespace what an export tells; it may have another number of partitions.

    All of the file is read before anything is written. The bundles have to be deployed.
    """
    from wherry.gateway.transfer import carry_out, plan, require_empty

    subject = f"import {source}"
    with session(common, subject, "wherry export FILE") as s, _old_file(source, subject) as file:
        with progress("check") as tell:
            made, shown = plan(s.runtime, file, lambda n, of: tell(n, of, ""))
        require_empty(s.runtime)
        if not consent.dry_run:
            question = f"Write {made.entities} entities into {s.runtime.namespace}?"
            confirmed(question, subject, consent)
            with progress("import") as tell:
                carry_out(s.runtime, s.pauses, file, made, lambda n, of: tell(n, of, ""))
        s.out.one({**shown, "imported": not consent.dry_run})
    return 0


@contextmanager
def _new_file(name: str, subject: str) -> Iterator[BinaryIO]:
    """A file that is there when all is written. Raises Failed when it exists already."""
    if name == _STDIO:
        yield sys.stdout.buffer
        return
    path = Path(name)
    if path.exists():
        raise usage(subject, f"{name} exists already", "the same with another name")
    try:
        descriptor, part = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    except OSError as error:
        raise usage(subject, f"{name}: {error.strerror}", "the same with another name") from error
    try:
        # Only its owner may read it: it has whatever customers have told.
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(part).rename(path)
    finally:
        Path(part).unlink(missing_ok=True)


@contextmanager
def _old_file(name: str, subject: str) -> Iterator[BinaryIO]:
    """A file that can be read twice."""
    if name == _STDIO:
        if sys.stdin.isatty():
            warn("reading an export from stdin")
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
            file.seek(0)
            yield file
        return
    path = Path(name)
    if not (path.is_file() and os.access(path, os.R_OK)):
        raise usage(subject, f"{name} is no file that can be read", "wherry export FILE")
    with path.open("rb") as file:
        yield file
