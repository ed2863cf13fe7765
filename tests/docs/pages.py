"""The pages of the documentation: which there are, and what is fenced in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"\A# (?P<path>[\w./-]+\.py)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `path` is the file that its first line names, if it does."""

    language: str
    text: str
    line: int

    @property
    def path(self) -> str:
        """`functions/lending/book.py`, or empty."""
        found = _FILE.match(self.text)
        return found["path"] if found else ""


def pages() -> list[Path]:
    """Every page of the documentation."""
    others = [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md")]
    return [README, *others, *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path, language: str) -> list[Block]:
    """The fenced blocks of one language."""
    return [block for block in _blocks(page.read_text("utf-8")) if block.language == language]


def without_blocks(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)


def name(page: Path) -> str:
    """A page's path, for the name of a test."""
    return str(page.relative_to(ROOT))


def _blocks(text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 2
        yield Block(found["language"], found["text"], line)
