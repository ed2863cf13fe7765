"""Commands without a handler, events without a fold, replies of another type than promised."""

import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from wherry.authoring.decisions import Accepted
from wherry.authoring.effect import Target
from wherry.authoring.entity import Entity
from wherry.authoring.messages import Command, Event, kind_of, reply_type
from wherry.deploying.annotations import returned
from wherry.deploying.type_words import words_of
from wherry.engine.envelope import ANSWER
from wherry.engine.registry import Registry
from wherry.engine.supervision import RESTART
from wherry.errors import Misconfigured

#: What the runtime itself sends to entities.
_TAKEN = {ANSWER, RESTART}


def bundle_of(*things: Any) -> str:
    """The bundle in which the first of some classes or functions is written."""
    return next((thing.__module__.partition(".")[0] for thing in things), "?")


def message_faults(entity: Entity[Any, Any]) -> Iterator[str]:
    """What is wrong with the messages of an entity."""
    at = f"{bundle_of(*entity.handlers, *entity.appliers)}: {entity.kind}"
    yield from _namesakes(at, entity.handlers, "command")
    yield from _namesakes(at, entity.appliers, "event")
    for name in sorted(_TAKEN & {command.__name__ for command in entity.handlers}):
        yield f"{at}: a command cannot be called {name}, which the runtime sends: rename it"
    for command in _unhandled(entity.kind, entity.handlers):
        name = command.__name__
        yield f"{at}: nothing handles {name}: write @{entity.kind}.handles({name}), or delete it"
    for command, fn in entity.handlers.items():
        yield from _reply(at, command, fn, _accepted(returned(fn)))
        yield from _foreign_events(entity, at, fn)
    for fn in entity.answerers.values():
        yield from _foreign_events(entity, at, fn)


def effect_faults(target: Target[Any]) -> Iterator[str]:
    """What is wrong with the calls of a target."""
    at = f"{bundle_of(*target.rules)}: {target.kind}"
    yield from _namesakes(at, target.rules, "effect")
    for command in _unhandled(target.kind, target.rules):
        name = command.__name__
        yield f"{at}: nothing carries out {name}: write @{target.kind}.effect({name}), or delete it"
    for command, rule in target.rules.items():
        yield from _reply(at, command, rule.run, returned(rule.run))
    for command, find in target.finders.items():
        if command not in target.rules:
            name = command.__name__
            yield f"{at}: {name} is found, but has no effect: write @{target.kind}.effect({name})"
        yield from _reply(at, command, find, _without_none(returned(find)))


def _namesakes(at: str, classes: Iterable[type[Any]], what: str) -> Iterator[str]:
    """Messages travel by name: of two with the same name one would be lost."""
    seen: dict[str, type[Any]] = {}
    for cls in classes:
        other = seen.setdefault(cls.__name__, cls)
        if other is not cls:
            yield (
                f"{at}: {what} {cls.__name__} is there twice, in {other.__module__} and in"
                f" {cls.__module__}: rename one of them"
            )


def _unhandled(kind: str, handled: Iterable[type[Any]]) -> Iterator[type[Any]]:
    """Commands of a kind that stand beside those that are handled."""
    known = set(handled)
    for cls in _classes([*known, *map(kind_of, known)], Command):
        if cls not in known and _kind_name(cls) == kind:
            yield cls


def event_faults(registry: Registry) -> Iterator[str]:
    """Events that stand beside others, and that nothing makes or folds."""
    entities = registry.app.entities.values()
    known = {event for entity in entities for event in entity.appliers}
    for entity in entities:
        for fn in (*entity.handlers.values(), *entity.answerers.values()):
            known |= _mentioned(fn, set())  # of these it is told who makes them
    beside = [cls for entity in entities for cls in (*entity.handlers, *entity.appliers)]
    for event in _classes(beside, Event):
        if event not in known:
            name = event.__name__
            fold = f"write @ENTITY.folds({name}), or delete it"
            yield f"{bundle_of(event)}: event {name}: no fold applies it: {fold}"


def _classes(beside: Iterable[type[Any]], base: type[Any]) -> Iterator[type[Any]]:
    """The classes of a base that are written beside some classes, by module and name."""
    modules: dict[str, dict[str, Any]] = {}
    for cls in beside:
        names = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
        if names.get(cls.__name__) is cls:  # else it is of another version of the module
            modules[cls.__module__] = names
    for module in sorted(modules):
        for _, cls in sorted(modules[module].items()):
            mine = isinstance(cls, type) and cls.__module__ == module
            if mine and issubclass(cls, base) and not cls.__subclasses__():
                yield cls


def _kind_name(command: type[Any]) -> str:
    try:
        return kind_of(command).name
    except Misconfigured:
        return ""


def _foreign_events(entity: Entity[Any, Any], at: str, fn: Callable[..., Any]) -> Iterator[str]:
    """Events that a handler makes, or mentions, and that its own kind does not fold."""
    for event in sorted(_mentioned(fn, set()), key=lambda cls: cls.__name__):
        if event not in entity.appliers:
            name, own = event.__name__, entity.kind
            yield (
                f"{at}: {fn.__name__} names {name}, which no fold of {own} applies:"
                f" write @{own}.folds({name})"
            )


def _mentioned(fn: Callable[..., Any], seen: set[Any]) -> set[type[Event]]:
    """The events that a function names, and those that functions of its bundle name for it."""
    if fn in seen or not isinstance(fn, FunctionType):
        return set()
    seen.add(fn)
    found: set[type[Event]] = set()
    for name in _names(fn.__code__):
        thing = fn.__globals__.get(name)
        if isinstance(thing, type) and issubclass(thing, Event) and thing is not Event:
            found.add(thing)
        elif isinstance(thing, FunctionType) and bundle_of(thing) == bundle_of(fn):
            found |= _mentioned(thing, seen)
    return found


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _names(const)


def _reply(at: str, command: type[Any], fn: Callable[..., Any], promised: Any) -> Iterator[str]:
    """A handler whose annotation promises another reply than its command."""
    wanted = reply_type(command)
    if not agree(promised, wanted):
        name = getattr(fn, "__name__", "its function")
        yield (
            f"{at}: {command.__name__} is answered by {words_of(wanted)}, and {name} returns"
            f" {words_of(promised)}: change one of the two"
        )


def agree(promised: Any, wanted: Any) -> bool:
    """Whether a value of one type can be taken for another; in doubt it can: mypy knows more."""
    promised, wanted = _bare(promised), _bare(wanted)
    if Any in {promised, wanted} or not (isinstance(promised, type) and isinstance(wanted, type)):
        return True
    if get_origin(promised) or get_origin(wanted) or (promised, wanted) == (int, float):
        return True
    try:
        return issubclass(promised, wanted)
    except TypeError:  # a protocol that cannot be asked
        return True


def _bare(hint: Any) -> Any:
    """A type without its notes; None as the type that it is."""
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    return NoneType if hint is None else hint


def _accepted(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Accepted else Any


def _without_none(hint: Any) -> Any:
    parts = [part for part in get_args(hint) if part is not NoneType]
    return parts[0] if get_origin(hint) in {Union, UnionType} and len(parts) == 1 else Any
