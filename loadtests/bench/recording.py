"""Records every call that a process makes, with its time, so that it can be replayed in order."""

import pickle
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wherry.engine.changes import Changes
from wherry.store import link
from wherry.store.calls import FunctionCall
from wherry.store.client import Committed, Store
from wherry.store.link import Link

Words = list[Any]


def record_calls(file: Path) -> None:
    """From now on, append each call that this process makes to a file of its own.

    The time is taken before a call is sent: what follows from a call was sent after it. Turns that
    were refused are left out, since they stored nothing.
    """
    out = file.open("ab")
    plain, plainly_commit = FunctionCall.words, Store.commit_each
    commits: list[tuple[int, Words]] = []

    def recorded(call: FunctionCall, namespace: str) -> Words:
        words = plain(call, namespace)
        entry = (time.monotonic_ns(), words)
        if call.verb == "commit":
            commits.append(entry)
        else:
            pickle.dump(entry, out)
            out.flush()
        return words

    def commit_each(store: Store, many: Iterable[Changes], **options: int) -> list[Any]:
        commits.clear()
        found = plainly_commit(store, many, **options)
        for entry, said in zip(commits, found, strict=True):
            if isinstance(said, Committed):
                pickle.dump(entry, out)
        out.flush()
        return found

    FunctionCall.words = recorded  # type: ignore[method-assign, assignment]
    Store.commit_each = commit_each  # type: ignore[method-assign, assignment]


def record_calls_of_runners(file: Path) -> None:
    """The same for a runner, which makes its calls through a link, many in one round trip.

    Its `take` has the time of its answer: what it found there had been stored before that.
    """
    out = file.open("ab")
    plain = Link.run

    async def recorded(self: Link, many: Sequence[link.Words]) -> list[Any]:
        sent = time.monotonic_ns()
        found = await plain(self, many)
        answered = time.monotonic_ns()
        for words in many:
            if words[0] == "FCALL":
                pickle.dump((answered if verb_of(words) == "take" else sent, list(words)), out)
        out.flush()
        return found

    Link.run = recorded  # type: ignore[method-assign]


def verb_of(words: Sequence[Any]) -> str:
    """What a recorded call does: commit, send, take, ..."""
    return str(words[1]).partition("_")[2]


@contextmanager
def recording(file: Path) -> Iterator[None]:
    """Record the calls of this process for a while."""
    plain, plainly_commit = FunctionCall.words, Store.commit_each
    record_calls(file)
    try:
        yield
    finally:
        FunctionCall.words = plain  # type: ignore[method-assign]
        Store.commit_each = plainly_commit  # type: ignore[method-assign]


def recorded_calls(files: Sequence[Path]) -> list[Words]:
    """All calls of all processes in the order in which they were sent."""
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
