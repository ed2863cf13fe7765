"""Child processes that end when we end, however we end.

A supervisor that is killed cannot clean up. On Linux the kernel does it: each child asks for a
signal upon the death of its parent. Elsewhere a child outlives a parent that was killed with -9.
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from queue import SimpleQueue
from subprocess import DEVNULL, STDOUT, Popen

_PR_SET_PDEATHSIG = 1  # from <sys/prctl.h>

# Looked up once, here: between fork and exec a child of a threaded program should import nothing.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def spawn(
    command: Sequence[str | Path],
    *,
    output: Path | None,
    env: Mapping[str, str] | None = None,
    keep: Sequence[int] = (),
    on_our_death: signal.Signals = signal.SIGKILL,
) -> Popen[bytes]:
    """Start `command`; what it prints is appended to the file `output`; without one it is ours.

    The child inherits the file descriptors `keep`. It is in a process group of its own: Ctrl-C
    reaches only us, and we stop our children in the order that we choose. If we die without doing
    so, it gets `on_our_death`. Raises OSError if the program cannot be started.
    """
    born: SimpleQueue[Popen[bytes] | Exception] = SimpleQueue()

    def give_birth() -> Popen[bytes]:
        with output.open("ab") if output else nullcontext() as log:
            return Popen(
                command,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT if output else None,
                env=env,
                pass_fds=keep,
                process_group=0,
                preexec_fn=_tie(os.getpid(), on_our_death),
            )

    def live() -> None:
        try:
            child = give_birth()
        except Exception as error:  # noqa: BLE001  it is raised again, where spawn was called
            born.put(error)
        else:
            born.put(child)
            child.wait()

    # The signal comes when the *thread* that forked ends, not the process. So the child gets a
    # thread which does nothing but wait for it, and the caller may be any thread.
    threading.Thread(target=live, name=f"keeper of {Path(command[0]).name}", daemon=True).start()
    child = born.get()
    if isinstance(child, Exception):
        raise child
    return child


def end_with_parent() -> None:
    """Let this process, which was forked, be killed when the one that forked it is gone."""
    if ask := _tie(os.getppid(), signal.SIGKILL):
        ask()


def _tie(parent: int, to: signal.Signals) -> Callable[[], None] | None:
    """What the child runs between fork and exec."""
    if (prctl := _prctl) is None:
        return None

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(to))
        if os.getppid() != parent:  # it died before we had asked
            os._exit(1)

    return ask
