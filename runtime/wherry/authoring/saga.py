"""A saga: named steps over entities, each with an optional undo.

    docking = Saga("docking", start=start, result=lambda s: s.docked, deadline=timedelta(hours=1))
    docking.step("reserve", lambda s: Ask(s.port, ReserveDocking(s.reservation_id, s.vessel_id)),
                 undo=lambda s: Tell(s.port, ExpireReservation(s.reservation_id)))
    docking.each("load", lambda s: s.crates, lambda s, crate: Ask(s.vessel, LoadCargo(crate)))
    docking.together(Step("bill", ...), Step("notify", ...))

Steps run one after the other; the steps of one `together`, and the parts of one `each`, run at
the same time. When a step fails, the deadline passes or somebody cancels, the steps that were
done are undone, last first. An undo is computed when its step is asked, so it needs no reply.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar, get_type_hints

from wherry.authoring.decisions import Ask, Context, Tell
from wherry.authoring.messages import Ref
from wherry.errors import Misconfigured

I = TypeVar("I")  # noqa: E741
S = TypeVar("S")
R = TypeVar("R")
T = TypeVar("T")
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Written:
    """The functions of a step as its author wrote them: their annotations tell types."""

    ask: Callable[..., Any]
    keep: Callable[..., Any] | None
    undo: Callable[..., Any] | None


@dataclass(frozen=True, slots=True)
class Part(Generic[S]):
    """A step as the runtime sees it: `items(state)` gives one argument for each ask."""

    name: str
    items: Callable[[S], Sequence[Any]]
    ask: Callable[[S, Any], Ask[Any, Any]]
    keep: Callable[[S, Any, Any], S] | None
    undo: Callable[[S, Any], Tell[Any]] | None
    written: Written
    repeated: bool = False

    def label(self, index: int) -> str:
        """The name of one ask of this step."""
        return f"{self.name}[{index}]" if self.repeated else self.name


def Step(  # noqa: N802 - reads as the class that it makes
    name: str,
    ask: Callable[[S], Ask[Any, T]],
    *,
    keep: Callable[[S, T], S] | None = None,
    undo: Callable[[S], Tell[Any]] | None = None,
    when: Callable[[S], bool] | None = None,
) -> Part[S]:
    """One ask. `keep` takes its reply into the state; `when` may skip the step."""

    def items(state: S) -> Sequence[Any]:
        return (None,) if when is None or when(state) else ()

    return Part(
        name,
        items,
        lambda state, _: ask(state),
        None if keep is None else (lambda state, _, reply: keep(state, reply)),
        None if undo is None else (lambda state, _: undo(state)),
        Written(ask, keep, undo),
    )


def Each(  # noqa: N802 - reads as the class that it makes
    name: str,
    of: Callable[[S], Sequence[P]],
    ask: Callable[[S, P], Ask[Any, T]],
    *,
    keep: Callable[[S, P, T], S] | None = None,
    undo: Callable[[S, P], Tell[Any]] | None = None,
) -> Part[S]:
    """One ask for each item of `of(state)`, at the same time; `keep` must not change the items."""
    return Part(name, of, ask, keep, undo, Written(ask, keep, undo), repeated=True)


class Saga(Generic[I, S, R]):
    """The definition of one kind of saga.

    `start(input, ctx)` makes the state; its annotation names the type of the input.
    `result(state)` is what the caller gets when all steps are done. `near(input)` names an entity
    whose partition the saga shares when the runtime chooses its id: messages between the two then
    need no other turn.
    """

    def __init__(
        self,
        name: str,
        *,
        start: Callable[[I, Context], S],
        result: Callable[[S], R],
        deadline: timedelta = timedelta(minutes=10),
        near: Callable[[I], Ref[Any]] | None = None,
    ) -> None:
        self.name = name
        self.kind = f"saga.{name}"
        self.start = start
        self.result = result
        self.deadline = deadline
        self.near = near
        self.stages: list[tuple[Part[S], ...]] = []
        hints = list(get_type_hints(start).values())
        if len(hints) < 3:
            raise Misconfigured(f"saga {name}: {start.__name__} must annotate its input and state")
        self.input_type: type[I] = hints[0]
        self.state_type: type[S] = hints[-1]

    def step(
        self,
        name: str,
        ask: Callable[[S], Ask[Any, T]],
        *,
        keep: Callable[[S, T], S] | None = None,
        undo: Callable[[S], Tell[Any]] | None = None,
        when: Callable[[S], bool] | None = None,
    ) -> None:
        """Add a step that is one ask."""
        self.together(Step(name, ask, keep=keep, undo=undo, when=when))

    def each(
        self,
        name: str,
        of: Callable[[S], Sequence[P]],
        ask: Callable[[S, P], Ask[Any, T]],
        *,
        keep: Callable[[S, P, T], S] | None = None,
        undo: Callable[[S, P], Tell[Any]] | None = None,
    ) -> None:
        """Add a step that is one ask for each item."""
        self.together(Each(name, of, ask, keep=keep, undo=undo))

    def together(self, *parts: Part[S]) -> None:
        """Add steps that run at the same time."""
        for part in parts:
            if part.name in self.step_names():
                raise Misconfigured(f"saga {self.name} has two steps named {part.name!r}")
        self.stages.append(parts)

    def step_names(self) -> list[str]:
        """The names of all steps, in order."""
        return [part.name for stage in self.stages for part in stage]
