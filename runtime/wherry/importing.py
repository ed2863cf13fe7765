"""Bundles as modules of Python: imported from a folder, forgotten, imported anew.

They are compiled each time. What Python keeps in `__pycache__` is found by the time and the size of
a file, and two versions of one may share both; then a version would run the code of another.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import ModuleType

from wherry.authoring.app import App
from wherry.errors import Misconfigured

Modules = dict[str, ModuleType]

#: Folders of what is installed; an environment may lie beside the bundles.
_INSTALLED = {"site-packages", "dist-packages"}

#: Folders that bundles are imported from.
_roots: set[str] = set()


class _FromSource(SourceFileLoader):
    """Neither reads nor writes what Python keeps of a file."""

    def path_stats(self, path: str) -> dict[str, int]:
        raise OSError(path)


def import_apps(folder: Path, names: Iterable[str]) -> list[App]:
    """Import bundles of a folder. Raises Misconfigured, and then nothing of it stays imported."""
    root = str(folder.resolve())
    names = tuple(names)
    _require_own_names(folder, names)
    look_first_in(folder, names)
    before = dict(sys.modules)
    try:
        apps = [_import_app(name, folder) for name in names]
        _require_nothing_else(folder, names, before)
    except Misconfigured:
        for name in [name for name, module in _of(root) if module is not before.get(name)]:
            del sys.modules[name]
        raise
    return apps


def look_first_in(folder: Path, names: Iterable[str]) -> None:
    """Import from this folder from now on; what has the same name elsewhere is no bundle of it."""
    root = str(folder.resolve())
    _compile_all_of(root)
    sys.path[:] = [root, *(path for path in sys.path if path != root)]
    for name in names:
        module = sys.modules.get(name)
        if module is not None and not _is_in(module, root):
            for other in [n for n in sys.modules if n == name or n.startswith(f"{name}.")]:
                del sys.modules[other]


def forget(folder: Path) -> Modules:
    """Let the modules of a folder be imported anew; return them."""
    root = str(folder.resolve())
    gone = dict(_of(root))
    for name in gone:
        del sys.modules[name]
    sys.path[:] = [path for path in sys.path if path != root]
    importlib.invalidate_caches()
    return gone


def _of(root: str) -> Iterator[tuple[str, ModuleType]]:
    """The modules of a folder."""
    return ((name, module) for name, module in list(sys.modules.items()) if _is_in(module, root))


def _is_in(module: ModuleType, root: str) -> bool:
    """Whether a module is of a folder; what is installed somewhere in it is not."""
    file = str(getattr(module, "__file__", None) or "")
    return file != root and _is_below(file, root)


def _compile_all_of(root: str) -> None:
    if root not in _roots:
        _roots.add(root)
        if _finder not in sys.path_hooks:
            sys.path_hooks.insert(0, _finder)
        for path in [path for path in sys.path_importer_cache if _is_below(path, root)]:
            del sys.path_importer_cache[path]


def _finder(path: str) -> FileFinder:
    """How Python finds modules in the folders of bundles; others are none of our business."""
    if not any(_is_below(path, root) for root in _roots):
        raise ImportError(path)
    return FileFinder(
        path,
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (_FromSource, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )


def _is_below(path: str, root: str) -> bool:
    return (path + os.sep).startswith(root + os.sep) and _INSTALLED.isdisjoint(
        Path(path[len(root) :]).parts
    )


def _import_app(name: str, folder: Path) -> App:
    try:
        app = getattr(importlib.import_module(name), "app", None)
    except (Exception, SystemExit) as error:
        said = _said(error, str(folder.resolve()))
        raise Misconfigured(f"bundle {name} in {folder} cannot be imported: {said}") from error
    if not isinstance(app, App):
        raise Misconfigured(
            f"bundle {name} in {folder} exports no `app`: write app = App([...]) in it"
        )
    return app


def _said(error: BaseException, root: str) -> str:
    """An error in words, with the line of the bundles that it comes from."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{kind} in {error.filename}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f for f in frames if f.filename.startswith(root + os.sep)]
    where = f" in {lines[-1].filename}, line {lines[-1].lineno}" if lines else ""
    return f"{kind}{where}: {error}"


def _require_own_names(folder: Path, names: Iterable[str]) -> None:
    """A bundle that is called as a module of Python would be imported in its place by everybody."""
    for name in [*names, *(path.stem for path in folder.glob("*.py"))]:
        if name in sys.stdlib_module_names or name == "wherry" or _is_installed(name):
            raise Misconfigured(
                f"{name} in {folder} has the name of a module that Python or Wherry imports:"
                " give it another name"
            )


def _is_installed(name: str) -> bool:
    file = Path(str(getattr(sys.modules.get(name), "__file__", None) or ""))
    package = file.parent if file.name == "__init__.py" else file
    return package.parent.name in _INSTALLED


def _require_nothing_else(folder: Path, names: Iterable[str], before: Modules) -> None:
    """What is imported has to be part of the version, or another machine would not have it."""
    root = str(folder.resolve())
    for name, module in _of(root):
        first, *deeper = Path(str(module.__file__)).relative_to(root).parts
        if deeper and first not in names and module is not before.get(name):
            next_ = "name it as well, or deploy all"
            if not (folder / first / "__init__.py").is_file():
                next_ = f"put it into a bundle, or into a file beside them: {first}.py"
            raise Misconfigured(
                f"{first} in {folder} is imported, and is none of the bundles"
                f" {', '.join(names)}: {next_}"
            )
