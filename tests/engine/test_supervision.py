"""An entity whose handler raises: resumed, restarted, stopped or escalated - alone."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from redis import Redis

from tests.support.yard import Yard
from wherry import (
    Accepted,
    Answered,
    App,
    Ask,
    Command,
    Context,
    Damaged,
    Entity,
    Event,
    Kind,
    OneForOne,
    ReceiveTimeout,
    Tell,
    Transient,
    accept,
    message,
    react,
)
from wherry.authoring.supervision import Directive
from wherry.engine.supervision import RESTART
from wherry.testing import World

ERRORS: dict[str, Exception] = {
    "transient": Transient("for now"),
    "persistence": Damaged("what is stored is broken"),
    "other": ZeroDivisionError("by zero"),
}


class MineKind(Kind):
    name = "mine"


class MinerKind(Kind):
    name = "miner"


@message
class Dig(Command[MineKind, int]):
    """Dig; `fail` names the error that it ends with, after the state was changed in place."""

    fail: str = ""


@message
class Send(Command[MinerKind, None]):
    mine: str
    fail: str = ""
    ask: bool = False


@message
class Dug(Event):
    pass


@message
class Heard(Event):
    text: str


@dataclass(frozen=True, slots=True)
class Mine:
    depth: int = 0
    #: What a handler should never change: a mutable part of the state.
    scribbles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Miner:
    heard: tuple[str, ...] = ()


AS_THE_SEED_SAYS = OneForOne(decide=((Transient, "restart"), (Damaged, "stop")))
mine = Entity(MineKind, Mine(), supervision=AS_THE_SEED_SAYS)
miner = Entity(MinerKind, Miner())


@mine.handles(Dig)
def dig(state: Mine, command: Dig, ctx: Context) -> Accepted[int]:
    if command.fail:
        state.scribbles.append("spoilt")
        raise ERRORS[command.fail]
    return accept(command, Dug(), reply=state.depth + 1)


@mine.folds(Dug)
def dug(state: Mine, event: Dug) -> Mine:
    return replace(state, depth=state.depth + 1, scribbles=list(state.scribbles))


@miner.handles(Send)
def send(state: Miner, command: Send, ctx: Context) -> Accepted[None]:
    to, dig = MineKind.ref(command.mine), Dig(command.fail)
    return accept(command, reply=None, sends=(Ask(to, dig) if command.ask else Tell(to, dig),))


@miner.answers(Dig)
def heard_back(state: Miner, answer: Answered[int], ctx: Context) -> Accepted[None]:
    return react(Heard(answer.code or str(answer.reply)))


@miner.folds(Heard)
def heard(state: Miner, event: Heard) -> Miner:
    return replace(state, heard=(*state.heard, event.text))


app = App([mine, miner])


def dig_and_fail(world: World, how: str, times: int = 1, to: str = "mine/a") -> None:
    for _ in range(times):
        assert world.send(to, Dig(how)).status == "dead"


def test_a_transient_error_restarts_the_entity_from_its_log() -> None:
    """S114 S137: the state is what the log tells, whatever the handler did to it."""
    world = World(app)
    assert world.send("mine/a", Dig()).reply == 1
    dig_and_fail(world, "transient")

    assert world.state("mine/a").scribbles == []
    assert world.send("mine/a", Dig()).reply == 2
    assert [letter["code"] for letter in world.dead] == ["handler-failed"]
    assert not world.attention["mine/a"].stopped


def test_what_the_turn_has_decided_survives_the_restart() -> None:
    world = World(app)
    world.tell("mine/a", Dig())
    world.tell("mine/a", Dig("transient"))
    last = world.send("mine/a", Dig())

    assert (last.reply, world.state("mine/a")) == (2, Mine(depth=2))


def test_a_persistence_error_stops_the_entity() -> None:
    """S115: and nobody else."""
    world = World(app)
    dig_and_fail(world, "persistence")

    assert world.send("mine/a", Dig()).rejected == "entity-stopped"
    found = world.attention["mine/a"]
    assert (found.directive, found.stopped, found.command) == ("stop", True, "Dig")
    assert "what is stored is broken" in found.error


def test_any_other_error_escalates() -> None:
    """S116: the entity stops, and it counts against its kind."""
    world = World(app)
    dig_and_fail(world, "other")

    assert world.send("mine/a", Dig()).rejected == "entity-stopped"
    assert world.attention["mine/a"].directive == "escalate"
    assert world.counters["supervised:mine:escalate"] == 1


def test_its_siblings_go_on() -> None:
    """S112: one for one."""
    world = World(app, partitions=1)
    dig_and_fail(world, "other")
    assert world.send("mine/b", Dig()).reply == 1


def test_three_restarts_in_a_minute_are_allowed_and_the_fourth_stops() -> None:
    """S113 S117: and who has the list learns of it."""
    world = World(app)
    dig_and_fail(world, "transient", times=3)
    assert world.send("mine/a", Dig()).reply == 1

    dig_and_fail(world, "transient")
    assert world.attention["mine/a"].directive == "too-many-restarts"
    assert world.send("mine/a", Dig()).rejected == "entity-stopped"


def test_restarts_that_are_a_minute_old_are_forgotten() -> None:
    """S113: the window moves on."""
    world = World(app)
    dig_and_fail(world, "transient", times=3)
    world.advance(timedelta(seconds=60))
    dig_and_fail(world, "transient", times=3)
    assert world.send("mine/a", Dig()).reply == 1


def test_what_does_not_count_any_more_is_not_kept() -> None:
    world = World(app)
    dig_and_fail(world, "transient")
    dig_and_fail(world, "other", to="mine/b")
    world.advance(timedelta(seconds=60))
    for mine in ("mine/a", "mine/b"):
        world.send(mine, Dig())
    assert list(world.attention) == ["mine/b"]


def test_an_operator_restarts_it() -> None:
    world = World(app)
    assert world.send("mine/a", Dig()).reply == 1
    dig_and_fail(world, "other")
    world.restart("mine/a")

    assert world.attention == {}
    assert world.send("mine/a", Dig()).reply == 2
    dig_and_fail(world, "transient", times=3)
    assert world.send("mine/a", Dig()).reply == 3


def test_nothing_that_was_sent_to_a_stopped_entity_is_lost() -> None:
    """Who asked is told; what was told without a wish for an answer is kept as a dead letter."""
    world = World(app)
    dig_and_fail(world, "other")
    world.send("miner/m", Send("a", ask=True))
    world.send("miner/m", Send("a"))

    assert world.state("miner/m").heard == ("entity-stopped",)
    assert [letter["code"] for letter in world.dead] == ["handler-failed", "entity-stopped"]


def test_a_kind_without_supervision_goes_on_with_the_state_that_it_had() -> None:
    calm = Entity(MineKind, Mine())
    calm.handles(Dig)(dig)
    calm.folds(Dug)(dug)
    world = World(App([calm]))
    dig_and_fail(world, "other", times=20)
    assert world.send("mine/a", Dig()).reply == 1
    assert world.attention == {}


def watchman(directive: Directive) -> tuple[World, list[str]]:
    """A world with one who waits, and looks around when he hears nothing; and what he sees."""
    sights: list[str] = []
    watch: ReceiveTimeout[Mine] = ReceiveTimeout(
        timedelta(seconds=30), Dig(), waiting=lambda mine: mine.depth == 1
    )
    waiter = Entity(
        MineKind, Mine(), receive_timeout=watch, supervision=OneForOne(otherwise=directive)
    )

    @waiter.handles(Dig)
    def look(state: Mine, command: Dig, ctx: Context) -> Accepted[int]:
        if state.depth == 0:
            return accept(command, Dug(), reply=1)
        sights.append("nothing")
        raise ValueError("it is dark")

    waiter.folds(Dug)(dug)
    world = World(App([waiter]))
    assert world.send("mine/a", Dig()).reply == 1
    return world, sights


@pytest.mark.parametrize("directive", ["resume", "restart"])
def test_who_failed_when_the_receive_timeout_came_still_has_one(directive: Directive) -> None:
    """Without it, an entity that waits for an answer which was lost would wait for ever."""
    world, sights = watchman(directive)
    world.advance(timedelta(minutes=10))
    assert len(sights) == 20


def test_who_was_stopped_when_the_receive_timeout_came_has_one_after_the_restart() -> None:
    world, sights = watchman("stop")
    world.send("mine/a", Dig())
    world.advance(timedelta(minutes=10))
    assert [letter["code"] for letter in world.dead] == ["handler-failed", "entity-stopped"]

    world.restart("mine/a")
    world.advance(timedelta(seconds=30))
    assert len(sights) == 2


def test_a_restart_that_cannot_read_the_log_leaves_the_stored_state_as_it_is(redis: Redis) -> None:
    """The code no longer knows an event: what is left of the log without it is another state."""
    supervision = OneForOne(otherwise="restart")
    quarry = Entity(MineKind, Mine(), supervision=supervision)
    quarry.handles(Dig)(dig)
    quarry.folds(Dug)(dug)
    before = Entity(MineKind, Mine(), supervision=supervision)

    @before.handles(Dig)
    def discover(state: Mine, command: Dig, ctx: Context) -> Accepted[int]:
        return accept(command, Heard("gold"), reply=7)

    @before.folds(Heard)
    def discovered(state: Mine, event: Heard) -> Mine:
        return Mine(depth=7)

    yard = Yard(redis, app=App([before]))
    yard.send("mine/a", Dig())
    yard.settle()
    yard = Yard(redis, app=App([quarry]), sent=yard.sent)
    yard.send("mine/a", Dig())
    yard.send("mine/a", Dig("transient"))
    yard.settle()

    assert yard.record("mine/a").state.depth == 8


@pytest.mark.parametrize("how", ["other", "persistence"])
def test_it_stays_stopped_when_another_pump_takes_over(redis: Redis, how: str) -> None:
    yard = Yard(redis, app=app)
    yard.send("mine/a", Dig())
    yard.send("mine/a", Dig(how))
    yard.settle()

    refused = yard.send("mine/a", Dig())
    yard.settle()
    problem = yard.result(refused, "mine/a").problem
    assert problem is not None
    assert problem.code == "entity-stopped"

    yard.send_raw("mine/a", RESTART)
    again = yard.send("mine/a", Dig())
    yard.settle()
    assert yard.result(again, "mine/a").version == 2


def test_restarts_are_counted_across_pumps(redis: Redis) -> None:
    yard = Yard(redis, app=app)
    for _ in range(4):
        yard.send("mine/a", Dig("transient"))
        yard.settle()
    refused = yard.send("mine/a", Dig())
    yard.settle()
    problem = yard.result(refused, "mine/a").problem
    assert problem is not None
    assert problem.code == "entity-stopped"
