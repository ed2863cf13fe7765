"""Tables: what a terminal gets, and what it gets when it asked for plain text."""

from io import StringIO

import pytest

from wherry.cli.output import Output


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "escapes"), [("1", False), ("", True)])
def test_no_color_means_plain_text(
    monkeypatch: pytest.MonkeyPatch, no_color: str, escapes: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)

    Output("table").rows([{"key": "a"}], ["key"])
    Output("table").one({"key": "a"})

    assert ("\x1b" in terminal.getvalue()) is escapes
    assert "key" in terminal.getvalue()
