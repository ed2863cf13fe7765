"""What the documentation shows works: its Python runs, its commands exist, its links lead on."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from tests.docs.pages import DOCS, README, ROOT, blocks, name, pages, without_blocks
from wherry.cli.main import build

WITH_PYTHON = [page for page in pages() if blocks(page, "python")]
WITH_SHELL = [page for page in pages() if blocks(page, "sh")]

_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
_ANCHOR = re.compile(r'<a id="(?P<id>[\w-]+)">')

#: What belongs to one machine, or to nobody who reads the page.
_PRIVATE = re.compile(r"/work/|/tmp/|/home/\w|/root/|shared/[A-Z]+\.md")

#: Words that praise. Say what it does instead, with a number.
_HYPE = re.compile(
    r"\b(blazing\w*|seamless\w*|effortless\w*|robust|powerful|cutting-edge|world-class|simply"
    r"|state-of-the-art|best-in-class|rock-solid|battle-tested|game-chang\w*|lightning)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "runtime"), str(ROOT / "functions")])

    ran = subprocess.run(
        [sys.executable, "-m", "tests.docs.run_page", page, tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", [README, DOCS / "tutorial/index.md"], ids=name)
def test_the_types_of_a_page_are_right(page: Path, tmp_path: Path) -> None:
    files = [block for block in blocks(page, "python") if block.path.startswith("functions/")]
    for block in files:
        file = tmp_path / block.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")

    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--explicit-package-bases",
            "--config-file=",
            ".",
        ],
        cwd=tmp_path / "functions",
        env={**os.environ, "MYPYPATH": str(ROOT / "runtime")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", WITH_SHELL, ids=name)
def test_the_commands_of_a_page_exist_with_these_flags(page: Path) -> None:
    app = build()
    for block in blocks(page, "sh"):
        for words in _commands(block.text):
            if words[0] == "wherry":
                try:
                    app.parse_args(words[1:], exit_on_error=False, print_error=False)
                except CycloptsError as error:
                    pytest.fail(f"{name(page)}: {shlex.join(words)}: {error}")
            elif words[0] == "make":
                known = re.findall(
                    r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
                )
                assert words[1] in known, shlex.join(words)


@pytest.mark.parametrize("page", pages(), ids=name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for found in _LINK.finditer(without_blocks(page.read_text("utf-8"))):
        target, _, anchor = found["target"].partition("#")
        if ":" in target:
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{name(page)}: {found['target']}"
        assert not anchor or anchor in _anchors(there), f"{name(page)}: {found['target']}"


@pytest.mark.parametrize("page", pages(), ids=name)
def test_a_page_stands_alone_and_does_not_praise(page: Path) -> None:
    text = page.read_text("utf-8")

    assert _PRIVATE.findall(text) == []
    assert _HYPE.findall(text) == []


def test_every_page_can_be_reached_from_the_front_page() -> None:
    seen: set[Path] = set()
    todo = [README]
    while todo:
        page = todo.pop()
        seen.add(page)
        for found in _LINK.finditer(without_blocks(page.read_text("utf-8"))):
            target = (page.parent / found["target"].partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in seen:
                todo.append(target)

    assert set(DOCS.rglob("*.md")) - seen == set()


def _commands(text: str) -> list[list[str]]:
    """The commands of a shell block, each in words; what pipes and prompts add is left out."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [shlex.split(line, comments=True) for line in joined.splitlines()]
    found = []
    for words in lines:
        words = [*words]
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        ends = [i for i, word in enumerate(words) if word in {"|", ">", "&&", "&", "<"}]
        if words:
            found.append(words[: ends[0]] if ends else words)
    return found


def _anchors(page: Path) -> set[str]:
    text = page.read_text("utf-8")
    headings = (re.sub(r"[^\w\- ]", "", m["text"].lower()) for m in _HEADING.finditer(text))
    return {h.strip().replace(" ", "-") for h in headings} | set(_ANCHOR.findall(text))
