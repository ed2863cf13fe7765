"""What authors' functions say about themselves. Those that say nothing are trusted."""

from collections.abc import Callable
from typing import Any, get_type_hints


def hints_of(fn: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function; none for a lambda, or for what cannot be read."""
    try:
        return get_type_hints(fn, include_extras=True)
    except (NameError, TypeError):
        return {}


def returned(fn: Callable[..., Any]) -> Any:
    """The annotation of what a function returns; Any when it has none."""
    return hints_of(fn).get("return", Any)


def taken(fn: Callable[..., Any], position: int) -> Any:
    """The annotation of an argument, counted from 0; Any when it has none."""
    code = getattr(fn, "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code else ()
    return hints_of(fn).get(names[position], Any) if position < len(names) else Any
