"""What breaks: collected, and equal ones counted as one."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

#: So many other subjects are named with the first that breaks.
EXAMPLES = 4


@dataclass(frozen=True, slots=True)
class Break:
    """Something that is stored and that the new code cannot take; equal ones are counted as one.

    code     `event-unknown`, `saga-removed`, ...: stable, for programs
    subject  the first that breaks: the address of an entity or saga
    version  of the event at which it breaks; 0 when it is no event
    what     the event, step, command or kind that it is about
    detail   why, in words
    next     what to do about it
    count    how many break in this way
    more     a few other subjects that do
    """

    code: str
    subject: str
    version: int
    what: str
    detail: str
    next: str
    count: int = 1
    more: tuple[str, ...] = ()


@dataclass(slots=True)
class Breaks:
    """Everything that was found so far, by code, kind and what it is about."""

    _found: dict[tuple[str, str, str], Break] = field(default_factory=dict)

    def add(self, found: Break) -> None:
        """Take one in."""
        name = (found.code, found.subject.partition("/")[0], found.what)
        first = self._found.setdefault(name, found)
        if first is not found:
            more = first.more
            if len(more) < EXAMPLES and found.subject not in {first.subject, *more}:
                more = (*more, found.subject)
            self._found[name] = replace(first, count=first.count + found.count, more=more)

    def all(self) -> tuple[Break, ...]:
        """The most frequent ones first."""
        return tuple(sorted(self, key=lambda one: -one.count))

    def __iter__(self) -> Iterator[Break]:
        return iter(self._found.values())
