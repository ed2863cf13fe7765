"""The code of bundles: imported from a folder, recognised by its content, kept for a way back.

A version is a digest of the files, and of our own Lua: two versions of Wherry whose scripts differ
must not work at the same time either. Processes run the version that is deployed, wherever on this
machine it lies: in the functions folder, or among the copies that `wherry deploy` keeps. Code is
never read from Redis: whoever can write there could run anything here.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

from wherry.authoring.app import App
from wherry.codec import forget_types
from wherry.errors import Misconfigured
from wherry.importing import forget, import_apps, look_first_in
from wherry.store import library

#: How many versions a machine keeps.
KEPT = 10


@dataclass(frozen=True)
class Bundles:
    """What a functions folder holds. `code` changes when any of its files does."""

    app: App
    names: tuple[str, ...]
    code: str
    folder: Path = Path()


@dataclass(frozen=True, slots=True)
class CodeFolders:
    """Where this machine may have code: the folder that people edit, and copies by version."""

    functions: Path
    copies: Path

    def find(self, version: str, names: Sequence[str]) -> Path | None:
        """The folder that holds these bundles in this version; None when there is none."""
        if not all(map(_is_plain, [version, *names])):  # Redis says them: they lead nowhere else
            return None
        for folder in (self.functions, self.copies / version):
            if _holds(folder, version, names):
                return folder
        return None

    def keep(self, bundles: Bundles) -> Path:
        """Keep a copy, and only so many. Raises OSError; Misconfigured if the files are others."""
        target = self.copies / bundles.code
        if not _holds(target, bundles.code, bundles.names):
            self.copies.mkdir(parents=True, exist_ok=True)
            _copy(bundles, target)
        os.utime(target)
        for old in sorted(self._kept(), key=lambda path: -path.stat().st_mtime_ns)[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def _kept(self) -> Iterator[Path]:
        return (path for path in self.copies.iterdir() if path.is_dir() and path.name[0] != ".")


def load_bundles(folder: Path, named: Sequence[str] = ()) -> Bundles:
    """Import every bundle of a folder, or those that are named: the packages that export `app`.

    Raises Misconfigured when there is none, or when one cannot be imported.
    """
    found = sorted(path.parent for path in folder.glob("*/__init__.py"))
    if missing := sorted(set(named) - {path.name for path in found}):
        known = ", ".join(path.name for path in found) or "none"
        raise Misconfigured(f"no bundle {', '.join(missing)} in {folder}; there are {known}")
    if named:
        found = [path for path in found if path.name in named]
    if not found:
        raise Misconfigured(
            f"no bundle in {folder}: each is a folder with __init__.py that exports `app`"
        )
    names = tuple(path.name for path in found)
    code = fingerprint(folder, names)
    apps = import_apps(folder, names)
    if fingerprint(folder, names) != code:
        forget(folder)
        raise Misconfigured(f"the files of {folder} changed while they were imported: once more")
    return Bundles(reduce(add, apps), names, code, folder)


def reload_bundles(old: Bundles, folder: Path, named: Sequence[str] = ()) -> Bundles:
    """Import bundles again, from the same folder or another one. What has the old ones keeps them.

    Raises Misconfigured; then the old ones are what is imported.
    """
    before = forget(old.folder)
    forget_types()
    try:
        return load_bundles(folder, named)
    except Misconfigured:
        forget(folder)
        look_first_in(old.folder, ())
        sys.modules.update(before)
        raise


def require_unchanged(bundles: Bundles, copy: Path | None = None) -> None:
    """Raises Misconfigured unless its files, or a copy of them, are what was imported."""
    if not _holds(copy or bundles.folder, bundles.code, bundles.names):
        raise Misconfigured(
            f"the files of {bundles.folder} have changed since they were imported: once more"
        )


def fingerprint(folder: Path, names: Iterable[str]) -> str:
    """Return 12 hex digits that change when any file of the bundles does, or our Lua library.

    Modules that lie beside the bundles belong to each of them. Raises Misconfigured when a file
    cannot be read.
    """
    digest = hashlib.sha256(library.digest())
    try:
        for path in _files(folder, names):
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    except OSError as error:
        raise Misconfigured(f"a file of the bundles cannot be read: {error}") from None
    return digest.hexdigest()[:12]


def _files(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """The files that make a version; what Python and editors leave behind is none of them."""
    yield from sorted(folder.glob("*.py"))
    for name in sorted(names):
        for path in sorted((folder / name).rglob("*")):
            parts = path.relative_to(folder).parts
            if path.is_file() and not any(p[0] == "." or p == "__pycache__" for p in parts):
                yield path


def _is_plain(name: str) -> bool:
    return name not in {"", ".", ".."} and not {"/", "\\", "\0"} & set(name)


def _holds(folder: Path, version: str, names: Sequence[str]) -> bool:
    there = all((folder / name).is_dir() for name in names)
    with suppress(Misconfigured):
        return there and fingerprint(folder, names) == version
    return False


def _copy(bundles: Bundles, target: Path) -> None:
    """Copy beside, then rename: whoever looks finds all of it, or nothing."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".copying-") as name:
        made = Path(name) / "functions"
        for path in _files(bundles.folder, bundles.names):
            copy = made / path.relative_to(bundles.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        require_unchanged(bundles, made)
        shutil.rmtree(target, ignore_errors=True)  # somebody has changed that one
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():  # else somebody else was first, with the same files
                raise
