"""Records every call that a process makes, with its time, so that it can be replayed in order."""

import pickle
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wherry.store.calls import FunctionCall
from wherry.store.client import Store

Words = list[Any]


def record_calls(store: Store, file: Path) -> None:
    """From now on, append each call of this store to a file of our own."""
    out = file.open("ab")
    plain = store.call_many

    def recorded(many: Sequence[FunctionCall]) -> list[list[Any]]:
        replies = plain(many)
        at = time.monotonic_ns()
        for call in many:
            pickle.dump((at, call.words(store.namespace)), out)
        out.flush()
        return replies

    store.call_many = recorded  # type: ignore[method-assign]


def recorded_calls(files: Sequence[Path]) -> list[Words]:
    """All calls of all processes in the order in which they were answered."""
    calls = [entry for file in files for entry in _read(file)]
    return [words for _, words in sorted(calls, key=lambda entry: entry[0])]


def _read(file: Path) -> Iterator[tuple[int, Words]]:
    # The file is our own: written by this program, in a folder that only it knows.
    with file.open("rb") as stream:
        while True:
            try:
                yield pickle.load(stream)  # noqa: S301
            except EOFError:
                return
