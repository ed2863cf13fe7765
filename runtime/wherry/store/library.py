"""The Redis Function library: built from lua/ and the rules of what is deployed.

Each file of lua/ is one verb, a local function of the file's name. A line `--- @include "lib/log"`
stands for lua/lib/log.lua, the first time it is named. `python -m wherry.store.library FILE`
writes the whole text, for linters and for the curious.
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from redis import Redis

from wherry.engine.registry import Registry
from wherry.engine.specs import KindSpec
from wherry.errors import Misconfigured

#: What HTTP servers may run, which an attacker reaches first; see lua/lib/inside.lua.
FOR_ALL = frozenset({"send", "admit"})

_INCLUDE = re.compile(r'^--- @include "(?P<name>[a-z_/]+)"$', re.MULTILINE)


def build(namespace: str, rules: str, code: str = "") -> str:
    """Return the library of a namespace.

    `code` is the version of the bundles that may commit; without one any may.
    """
    included: set[str] = set()
    verbs_text = "\n".join(_expand(verb, included) for verb in verbs())
    registered = "\n".join(
        f'redis.register_function("{namespace}_{verb}", {_guarded(verb)})' for verb in verbs()
    )
    fence = f"local CODE = {_quoted(code)}\n{source('lib/inside')}"
    return f"#!lua name={namespace}\n{fence}\n{rules}\n{verbs_text}\n{registered}\n"


def load(redis: Redis, namespace: str, registry: Registry, code: str = "") -> None:
    """Load the library into Redis, in place of the one before."""
    text = build(namespace, rules_table(registry.kinds.values()), code)
    redis.function_load(text, replace=True)


def loaded(redis: Redis, namespace: str) -> str | None:
    """The text of the library that Redis has; None when it has none."""
    for found in _libraries(redis.function_list(library=namespace, withcode=True)):
        if found[b"library_name"].decode() == namespace:
            return str(found[b"library_code"].decode())
    return None


def require_free_names(redis: Redis, namespace: str) -> None:
    """Raises Misconfigured when another library has a function of a name that we need."""
    ours = {f"{namespace}_{verb}".encode() for verb in verbs()}
    for found in _libraries(redis.function_list()):
        name = found[b"library_name"].decode()
        for taken in map(_pairs, found[b"functions"]):
            if name != namespace and taken[b"name"] in ours:
                raise Misconfigured(
                    f"library {name} in this Redis has a function {taken[b'name'].decode()}, which"
                    f" namespace {namespace} needs: delete it there, or take another namespace"
                )


def _libraries(listed: Any) -> Iterator[dict[bytes, Any]]:
    return map(_pairs, listed)


def _pairs(found: Any) -> dict[bytes, Any]:
    """One answer of Redis: names and values, or a list of them by turns."""
    return found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))


def rules_table(kinds: Iterable[KindSpec]) -> str:
    """Return the Lua table of what each kind allows: status changes and pools."""
    rows = [f"  [{_quoted(kind.name)}] = {_rules(kind)}," for kind in kinds]
    return "\n".join(["local RULES = {", *rows, "}"])


@cache
def verbs() -> tuple[str, ...]:
    """Return the name of every verb, sorted."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".lua") for name in names if name.endswith(".lua")))


@cache
def digest() -> bytes:
    """A digest of the whole library, without any rules."""
    return hashlib.sha256(build("ns", "").encode()).digest()


def source(name: str) -> str:
    """Return the text of one file of lua/, as it was written."""
    try:
        return _folder().joinpath(*f"{name}.lua".split("/")).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Misconfigured(f"there is no Lua file {name!r}") from None


def _guarded(verb: str) -> str:
    """The function of a verb, which only insiders may run unless it is for everybody."""
    return verb if verb in FOR_ALL else f"inside({verb})"


def _expand(name: str, included: set[str]) -> str:
    included.add(name)

    def fill(match: re.Match[str]) -> str:
        wanted = match["name"]
        return "" if wanted in included else _expand(wanted, included)

    return _INCLUDE.sub(fill, source(name))


def _rules(kind: KindSpec) -> str:
    edges = ", ".join(
        f"[{_quoted(old)}] = {_set(new)}" for old, new in (kind.lifecycle or {}).items()
    )
    pools = ", ".join(f"[{_quoted(pool.name)}] = {{ most = {pool.most} }}" for pool in kind.pools)
    return f"{{ transitions = {{ {edges} }}, pools = {{ {pools} }} }}"


def _set(names: Iterable[str]) -> str:
    return "{ " + ", ".join(f"[{_quoted(name)}] = true" for name in names) + " }"


def _quoted(text: str) -> str:
    """A Lua string. Names are checked before they come here; this is the second lock."""
    if not re.fullmatch(r"[A-Za-z0-9_. -]*", text):
        raise Misconfigured(f"{text!r} cannot be the name of a kind, status or pool")
    return f'"{text}"'


def _folder() -> Traversable:
    # An installed package carries lua/ inside; in a checkout it lies beside runtime/.
    packaged = files("wherry") / "lua"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "lua"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(build("wherry", rules_table([])), encoding="utf-8")
