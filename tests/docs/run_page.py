"""Runs the python blocks of one page, in order: `python -m tests.docs.run_page PAGE FOLDER`.

A block whose first line is a comment with the name of a file is written to that file; every other
block is executed, all of a page in one module. Tests among the files are run at the end.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, Block, blocks


def main(page: str, folder: str) -> int:
    """Run a page; return pytest's exit code, or 0."""
    os.chdir(folder)
    sys.path.insert(0, str(Path(folder) / "functions"))
    module: dict[str, object] = {"__name__": "page"}
    for block in blocks(Path(page), "python"):
        if block.path:
            _write(Path(folder) / block.path, block)
        else:
            # Blank lines in front: an error names the line of the page.
            exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), module)
    return _run_tests(Path(folder))


def _write(file: Path, block: Block) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.text, encoding="utf-8")


def _run_tests(folder: Path) -> int:
    if not list(folder.rglob("test_*.py")):
        return 0
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:locust", "-p", "no:valkey"]
    path = os.pathsep.join([str(folder / "functions"), str(ROOT / "runtime")])
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
