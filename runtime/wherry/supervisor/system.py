"""The system: server, workers, scheduler, HTTP and stand-ins. Started quickly, stopped safely.

Nothing here talks to Redis, but for the children: to watch an idle system costs it nothing.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from wherry.errors import Misconfigured
from wherry.settings import Settings
from wherry.stopping import Stop
from wherry.supervisor import folder as folders
from wherry.supervisor.health import is_ready
from wherry.supervisor.process import Child, StartFailed, stop_all, tail
from wherry.supervisor.reload import Watcher
from wherry.supervisor.running import Claim, claim
from wherry.supervisor.stand_ins import may_have_stand_ins
from wherry.supervisor.standing import Standing

if TYPE_CHECKING:
    from wherry.store.server import Server

_START_S = 60.0
_QUICK_S = 0.02
_SLOW_S = 0.2

# Together less than the ten seconds in which everything has to be stopped.
_HTTP_GRACE_S = 5.2
_WORKER_GRACE_S = 2.8
_SERVER_GRACE_S = 1.5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    functions  the folder with the bundles
    ephemeral   keep the data in a temporary folder, which goes with us
    reload      deploy again when a file of the bundles changes
    """

    settings: Settings
    functions: Path
    ephemeral: bool = False
    reload: bool = False


@dataclass
class System:
    """Everything that runs here. `say` gets a sentence for people when something happens."""

    plan: Plan
    stop: Stop
    say: Say
    url: str = ""
    redis_url: str = ""
    _server: "Server | None" = None
    _folder: Path = Path()
    _claim: Claim | None = None
    _env: dict[str, str] = field(default_factory=dict)
    _http: Child | None = None
    _scheduler: Child | None = None
    _workers: list[Child] = field(default_factory=list)
    #: The workers for calls to the outside world, by role.
    _outside: dict[str, Child] = field(default_factory=dict)
    _standing: Standing = field(init=False)
    _watcher: Watcher | None = None

    def __post_init__(self) -> None:
        self._standing = Standing(self.plan.functions, self._make_stand_in)

    # -- starting --------------------------------------------------------------------------------

    def start(self) -> bool:
        """Start everything; return when it is up, or False when it was told to stop meanwhile.

        Raises Misconfigured, with the end of a log, when a part cannot start.
        """
        self._take_folder()
        look = self._look(os.environ)
        self.redis_url = self.plan.settings.redis_url or self._start_server()
        self._env = environment(self.plan.settings, self.redis_url, self._folder)
        if look is not None and not self._start_stand_ins(look):
            return False
        self._watcher = Watcher(self.plan.functions) if self.plan.reload else None
        if not self._start_children():
            return False
        if self._claim is not None:
            found = {"redis_url": self.redis_url, "data_dir": str(self._folder.absolute())}
            decided = as_text(self.plan.settings) | found
            self._claim.tell(pid=os.getpid(), url=self.url, settings=decided)
        return True

    @property
    def is_found_here(self) -> bool:
        """Whether the command finds this system by itself, in this folder."""
        return self._claim is not None

    def _take_folder(self) -> None:
        own = self.plan.settings.data_dir
        self._folder = folders.temporary() if self.plan.ephemeral else own
        try:
            self._claim = claim(own)
        except OSError as error:
            if not self.plan.ephemeral:
                raise Misconfigured(f"The folder {own} cannot be written: {error}") from error
        if self._claim is None and not self.plan.ephemeral:
            raise Misconfigured(
                f"Another `wherry dev` or `wherry up` runs in {own.absolute().parent}. Stop it, "
                "or give this one a folder of its own: WHERRY_DATA_DIR=another-folder"
            )

    def _start_server(self) -> str:
        from wherry.store.server import Server  # with a given URL nobody needs it

        self._server = Server(self._folder / "server").start()
        return self._server.url

    def _look(self, env: Mapping[str, str]) -> Child | None:
        """Begin to ask which stand-ins there are; None when there cannot be any."""
        folder = self.plan.functions
        if not may_have_stand_ins(folder):
            return None
        self._env = dict(env)
        child = self._child("look", str(folder), module="wherry.supervisor.look")
        child.start()
        return child

    def _start_stand_ins(self, look: Child) -> bool:
        """Start those that are needed, and let all other parts know of them."""
        if not self._until(lambda: bool(look.heard()) or not look.running):
            return False
        if not look.heard():
            raise look.failed()
        for stand in self._standing.start(look.heard()["stand_ins"], os.environ):
            self._env |= stand.variables
            for child in self._children():
                child.env |= stand.variables
            self.say(str(stand))
        return True

    def _make_stand_in(self, name: str, module: str, words: list[str], keep: list[int]) -> Child:
        return self._child(name, *words, module=module, keep=keep)

    def _start_children(self) -> bool:
        """Start the deployment and what a first command needs at the same time; then the rest."""
        deployment = self._child("deploy", "deploy", "--output", "json")
        self._http = self._child("http", "serve")
        self._workers = [
            self._child(f"worker-{n}", "worker", "--role", "pumps")
            for n in range(1, self.plan.settings.workers + 1)
        ]
        self._scheduler = self._child("scheduler", "scheduler")
        for child in (deployment, self._http, self._workers[0]):
            child.start()
        if not (self._begins(deployment) and self._is_up(self._http, self._workers[0])):
            return False
        for child in (*self._workers[1:], self._scheduler):
            child.start()
        self._set_outside(deployment)
        return self._answers()

    def _set_outside(self, deployment: Child) -> None:
        """Run a worker for each role that the bundles need beside the pumps, and no other."""
        roles = deployment.heard().get("roles", [])
        unwanted = set(self._outside) - set(roles)
        stop_all([self._outside.pop(role) for role in unwanted], _WORKER_GRACE_S)
        for role in roles:
            if role not in self._outside:
                self._outside[role] = self._child(role, "worker", "--role", role)
                self._outside[role].start()

    def _child(
        self, name: str, *words: str, module: str = "wherry.cli.main", keep: Sequence[int] = ()
    ) -> Child:
        log = folders.log_file(self._folder, name)
        return Child(name, words, self._env, log, module, keep)

    def _begins(self, deployment: Child) -> bool:
        """Wait for the deployment; what it refuses stays out, and what was deployed before runs."""
        try:
            return self._deployed(deployment)
        except StartFailed as error:
            if not deployment.heard():
                raise
            self.say(f"the change was not deployed, the version before runs: {error}")
            return True

    def _deployed(self, deployment: Child) -> bool:
        if not self._until(lambda: not deployment.running):
            deployment.kill()
            return False
        if deployment.exit_code != 0:
            raise deployment.failed()
        return True

    def _is_up(self, *children: Child) -> bool:
        if not self._until(lambda: all(child.is_up() for child in children)):
            return False
        assert self._http is not None and self._http.said is not None  # noqa: S101, PT018
        self.url = str(self._http.said["url"])
        self._http.env["WHERRY_PORT"] = self.url.rpartition(":")[2]  # it keeps its port from now on
        return True

    def _answers(self) -> bool:
        return self._until(lambda: is_ready(self.url))

    def _until(self, condition: Callable[[], bool]) -> bool:
        """Wait; False when we are told to stop. Raises Misconfigured when it takes too long."""
        deadline = time.monotonic() + _START_S
        while not self.stop.is_set():
            if condition():
                return True
            if time.monotonic() > deadline:
                said = "".join(child.last_words() for child in self._children())
                raise StartFailed(f"The system was not up after {_START_S:.0f} s.{said}")
            self.stop.wait(_QUICK_S)
        return False

    # -- running ---------------------------------------------------------------------------------

    def watch(self, reloaded: Callable[[], None] = lambda: None) -> None:
        """Keep everything running until told to stop."""
        while not self.stop.wait(_SLOW_S):
            self._revive()
            if self._watcher is not None and self._watcher.changed() and self._reload():
                reloaded()

    def _revive(self) -> None:
        if self._server is not None and not self._server.running:
            self.say("the server ended; it starts again" + tail(self._server.log))
            self._server.start()
        for child in self._children():
            if said := child.keep_alive():
                self.say(said)

    def _reload(self) -> bool:
        """Deploy what has changed, and give it to workers and HTTP; what is broken stays out."""
        try:
            if not self._renew_stand_ins():
                return False
            deployment = self._child("deploy", "deploy", "--output", "json")
            deployment.start()
            if not self._deployed(deployment):
                return False
        except StartFailed as error:
            self.say(f"the change was not deployed, the version before still runs: {error}")
            return False
        return self._replace(deployment)

    def _renew_stand_ins(self) -> bool:
        """Start those that a change has brought, and those anew whose own code has changed."""
        look = self._look(self._env)
        if look is not None and not self._start_stand_ins(look):
            return False
        self._standing.renew()
        return True

    def _replace(self, deployment: Child) -> bool:
        self._set_outside(deployment)
        outside = self._outside.values()
        replaced = [c for c in (*self._workers, *outside, self._http) if c is not None]
        stop_all(replaced, _HTTP_GRACE_S)
        for child in replaced:
            child.start()
        try:
            return self._is_up(*replaced) and self._answers()
        except StartFailed as error:
            self.say(str(error))
            return False

    # -- stopping --------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """Stop what was started: first those who take commands, last the one that keeps them."""
        http = [self._http] if self._http else []
        scheduler = [self._scheduler] if self._scheduler else []
        stop_all(http, _HTTP_GRACE_S)
        stop_all([*self._workers, *self._outside.values(), *scheduler], _WORKER_GRACE_S)
        self._standing.stop()
        if self._server is not None:
            _stop_server(self._server)
        if self._claim is not None:
            self._claim.release()
        if self.plan.ephemeral:
            folders.remove(self._folder)
            _remove_if_empty(self.plan.settings.data_dir)

    def _children(self) -> Iterator[Child]:
        parts = (self._http, *self._workers, *self._outside.values(), *self._standing.children)
        yield from (child for child in (*parts, self._scheduler) if child)


def environment(settings: Settings, redis_url: str, folder: Path) -> dict[str, str]:
    """What the children find in their environment: ours, with every setting decided."""
    decided = as_text(settings) | {"redis_url": redis_url, "data_dir": str(folder)}
    env = {name: value for name, value in os.environ.items() if name != "WHERRY_REDIS_URL_FILE"}
    return env | {f"WHERRY_{name.upper()}": value for name, value in decided.items()}


def as_text(settings: Settings) -> dict[str, str]:
    """Settings as they can be read again; the folder of the bundles from wherever we are."""
    text = {f.name: _text(getattr(settings, f.name)) for f in fields(Settings)}
    path = Path(settings.functions)
    return text | {"functions": str(path.absolute()) if path.is_dir() else settings.functions}


def _text(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _stop_server(server: "Server") -> None:
    """Stop it cleanly, or after a while at once: what was acknowledged is on disk."""
    stopper = threading.Thread(target=server.stop, daemon=True)
    stopper.start()
    stopper.join(_SERVER_GRACE_S)
    if server.running:
        server.kill()
    stopper.join()


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
