"""The reference pages that are made from the code: `make docs` writes, a test compares them."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from inspect import getsource
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.docs.pages import DOCS
from wherry import settings
from wherry.cli.failure import warn
from wherry.cli.main import build
from wherry.settings import Settings
from wherry.store import library

_MADE = "<!-- Made by `make docs` from {}; do not edit. -->\n"


_LUA = """\
# Lua verbs

One Redis Function library a namespace, loaded by `wherry deploy`. A verb is called as
`FCALL <namespace>_<verb> <number of keys> <keys> <arguments>`; `wherry keys ENTITY` prints a
complete call of `send` to paste into redis-cli. Every key is passed in KEYS, and all keys of a
call but those of [the namespace itself](keys.md#keys-of-the-namespace) and inboxes of other
partitions share one hash tag.

The first word of an answer says what happened. A verb makes every check before it writes
([why](../adr/0002-checks-before-writes.md)). No verb reads the clock, makes an id or looks into
a payload: all three are arguments.

The library also holds the rules of the deployed bundles: the lifecycle and the pools of each
kind. `commit` checks them, so they hold for any client that can call it.
"""

_SETTINGS = """\
# Settings

The first that says something wins:

1. a flag of the command, where the command has it: `--redis-url`
2. the environment: `WHERRY_REDIS_URL`; an empty variable counts as none
3. `wherry.toml` in the current folder: `redis_url = "redis://127.0.0.1:6379/0"`
4. `[tool.wherry]` in `pyproject.toml` in the current folder
5. the default

`wherry doctor` prints each setting with its value and where that comes from. An unknown name in
a file, or a value that is not allowed, ends the command with a message that names both.
`WHERRY_REDIS_URL_FILE` names a file that holds the URL, so that a password need not be in the
environment; having both variables is an error.

When no `redis_url` is set, commands use the server that `wherry dev` or `wherry up` runs in this
folder (`.wherry/running.json`), with its settings.

A duration is a number of seconds, or `60s`, `1.5h`, `PT60S`.

| setting | default | allowed | meaning |
|---|---|---|---|
"""

_CLI = """\
# Command line

stdout is data; everything else is on stderr. `-o table` is for people, `-o json` prints one
document, `-o jsonl` one object a line; without it a terminal gets a table, anything else gets
JSON. The shapes are those of [HTTP](http.md). `NO_COLOR` and `CI` are honoured.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | internal error, or something that `doctor`, `fsck` or `replay` calls wrong |
| 2 | the command was not written rightly, or a field is invalid |
| 3 | rejected by the entity |
| 4 | not found |
| 5 | version conflict |
| 6 | no outcome yet when the wait ended |
| 7 | Redis cannot be reached |
| 8 | the saga was compensated or failed |
| 130, 143 | ended by Ctrl-C or SIGTERM; what runs until then (`up`, `worker`, ...) ends with 0 |

An error names its subject, the cause and the next command. What destroys or resends asks first;
`--yes` answers, `--dry-run` only says what would be done.

Every command also takes `--redis-url`, `--namespace`, `--functions`, `-o`/`--output` and
`--debug`, which shows where an error comes from.
"""


def lua_page() -> str:
    """Every verb of the library with the header that is its contract."""
    about = _LUA.rstrip()
    parts = [_MADE.format("lua/*.lua"), about, ""]
    for verb in library.verbs():
        header = library.source(verb).partition("--[[\n")[2].partition("]]")[0]
        parts += [f"## {verb}", "", "```text", header.rstrip(), "```", ""]
    return "\n".join(parts)


def settings_page() -> str:
    """Every setting with its meaning, default and allowed values."""
    about = _SETTINGS.rstrip()
    rows = [
        f"| `{f.name}` | {_default(f)} | {f.metadata['reader'].allowed} | {meaning} |"
        for f, meaning in zip(fields(Settings), _meanings(), strict=True)
    ]
    return "\n".join([_MADE.format("runtime/wherry/settings.py"), about, *rows, ""])


def cli_page() -> str:
    """The help of every command."""
    about = _CLI.rstrip()
    parts = [_MADE.format("runtime/wherry/cli"), about, ""]
    for words, app in _commands(build(), ()):
        parts += [f"## wherry {' '.join(words)}", "", "```text", _help(app, words), "```", ""]
    return "\n".join(parts)


GENERATED: dict[Path, Callable[[], str]] = {
    DOCS / "reference/lua.md": lua_page,
    DOCS / "reference/settings.md": settings_page,
    DOCS / "reference/cli.md": cli_page,
}


def main() -> None:
    """Write every page that is made from the code."""
    for page, make in GENERATED.items():
        page.write_text(make(), encoding="utf-8")
        warn(f"wrote {page}")


def _meanings() -> Iterator[str]:
    """The comments above the settings, which are their documentation."""
    source = getsource(settings.Settings)
    for found in re.finditer(
        r"((?:^    #: .*\n(?:^    # .*\n)*)+)^    (\w+):", source, re.MULTILINE
    ):
        yield " ".join(line.strip("# :\n") for line in found[1].strip().splitlines()).replace(
            "|", "/"
        )


def _default(field: Any) -> str:
    shown = field.metadata["reader"].show(field.default)
    return f"`{shown}`" if shown else "empty"


def _commands(app: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, by name."""
    for name in sorted(app):
        if name.startswith("-"):
            continue
        command = app[name]
        below = [n for n in command if not n.startswith("-")]
        if below:
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name), command


def _help(app: Any, words: tuple[str, ...]) -> str:
    """The help of one command, in 100 columns, without the flags that every command has."""
    text = io.StringIO()
    console = Console(
        file=text, width=100, color_system=None, force_terminal=False, legacy_windows=False
    )
    build().help_print(list(words), console=console)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    cut = next((i for i, line in enumerate(lines) if "Everywhere" in line), len(lines))
    return "\n".join(_plain(lines[:cut])).strip()


def _plain(lines: list[str]) -> Iterator[str]:
    """A panel's frame says nothing in a page: keep what is in it."""
    for line in lines:
        if line.startswith("╭"):
            yield ""
            yield line.strip("╭╮─ ")
        elif line.startswith("│"):
            yield "  " + line.strip("│").strip()
        elif not line.startswith("╰"):
            yield line


if __name__ == "__main__":
    main()
