"""Every numbered promise of the reference applications is named by a test that keeps it.

A test names points at the start of its docstring, `V87 V88: what is so`, or in a marker's text.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
POINT = re.compile(r"\b[SV]\d+\b")

#: What each letter promises, and how many points it has.
PROMISES = {"S": range(1, 144), "V": range(1, 110)}


def each_test(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name.startswith("test_"):
                yield node
            case _:
                pass


def points_of(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    promised, colon, _ = (ast.get_docstring(test) or "").partition(":")
    if colon:
        yield from POINT.findall(promised)
    for marker in test.decorator_list:
        for part in ast.walk(marker):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from POINT.findall(part.value)


def named() -> dict[str, list[str]]:
    """The tests that name each point."""
    found: dict[str, list[str]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for test in each_test(file):
            for point in points_of(test):
                found.setdefault(point, []).append(f"{file.relative_to(TESTS)}::{test.name}")
    return found


@pytest.mark.parametrize("letter", PROMISES)
def test_each_point_is_named_by_a_test(letter: str) -> None:
    points = named()

    missing = [f"{letter}{n}" for n in PROMISES[letter] if f"{letter}{n}" not in points]

    assert missing == []


@pytest.mark.parametrize("letter", PROMISES)
def test_no_test_names_a_point_that_there_is_not(letter: str) -> None:
    known = {f"{letter}{n}" for n in PROMISES[letter]}

    assert {point for point in named() if point.startswith(letter)} <= known
