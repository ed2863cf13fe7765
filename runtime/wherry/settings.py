"""What can be set, and where a value is looked for.

The first that says something wins:

    a flag of the command    --partitions 16
    the environment          WHERRY_PARTITIONS=16
    wherry.toml              partitions = 16
    pyproject.toml           [tool.wherry] partitions = 16
    the default

The files are looked for in the current folder. A secret need not be in the environment:
WHERRY_REDIS_URL_FILE names a file that holds the URL.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from wherry.errors import Misconfigured
from wherry.setting_values import (
    Reader,
    choice,
    duration,
    folder,
    matching,
    optional,
    rate,
    redis_url,
    text,
    web_address,
    whole,
)

T = TypeVar("T")


def _setting(default: T, reader: Reader[T]) -> T:
    # The type is that of the value, as it is for dataclasses.field itself.
    return field(default=default, repr=not reader.secret, metadata={"reader": reader})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting. Raises Misconfigured if one has a value that is not allowed."""

    #: Where Redis is; empty: a server of our own, with its data in `data_dir`.
    redis_url: str = _setting("", redis_url())
    #: Prefix of all keys and of the Lua functions; deployments in one Redis differ in it.
    namespace: str = _setting("wherry", matching("[a-z][a-z0-9_]{0,31}"))
    #: Shards of the namespace. Fixed when it is created: it decides where each entity lives.
    partitions: int = _setting(8, whole(1, 1024))
    #: The folder with the bundles, or the name of a module.
    functions: str = _setting("functions", text("a path, or the name of a module"))
    #: Where HTTP listens; 127.0.0.1 is this machine only.
    host: str = _setting("127.0.0.1", text("a host name or an address"))
    #: Where HTTP listens; 0 takes a free port.
    port: int = _setting(8300, whole(0, 65_535))
    #: Seconds that a pump without work stays; longer answers sooner, shorter frees the worker.
    linger: float = _setting(5.0, duration())
    #: Seconds between two sweeps, the net beneath all timers.
    sweep_every: float = _setting(60.0, duration(least=1))
    #: Worker processes that `wherry dev` and `wherry up` start.
    workers: int = _setting(2, whole(1, 256))
    #: Calls to the outside world that one runner makes at once.
    effect_concurrency: int = _setting(500, whole(1, 100_000))
    #: Those of them that are plain functions: each needs a thread.
    effect_threads: int = _setting(64, whole(1, 10_000))
    #: What we keep on this machine: data of our own server, logs.
    data_dir: Path = _setting(Path(".wherry"), folder())  # noqa: RUF009  it is frozen
    #: Messages that may wait in one inbox; beyond it a command is refused, to be sent later.
    backlog_limit: int = _setting(100_000, whole(1, 100_000_000))
    #: Seconds that a reply is kept: as long, a repeated command gets its first answer.
    result_ttl: float = _setting(86_400.0, duration(least=1))
    #: Seconds that a caller waits for a reply, unless it says how long.
    wait: float = _setting(5.0, duration())
    #: Who HTTP lets in. auto: everybody on this machine, until there is an API key or an issuer;
    #: required: nobody without credentials, whatever there is.
    authentication: str = _setting("auto", choice("auto", "required"))
    #: The issuer (OpenID Connect) whose tokens HTTP takes; empty: none.
    oidc_issuer: str = _setting("", web_address())
    #: Whom a token must be for; needed with an issuer.
    oidc_audience: str = _setting("", optional("empty, or the name that the issuer has for us"))
    #: The keys of the issuer: an address or a file; empty: where its discovery document says.
    oidc_jwks: str = _setting("", optional("empty, an https:// address or the path of a file"))
    #: Where a token has roles: a claim, with dots for one inside another. Scopes count as well.
    oidc_roles_claim: str = _setting("roles", text("the name of a claim"))
    #: Requests a second of one caller, on all servers together; 0: as many as it likes.
    rate_limit: float = _setting(0.0, rate())
    #: Entries of the audit that are kept, about; older ones go.
    audit_limit: int = _setting(100_000, whole(100, 100_000_000))

    def __post_init__(self) -> None:
        for name, reader in _READERS.items():
            _read(name, reader, getattr(self, name), "the program")


