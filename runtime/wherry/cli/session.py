"""From flags to something to work with: settings, the runtime, and the gateway's parts."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherry.cli.deeds import audited
from wherry.cli.failure import UNREACHABLE, Failed, about, usage
from wherry.cli.options import Common
from wherry.cli.output import Output
from wherry.errors import Misconfigured

if TYPE_CHECKING:
    from wherry.bundles import CodeFolders
    from wherry.gateway.attention import AttentionList
    from wherry.gateway.breakers import Breakers
    from wherry.gateway.dead import DeadLetters
    from wherry.gateway.effects import Effects
    from wherry.gateway.pauses import Pauses
    from wherry.gateway.queues import Queues
    from wherry.gateway.sending import Sender
    from wherry.gateway.timers import Timers
    from wherry.gateway.views import Views
    from wherry.gateway.why import Why
    from wherry.settings import LoadedSettings, Settings
    from wherry.store.client import Store
    from wherry.wiring import Connect, Runtime


@dataclass
class Session:
    """What a command works with; each part is made when it is first used."""

    runtime: "Runtime"
    settings: "Settings"
    out: Output

    @cached_property
    def views(self) -> "Views":
        """Everything that can be read."""
        from wherry.gateway.views import Views

        return Views(self.runtime)

    @cached_property
    def sender(self) -> "Sender":
        """Sends commands and waits for them."""
        from wherry.gateway.sending import Sender

        return Sender(self.runtime)

    @cached_property
    def dead(self) -> "DeadLetters":
        """The dead letters."""
        from wherry.gateway.dead import DeadLetters

        return DeadLetters(self.runtime, self.sender)

    @cached_property
    def attention(self) -> "AttentionList":
        """The entities that somebody has to look at."""
        from wherry.gateway.attention import AttentionList

        return AttentionList(self.runtime)

    @cached_property
    def effects(self) -> "Effects":
        """The calls to the outside world."""
        from wherry.gateway.effects import Effects

        return Effects(self.runtime, self.sender)

    @cached_property
    def breakers(self) -> "Breakers":
        """What lets those calls pass."""
        from wherry.gateway.breakers import Breakers

        return Breakers(self.runtime)

    @cached_property
    def pauses(self) -> "Pauses":
        """What rests."""
        from wherry.gateway.pauses import Pauses

        return Pauses(self.runtime, self.sender)

    @cached_property
    def timers(self) -> "Timers":
        """What will be sent."""
        from wherry.gateway.timers import Timers

        return Timers(self.runtime, self.views, self.sender)

    @cached_property
    def why(self) -> "Why":
        """What waits, and for what."""
        from wherry.gateway.why import Why

        return Why(self.runtime, self.views, self.dead)

    @cached_property
    def queues(self) -> "Queues":
        """What waits in the inboxes."""
        from wherry.gateway.queues import Queues

        return Queues(self.runtime)


@contextmanager
def session(
    common: Common,
    subject: str,
    next_step: str,
    opened: "Callable[[Settings], Runtime] | None" = None,
) -> Iterator[Session]:
    """Open a session; errors of ours become failures about `subject`. Raises Failed.

    `opened` makes the runtime; without it, it has the code that is deployed.
    """
    with about(subject, next_step):
        settings = find_server(load(common)).settings
        require_server(settings, subject)
        runtime = (opened or open_runtime)(settings)
        try:
            with audited(runtime.store, settings.audit_limit, runtime.registry.redactor):
                yield Session(runtime, settings, Output(common.output))
        finally:
            runtime.redis.close()


@dataclass
class StoreSession:
    """What a command works with that needs no code of bundles, and no deployment."""

    store: "Store"
    out: Output


@contextmanager
def store_only(common: Common, subject: str, next_step: str) -> Iterator[StoreSession]:
    """Open a session without any bundle; errors are handled as in `session`."""
    from wherry.redaction import Redactor
    from wherry.store.client import Store, connect_for_a_caller

    with about(subject, next_step):
        settings = find_server(load(common)).settings
        require_server(settings, subject)
        store = Store(connect_for_a_caller(settings.redis_url), settings.namespace)
        try:
            with audited(store, settings.audit_limit, Redactor()):
                yield StoreSession(store, Output(common.output))
        finally:
            store.redis.close()


def load(common: Common, **flags: Any) -> "LoadedSettings":
    """Read the settings. Raises Misconfigured, and Failed for a flag that cannot be right."""
    from wherry.settings import load_settings

    given = {name: getattr(common, name) for name in ("redis_url", "namespace", "functions")}
    try:
        return load_settings(given | flags, os.environ, Path.cwd())
    except Misconfigured as error:
        if " as --" not in str(error):
            raise
        raise usage("wherry", str(error), "the same with a value that is allowed") from None


def find_server(loaded: "LoadedSettings") -> "LoadedSettings":
    """Take the settings of what `wherry dev` or `up` runs here, unless a URL was given."""
    from wherry.settings import load_settings
    from wherry.supervisor.running import find

    if loaded.settings.redis_url:
        return loaded
    found = (find(loaded.settings.data_dir) or {}).get("settings", {})
    taken = {name: value for name, value in found.items() if loaded.sources[name] == "default"}
    if not taken:
        return loaded
    decided = {f.name: getattr(loaded.settings, f.name) for f in fields(loaded.settings)} | taken
    sources = dict.fromkeys(taken, str(loaded.settings.data_dir / "running.json"))
    settings = load_settings(decided, {}, Path.cwd()).settings
    return replace(loaded, settings=settings, sources={**loaded.sources, **sources})


def require_server(settings: "Settings", subject: str) -> None:
    """Raises Failed when nobody said where Redis is."""
    if not settings.redis_url:
        raise Failed(
            UNREACHABLE,
            subject,
            "redis-unreachable: no redis_url is set, and no server runs in this folder",
            "start one with `wherry dev`, or say where it is: --redis-url redis://HOST:6379",
        )


def open_runtime(settings: "Settings", client: "Connect | None" = None) -> "Runtime":
    """Connect with the code that is deployed, for somebody who waits unless a client is given.

    Raises Misconfigured, Unreachable.
    """
    from wherry import wiring
    from wherry.store.client import connect_for_a_caller

    return wiring.open_deployed(
        settings.redis_url, settings.namespace, code_folders(settings),
        partitions=settings.partitions, client=client or connect_for_a_caller,
    )  # fmt: skip


def open_here(settings: "Settings", named: tuple[str, ...] = ()) -> "Runtime":
    """Connect with what the functions folder holds, deployed or not. Raises as open_runtime."""
    from wherry import wiring
    from wherry.store.client import connect_for_a_caller

    folders = code_folders(settings)
    runtime = wiring.open_runtime(
        settings.redis_url, settings.namespace, wiring.load_bundles(folders.functions, named),
        partitions=settings.partitions, client=connect_for_a_caller,
    )  # fmt: skip
    return replace(runtime, folders=folders)


def code_folders(settings: "Settings") -> "CodeFolders":
    """Where this machine may have code. Raises Misconfigured when there is no such folder."""
    from wherry.bundles import CodeFolders

    copies = settings.data_dir / "releases" / settings.namespace  # only so many are kept of each
    return CodeFolders(bundles_folder(settings.functions), copies)


def bundles_folder(functions: str) -> Path:
    """Where the bundles are: a path, or the name of a package. Raises Misconfigured."""
    if Path(functions).is_dir():
        return Path(functions)
    try:
        spec = importlib.util.find_spec(functions) if _is_name(functions) else None
    except ImportError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        where = "the setting `functions`; name the folder with the bundles: --functions PATH"
        raise Misconfigured(f"There is no folder {functions}, which {where}.")
    return Path(spec.submodule_search_locations[0])


def _is_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
