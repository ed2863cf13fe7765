"""Export and import: a namespace as a file of JSON lines, and a namespace made of one."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from wherry.codec import to_json
from wherry.errors import Fault, Invalid, Misconfigured
from wherry.gateway import shapes
from wherry.gateway.fsck import require_current
from wherry.gateway.pauses import EVERYTHING, Pauses
from wherry.gateway.shapes import Json
from wherry.store import pieces
from wherry.store.exporting import Exporter, highest_epoch, newest_id, undisturbed
from wherry.store.importing import Importer, Plan, occupied_by
from wherry.store.pieces import AnyPiece, End, Header
from wherry.wiring import Runtime, deployment

FORMAT = 1
#: Why a namespace rests while it is written.
_WHY = "an import is being written"

#: Told how many entities there are so far, and of how many if that is known.
Progress = Callable[[int, int | None], None]


class Broken(Invalid):
    """A file that is no export, or not all of one."""

    def __init__(self, line: int, said: str) -> None:
        super().__init__("import", [Fault("", f"line {line}: {said}")])


@dataclass
class Counted:
    """What was read or written so far."""

    lines: int = 0
    entities: int = 0
    events: int = 0

    def count(self, piece: AnyPiece) -> None:
        """Count one line."""
        self.lines += 1
        self.entities += isinstance(piece, pieces.Entity)
        self.events += len(piece.events) if isinstance(piece, pieces.Events) else 0


def export(
    runtime: Runtime, out: BinaryIO, kind: str = "", progress: Progress | None = None
) -> Json:
    """Write a namespace, or the entities of a kind. Raises Disturbed, NotFound.

    A whole namespace is a copy of one moment: nothing may be written to it meanwhile. Of a kind,
    each entity is as it was when it was read.
    """
    if kind:
        runtime.registry.kind(kind)
    written = _Writer(out)
    quiet = undisturbed(runtime.redis, runtime.store, runtime.registry.partitions)
    with nullcontext() if kind else quiet:
        shown = _write_pieces(runtime, written, kind, progress)
    # The end comes last: a file of a copy that was disturbed has none.
    written.end()
    return shown


class _Writer:
    """Writes lines, and what they are in all."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self.counted = Counted()

    def write(self, piece: AnyPiece) -> None:
        """Write a line."""
        line = to_json(piece) + b"\n"
        self._digest.update(line)
        self._out.write(line)
        self.counted.count(piece)

    def end(self) -> None:
        """Write the last line."""
        counted = self.counted
        end = End(counted.lines, counted.entities, counted.events, self._digest.hexdigest())
        self._out.write(to_json(end) + b"\n")
        self._out.flush()


def _write_pieces(runtime: Runtime, written: _Writer, kind: str, progress: Progress | None) -> Json:
    store, partitions = runtime.store, runtime.registry.partitions
    known = deployment(store)
    written.write(
        Header(
            "export", FORMAT, runtime.namespace, partitions, shapes.instant(store.now_ms()),
            newest_id(store, partitions), highest_epoch(store, partitions), kind,
            known.get("version", ""), known.get("bundles", ""),
        )
    )  # fmt: skip
    counted = written.counted
    for piece in Exporter(store, runtime.registry, kind).everything():
        written.write(piece)
        if progress is not None and isinstance(piece, pieces.Entity):
            progress(counted.entities, None)
    return {
        "namespace": runtime.namespace, "kind": kind or None, "lines": counted.lines,
        "entities": counted.entities, "events": counted.events,
    }  # fmt: skip


# -- import ----------------------------------------------------------------------------------------


def plan(runtime: Runtime, file: BinaryIO, progress: Progress | None = None) -> tuple[Plan, Json]:
    """Read a whole file, and write nothing. Raises Invalid for one that cannot be imported."""
    require_current(runtime)
    if not deployment(runtime.store):
        raise Misconfigured(
            f"nothing is deployed in namespace {runtime.namespace!r}: run `wherry deploy`"
        )
    lines = _lines(file)
    header = next(lines)
    assert isinstance(header, Header)  # noqa: S101 - _lines says so
    made = Plan(runtime.registry, header)
    counted = 1
    for piece in lines:
        if not isinstance(piece, Header | End):
            made.take(piece)
            counted += 1
            if progress is not None and isinstance(piece, pieces.Entity):
                progress(made.entities, None)
    return made, {
        "namespace": runtime.namespace, "from": header.namespace, "kind": header.kind or None,
        "at": header.at, "partitions": runtime.registry.partitions,
        "from_partitions": header.partitions, "lines": counted, "entities": made.entities,
        "events": made.events,
    }  # fmt: skip


def require_empty(runtime: Runtime) -> None:
    """Raises Invalid when there is something in the namespace already."""
    if key := occupied_by(runtime.store, runtime.registry.partitions):
        said = f"namespace {runtime.namespace} is not empty: there is {key}; import into another"
        raise Invalid("import", [Fault("", said)])


def carry_out(
    runtime: Runtime, pauses: Pauses, file: BinaryIO, made: Plan, progress: Progress | None = None
) -> None:
    """Write a file that was read before into the namespace, which rests meanwhile.

    If it breaks off, the namespace goes on resting: half a copy must not begin to work.
    """
    marks = [row for row in pauses.listed()["items"] if row["what"] == EVERYTHING]
    # Those of an import that broke off are ours.
    rested = any(row["reason"] != _WHY for row in marks)
    pauses.pause(EVERYTHING, reason=_WHY)
    pauses.pause(EVERYTHING, reason=_WHY, refuse=True)
    try:
        require_empty(runtime)
    except Invalid:
        if not marks:
            pauses.resume(EVERYTHING)
        raise
    file.seek(0)
    importer = Importer(runtime.store, made)
    importer.begin()
    done = 0
    for piece in _lines(file):
        if not isinstance(piece, Header | End):
            importer.write(piece)
            done += isinstance(piece, pieces.Entity)
            if progress is not None and isinstance(piece, pieces.Entity):
                progress(done, made.entities)
    importer.end()
    if not rested:
        pauses.resume(EVERYTHING)


def _lines(file: BinaryIO) -> Iterator[AnyPiece]:
    """Every line of an export. Raises Broken unless it is all there, and as it was written."""
    digest, counted, piece = hashlib.sha256(), Counted(), None
    for number, line in enumerate(file, 1):
        if isinstance(piece, End):
            raise Broken(number, "comes after the end")
        piece = _piece(number, line)
        if (number == 1) is not isinstance(piece, Header):
            raise Broken(number, "is no header of an export" if number == 1 else "is a header")
        if isinstance(piece, Header) and piece.format != FORMAT:
            raise Broken(number, f"has format {piece.format}, this is {FORMAT}")
        if isinstance(piece, End):
            _require_all(number, piece, counted, digest.hexdigest())
        digest.update(line)
        counted.count(piece)
        yield piece
    if not isinstance(piece, End):
        raise Broken(counted.lines + 1, "the end is missing: the file is not complete")


def _piece(number: int, line: bytes) -> AnyPiece:
    if not line.endswith(b"\n"):
        raise Broken(number, "the end is missing: the file is not complete")
    try:
        piece: AnyPiece = pieces.read_piece(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(number, f"is no line of an export: {error}") from None
    return piece


def _require_all(number: int, end: End, counted: Counted, digest: str) -> None:
    told = (end.lines, end.entities, end.events)
    if told != (counted.lines, counted.entities, counted.events):
        raise Broken(number, f"{counted.lines} lines came before the end, {end.lines} were written")
    if end.sha256 != digest:
        raise Broken(number, "the file is not as it was written: its SHA-256 is another")