_READERS: dict[str, Reader[object]] = {f.name: f.metadata["reader"] for f in fields(Settings)}


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and for each where its value comes from."""

    settings: Settings
    sources: Mapping[str, str]

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Name, value and source of each, for people: without passwords."""
        for name, reader in _READERS.items():
            yield name, reader.show(getattr(self.settings, name)), self.sources[name]


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as somebody wrote it."""

    value: object
    source: str


_Layer = dict[str, _Given]


def load_settings(flags: Mapping[str, object], env: Mapping[str, str], cwd: Path) -> LoadedSettings:
    """Put the settings together; a flag that is None was not given.

    `flags` may hold other flags of a command as well. Raises Misconfigured for a value that is
    not allowed, for an unknown name in a file, and for a file that cannot be read.
    """
    given: dict[str, _Given] = {}
    for layer in (_pyproject(cwd), _wherry_toml(cwd), _environment(env), _flags(flags)):
        given |= layer
    values = {name: _read(name, _READERS[name], it.value, it.source) for name, it in given.items()}
    sources = {name: given[name].source if name in given else "default" for name in _READERS}
    return LoadedSettings(Settings(**values), sources)  # type: ignore[arg-type]  # just read


def _flags(flags: Mapping[str, object]) -> _Layer:
    return {
        name: _Given(flags[name], f"--{name.replace('_', '-')}")
        for name in _READERS
        if flags.get(name) is not None
    }


def _environment(env: Mapping[str, str]) -> _Layer:
    """What is in the environment; an empty variable counts as none."""
    return {
        name: _Given(value, variable)
        for name in _READERS
        if (value := env.get(variable := f"WHERRY_{name.upper()}"))
    } | _secret_files(env)


def _secret_files(env: Mapping[str, str]) -> _Layer:
    """Secrets that are in a file, which the variable names; both ways at once are ambiguous."""
    found = {}
    for name, reader in _READERS.items():
        variable = f"WHERRY_{name.upper()}"
        file = f"{variable}_FILE"
        if not (reader.secret and env.get(file)):
            continue
        if env.get(variable):
            raise Misconfigured(f"Both {variable} and {file} are set. Remove one of them.")
        found[name] = _Given(_content(Path(env[file]), file).strip(), file)
    return found


def _wherry_toml(cwd: Path) -> _Layer:
    return _table(_toml(cwd / "wherry.toml"), "wherry.toml")


def _pyproject(cwd: Path) -> _Layer:
    tool = _toml(cwd / "pyproject.toml").get("tool")
    table = tool.get("wherry", {}) if isinstance(tool, dict) else {}
    return _table(table, "[tool.wherry] in pyproject.toml")


def _table(table: object, source: str) -> _Layer:
    if not isinstance(table, dict):
        raise Misconfigured(f"{source} is not a table of settings.")
    for name in table:
        if name not in _READERS:
            raise Misconfigured(f"{source} has the unknown setting {name}.{_guess(name)}")
    return {name: _Given(value, source) for name, value in table.items()}


def _toml(file: Path) -> dict[str, object]:
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(_content(file, file.name))
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{file.name} is not TOML: {error}") from error


def _content(file: Path, source: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{source}: {file} cannot be read: {error}") from error


def _read(name: str, reader: Reader[T], value: object, source: str) -> T:
    try:
        return reader.read(value)
    except ValueError:
        shown = "a hidden value" if reader.secret else repr(value)
        raise Misconfigured(
            f"The setting {name} cannot be {shown}, as {source} says. Allowed: {reader.allowed}."
        ) from None


def _guess(name: str) -> str:
    close = get_close_matches(name.replace("-", "_"), _READERS, n=1)
    return f" Is it {close[0]}?" if close else f" There are: {', '.join(_READERS)}."
