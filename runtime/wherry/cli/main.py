"""The entry point: which commands there are, and what becomes of their errors."""

import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from cyclopts import App, CycloptsError

from wherry.cli import (
    api_keys,
    attention,
    audit,
    completion,
    dead,
    demo,
    deploy,
    diff,
    doctor,
    effects,
    fsck,
    init,
    keys,
    openapi,
    pauses,
    processes,
    queues,
    read,
    replay,
    sagas,
    send,
    system,
    top,
    transfer,
    whoami,
    why,
)
from wherry.cli.deeds import hear
from wherry.cli.failure import USAGE, Failed, crash, tell
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.output import Output, line

_BROKEN_PIPE = 128 + signal.SIGPIPE


def installed_version() -> str:
    """The version of this package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("wherry")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+checkout"


def build() -> App:
    """Put the commands together."""
    app = App(
        name="wherry",
        help="Event-sourced entities and sagas on the Redis or Valkey you already run.",
        version=installed_version,
        help_format="plaintext",
    )
    for group in (
        init, system, demo, send, read, diff, sagas, attention, effects, queues, pauses, why, dead,
        replay, fsck, keys, doctor, whoami, api_keys, audit, top, openapi, deploy, processes,
        transfer, completion,
    ):  # fmt: skip
        group.add_to(app)
    app.command(show_version, name="version", group=OPERATE)
    return app


def show_version(*, common: Common = NOTHING) -> int:
    """Print the version."""
    out = Output(common.output)
    if out.asked and out.format != "table":
        out.one({"version": installed_version()})
    else:
        line(installed_version())
    return 0


def main(words: Sequence[str] | None = None) -> None:
    """Run one command, and end the process with its exit code."""
    words = sys.argv[1:] if words is None else words
    if os.environ.get("CI"):
        os.environ.setdefault("NO_COLOR", "1")
    _speak_utf_8()
    sys.exit(_run(words))


def _speak_utf_8() -> None:
    """Data is UTF-8 wherever it goes; a terminal shows ? for a letter that it does not have."""
    out = sys.stdout
    if not isinstance(out, TextIOWrapper) or out.encoding.lower() == "utf-8":
        return
    if out.isatty():
        out.reconfigure(errors="replace")
    else:
        out.reconfigure(encoding="utf-8")


def _run(words: Sequence[str]) -> int:
    debug = "--debug" in words or bool(os.environ.get("WHERRY_DEBUG"))
    try:
        app = build()
        chain, _, rest = app.parse_commands(words)
        hear(chain, rest)
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        return _misused(error)
    except Failed as failure:
        return _failed(failure, debug=debug)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (BrokenPipeError, SystemExit) as ended:
        return _ended(ended)
    except Exception as error:  # noqa: BLE001  the last one who can turn it into words
        return crash(error, debug=debug)
    return code if isinstance(code, int) else 0


def _ended(ended: BrokenPipeError | SystemExit) -> int:
    """The exit code of a program that was ended from within."""
    # Rich makes an exit of a broken pipe, with 1, as if something had gone wrong.
    if isinstance(ended, BrokenPipeError) or isinstance(ended.__context__, BrokenPipeError):
        # Whoever read our output has enough. Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return ended.code if isinstance(ended.code, int) else 0


def _failed(failure: Failed, *, debug: bool) -> int:
    if debug and failure.__cause__ is not None:
        crash(failure.__cause__, debug=True)
    return tell(failure)


def _misused(error: CycloptsError) -> int:
    path = " ".join(("wherry", *(error.command_chain or ())))
    return tell(Failed(USAGE, path, str(error), f"{path} --help"))


if __name__ == "__main__":
    main()
