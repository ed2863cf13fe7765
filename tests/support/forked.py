"""Commands in processes of their own that have imported everything already.

Starting Python takes most of a second; forking one that is ready takes some milliseconds. What is
seen is what a user sees: the exit code of a process, its stdout and its stderr.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from tests.support.commands import ROOT, Done, clean_environment

#: What commands import when they need it; of a package all of it.
_READY = ("rich.console", "rich.table", "rich.text", "wherry.cli.main", "wherry.http.openapi")
_PACKAGES = ("wherry.gateway", "wherry.store", "wherry.deploying")


class Forks:
    """Runs commands, one at a time."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "runtime")])
        self._server = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.support.forked"],
            env=clean_environment() | {"PYTHONPATH": path}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(
        self, *words: str, cwd: Path, env: dict[str, str] | None = None, said: str = ""
    ) -> Done:
        """Run a command; `said` is what it finds on stdin."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        asked = {"words": words, "cwd": str(cwd), "env": env or {}, "said": said}
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        return Done(**json.loads(self._server.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self._server.communicate(timeout=30)


@contextmanager
def forks() -> Iterator[Forks]:
    """Something that runs commands quickly."""
    it = Forks()
    try:
        yield it
    finally:
        it.close()


def serve() -> None:
    """Fork for each line of stdin, and say on stdout what became of it."""
    for name in _READY:
        import_module(name)
    for name in _PACKAGES:
        for module in iter_modules(import_module(name).__path__, f"{name}."):
            import_module(module.name)
    for asked in sys.stdin:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                _be_the_command(json.loads(asked), out.fileno(), err.fileno())
            _, status = os.waitpid(child, 0)
            said: dict[str, int | str] = {"code": os.waitstatus_to_exitcode(status)}
            for name, file in (("out", out), ("err", err)):
                file.seek(0)
                said[name] = file.read().decode()
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


def _be_the_command(asked: dict, out: int, err: int) -> None:  # type: ignore[type-arg]
    """Become the command: its words, folder, environment and files. Never returns."""
    from wherry.cli.main import main

    with tempfile.TemporaryFile() as given:
        given.write(asked["said"].encode())
        given.seek(0)
        for descriptor, replaced in ((given.fileno(), 0), (out, 1), (err, 2)):
            os.dup2(descriptor, replaced)
    os.chdir(asked["cwd"])
    os.environ.update(asked["env"])
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    code = 1
    try:
        main(asked["words"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
