"""stdout: a table for people, JSON for programs. All else that a command says is on stderr."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from wherry.cli.options import Format
from wherry.cli.plain import printable

Row = dict[str, Any]

# A column whose cells are no longer is never broken into lines.
_SHORT = 40
# Nobody looks at a pipe: nothing in it has to be broken into lines.
_ENDLESS = 10_000


class Output:
    """Prints data in one format: the one that was asked for, or what suits who reads."""

    def __init__(self, wanted: Format | None) -> None:
        self.format: Format = wanted or ("table" if sys.stdout.isatty() else "json")
        self.asked = wanted is not None

    def one(self, value: Row) -> None:
        """Print one thing."""
        if self.format == "table":
            _print_pairs(_plain(value))
        else:
            self._json(value)

    def page(self, value: Row, items: str, columns: Sequence[str]) -> None:
        """Print a page of a list: the whole document, or its items, one a line."""
        if self.format == "json":
            self._json(value)
        else:
            self.rows(value[items], columns)

    def rows(self, rows: Sequence[Row], columns: Sequence[str]) -> None:
        """Print things of one kind."""
        match self.format:
            case "table":
                _print_table([_plain(row) for row in rows], columns)
            case "json":
                self._json(list(rows))
            case "jsonl":
                self.stream(rows, columns)

    def stream(self, rows: Iterable[Row], columns: Sequence[str]) -> None:
        """Print things as they come: one a line, in every format."""
        for row in rows:
            if self.format == "table":
                plain = _plain(row)
                line("  ".join(_cell(plain.get(column)) for column in columns))
            else:
                line(_encode(row))

    def _json(self, value: Any) -> None:
        line(_encode(value) if self.format == "jsonl" else _indented(value))


def line(text: str) -> None:
    """Print a line on stdout, at once: who reads may be waiting for it."""
    print(text, flush=True)  # noqa: T201


def one_line(value: Any) -> str:
    """A value as JSON, in one line."""
    return _encode(value)


def _encode(value: Any) -> str:
    from wherry.codec import to_json

    return to_json(value).decode()


def _indented(value: Any) -> str:
    import msgspec

    return msgspec.json.format(_encode(value), indent=2)


def _plain(value: Row) -> Row:
    """The value with ready-made JSON taken apart, so that it can be shown in cells."""
    import msgspec

    decoded = msgspec.json.decode(_encode(value))
    return decoded if isinstance(decoded, dict) else {"": decoded}


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case str():
            return printable(value)
        case bool():
            return str(value).lower()
        case dict() | list():
            return printable(_encode(value))
        case _:
            return str(value)


def _print_pairs(value: Row) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, part in _flat(value):
        table.add_row(_text(name), _text(_cell(part)))
    _console().print(table)


def _print_table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    for index, column in enumerate(columns):
        longest = max((len(row[index]) for row in cells), default=0)
        table.add_column(column, overflow="fold", no_wrap=longest <= _SHORT)
    for row in cells:
        table.add_row(*map(_text, row))
    _console().print(table)


def _flat(value: Row, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Objects as dotted names, a list of objects item by item: one line each."""
    for name, part in value.items():
        if isinstance(part, dict) and part:
            yield from _flat(part, f"{prefix}{name}.")
        elif isinstance(part, list) and part and all(isinstance(item, dict) for item in part):
            for index, item in enumerate(part):
                yield f"{prefix}{name}[{index}]", item
        else:
            yield f"{prefix}{name}", part


def _text(value: str) -> Any:
    """Text that rich takes as it is: brackets in data are not markup."""
    from rich.text import Text

    return Text(value)


def _console() -> Any:
    from rich.console import Console

    # Rich takes NO_COLOR at its word and keeps bold; who says it wants plain text.
    return Console(
        width=None if sys.stdout.isatty() else _ENDLESS,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
    )
