"""The smallest entity: what is left to measure is Wherry itself."""

from wherry import Accepted, App, Command, Context, Entity, Event, Kind, accept, message


class CounterKind(Kind):
    name = "counter"


@message
class Increment(Command[CounterKind, int]):
    by: int = 1


@message
class Incremented(Event):
    by: int


@message
class Counter:
    value: int = 0


counter = Entity(CounterKind, Counter())


@counter.handles(Increment)
def increment(counter: Counter, command: Increment, ctx: Context) -> Accepted[int]:
    return accept(command, Incremented(command.by), reply=counter.value + command.by)


@counter.folds(Incremented)
def incremented(counter: Counter, event: Incremented) -> Counter:
    return Counter(counter.value + event.by)


app = App([counter])
