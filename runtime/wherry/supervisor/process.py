"""One process that is kept running: started, heard, restarted when it dies, stopped."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from wherry.children import spawn
from wherry.errors import Misconfigured
from wherry.supervisor.ready import VARIABLE, Ear

#: A child that lived as long was well: its next death is the first one again.
_WELL_S = 10.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_TAIL_LINES = 15


class StartFailed(Misconfigured):
    """A part of the system ended before it was up; its last words are in the text."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class Child:
    """A `wherry` command as a child process; what it prints goes to the file `log`.

    Or another module of ours; it inherits the file descriptors `keep`.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        module: str = "wherry.cli.main",
        keep: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.module = module
        self.keep = list(keep)
        self.words = list(words)
        self.env = dict(env)
        self.log = log
        self.said: dict[str, Any] | None = None
        self._process: Popen[bytes] | None = None
        self._ear: Ear | None = None
        self._born = 0.0
        self._log_begin = 0
        self._pause = _FIRST_PAUSE_S
        self._again_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Of the running process, or of the last one."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative after a signal."""
        return self._process.poll() if self._process else None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process, once more if it has ended."""
        self._hang_up()
        self.said, self._again_at = None, None
        self._log_begin = self.log.stat().st_size if self.log.exists() else 0
        ear = Ear()
        self._ear, self._born = ear, time.monotonic()
        try:
            self._process = spawn(
                [sys.executable, "-P", "-m", self.module, *self.words],
                output=self.log,
                env={**self.env, VARIABLE: str(ear.write)},
                keep=[ear.write, *self.keep],
            )
        finally:
            ear.child_has_it()

    def heard(self) -> dict[str, Any]:
        """What it has said so far; empty when it has said nothing."""
        if self.said is None and self._ear is not None:
            self.said = self._ear.listen()
        return self.said or {}

    def is_up(self) -> bool:
        """Whether it has said so. Raises StartFailed when it ended instead."""
        self.heard()
        if self.said is None and not self.running:
            raise self.failed()
        return self.said is not None

    def failed(self) -> StartFailed:
        """The error that this child's end is."""
        code = self.exit_code or 0
        return StartFailed(f"{self.name} ended {_how(code)}.{self.last_words()}", max(code, 1))

    def last_words(self) -> str:
        """The end of what it has printed since it was started."""
        return tail(self.log, self._log_begin)

    def keep_alive(self) -> str:
        """Start it again some time after it died. Returns what happened, if something did."""
        if self.running:
            return ""
        now = time.monotonic()
        if self._again_at is None:
            self._pause = _FIRST_PAUSE_S if now - self._born > _WELL_S else self._pause
            self._again_at = now + self._pause
            how = _how(self.exit_code or 0)
            said = f"{self.name} ended {how}; it starts again in {self._pause:g} s"
            self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)
            return said + self.last_words()
        if now >= self._again_at:
            self.start()
        return ""

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.running and self._process is not None:
            self._process.terminate()

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(seconds, 0))
        except TimeoutExpired:
            return False
        self._hang_up()
        return True

    def kill(self) -> None:
        """End it, and whatever it has started in its group, at once."""
        if self._process is None or not self.running:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._ear is not None:
            self._ear.close()
            self._ear = None


def stop_all(children: Sequence[Child], grace_s: float) -> None:
    """Ask all to stop, and kill those that have not done so after `grace_s` seconds."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + grace_s
    for child in children:
        if not child.ended_within(deadline - time.monotonic()):
            child.kill()


def tail(log: Path, begin: int = 0) -> str:
    """The end of a log, to be put behind a sentence; nothing of what is before `begin`."""
    try:
        with log.open("rb") as file:
            file.seek(begin)
            lines = file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    except OSError:
        return ""
    return "\n".join(["", f"The end of {log}:", *(f"  {line}" for line in lines)]) if lines else ""


def _how(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
