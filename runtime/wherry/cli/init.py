"""`wherry init`: a small project that works, to be changed into one's own.

The files are those of the folder `new_project`, with the name of its bundle replaced.
"""

import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from wherry.cli.failure import INTERNAL, USAGE, Failed, usage
from wherry.cli.options import NOTHING, RUN, Common
from wherry.cli.output import Output, line

_TEMPLATE = Path(__file__).parent / "new_project"
_ITS_NAME = "theatre"
#: Tools leave out files of this name when they pack; so it gets its dot here.
_RENAMED = {"gitignore": ".gitignore"}

#: A name is a module, and the prefix of all keys.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def add_to(app: App) -> None:
    """Register the command."""
    app.command(init, group=RUN)


def init(
    folder: Annotated[Path, Parameter(name="DIR")],
    /,
    *,
    name: Annotated[
        str | None, Parameter(help="Of the bundle and the namespace; else that of the folder.")
    ] = None,
    common: Common = NOTHING,
) -> int:
    """Write a small project that works: a bundle with tests, settings and a README.

    The folder must be empty, or not exist yet: nothing is ever overwritten.
    """
    subject = f"wherry init {folder}"
    bundle = _chosen(name, subject) if name is not None else _name_of(folder)
    _require_empty(folder, subject)
    try:
        written = list(_write(folder, bundle))
    except OSError as error:
        raise Failed(
            INTERNAL, subject, f"cannot be written: {error}", "wherry init ANOTHER-FOLDER"
        ) from error
    _print(Output(common.output), folder, bundle, written)
    return 0


def _chosen(name: str, subject: str) -> str:
    """The name that was given. Raises Failed when it cannot be one."""
    if not _NAME.fullmatch(name):
        cause = f"{name!r} cannot be the name of a bundle: it must match {_NAME.pattern}"
        raise usage(subject, cause, f"{subject} --name shop")
    if _is_taken(name):
        cause = f"{name!r} is a module of Python, or one that is installed"
        raise usage(subject, cause, f"{subject} --name {name}_bundle"[:80])
    return name


def _name_of(folder: Path) -> str:
    """A name for the bundle, made of the folder's."""
    plain = re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower()).strip("_")[:24].rstrip("_")
    name = plain if _NAME.fullmatch(plain) else f"my_{plain}".rstrip("_")
    return f"{name}_bundle" if _is_taken(name) else name


def _is_taken(name: str) -> bool:
    """Whether a bundle of this name could not be imported, or something else instead of it."""
    if iskeyword(name) or name in sys.stdlib_module_names or name in {"functions", "tests"}:
        return True
    return find_spec(name) is not None


def _require_empty(folder: Path, subject: str) -> None:
    """Raises Failed when something is there already."""
    try:
        there = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise Failed(
            USAGE, subject, f"cannot be looked into: {error}", "wherry init NEW-FOLDER"
        ) from error
    if there:
        shown = ", ".join(there[:3]) + (", ..." if len(there) > 3 else "")
        cause = f"is not empty, and nothing is overwritten: it has {shown}"
        raise usage(subject, cause, "wherry init NEW-FOLDER")


def _write(folder: Path, bundle: str) -> Iterator[str]:
    """Write every file; yield their paths in the folder."""
    for source in sorted(path for path in _TEMPLATE.rglob("*") if path.is_file()):
        parts = source.relative_to(_TEMPLATE).parts
        if "__pycache__" in parts:
            continue
        path = Path(*(_named(_RENAMED.get(part, part), bundle) for part in parts))
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(_named(source.read_text(encoding="utf-8"), bundle))
        yield path.as_posix()


def _named(text: str, bundle: str) -> str:
    return re.sub(rf"\b{_ITS_NAME}\b", bundle, text)


def _print(out: Output, folder: Path, bundle: str, written: list[str]) -> None:
    if out.format != "table":
        out.one({"folder": str(folder), "name": bundle, "files": written})
        return
    for path in written:
        line(str(folder / path))
    line(f"\nNext: cd {folder}; python -m pytest; wherry dev    # README.md says more")
