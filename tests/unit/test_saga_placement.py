"""Where a saga lives: near the entity that its author names, unless the caller chooses its id."""

import docking
from docking.messages import PortKind
from wherry.engine.registry import Registry
from wherry.engine.saga import id_near
from wherry.gateway.requests import Options, saga_start

INPUT = {"vessel_id": "v1", "port_id": "rotterdam"}


def registry() -> Registry:
    return Registry(docking.app, 1024)


def test_a_saga_without_an_id_shares_the_partition_of_its_port() -> None:
    request = saga_start(registry(), "docking", INPUT, 0)

    assert request.entity.endswith("@port~rotterdam")
    assert registry().partition_of("port/rotterdam") == request.sending.partition


def test_a_saga_with_an_id_is_where_its_id_says() -> None:
    by_id = saga_start(registry(), "docking", INPUT, 0, saga_id="d1")
    by_key = saga_start(registry(), "docking", INPUT, 0, Options(key="k1"))

    assert ("saga.docking/d1", "saga.docking/k1") == (by_id.entity, by_key.entity)
    assert registry().partition_of("saga.docking/d1") == by_id.sending.partition


def test_a_place_that_cannot_be_part_of_an_id_is_left_out() -> None:
    assert "u" == id_near("u", PortKind.ref("x" * 128))
