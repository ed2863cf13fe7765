"""The audit while everybody works: it finds what was damaged and nothing else, and harms nobody."""

import random
import time
from pathlib import Path

from tests.chaos.load import Load
from tests.support.site import Site
from wherry.store.checks import Finding
from wherry.store.curing import cure
from wherry.store.fsck import Fsck
from wherry.store.repair import repair_many

#: How long it is looked at the traffic, in seconds.
WATCHED_S = 2.0


def found(site: Site) -> list[Finding]:
    return list(Fsck(site.runtime.store, site.runtime.registry).everything())


def mended(site: Site, findings: list[Finding]) -> list[str]:
    """Mend them; return why some could not be."""
    runtime = site.runtime
    done = cure(runtime.store, runtime.registry, findings, runtime.bundles.code)
    return [why for _, why in done if why]


def damage(site: Site, draw: random.Random) -> str:
    """Damage something on which no turn depends; return what is damaged then."""
    address = draw.choice([f"vessel/v{draw.randrange(40)}", "vessel/ghost", "saga.docking/nobody"])
    runtime, (kind, key) = site.runtime, address.split("/")
    own = runtime.store.keys.partition(runtime.registry.partition_of(address))
    if kind == "vessel":
        runtime.redis.zadd(own.index("vessel", "Decommissioned"), {key: 5})
    else:
        runtime.redis.zadd(own.timers, {f"{address}:tick": 9e14})
    return address


def test_an_audit_and_repairs_while_everybody_works(tmp_path: Path) -> None:
    draw = random.Random(4)
    with Site(tmp_path, sweep_every=5) as site:
        for _ in range(2):
            site.worker(batch=16)
        looks = damaged = 0
        with Load(site, tmp_path):
            ends = time.monotonic() + WATCHED_S
            while looks < 3 or time.monotonic() < ends:
                assert found(site) == []
                wrong = damage(site, draw)
                after = found(site)
                assert {finding.subject for finding in after} == {wrong}
                assert mended(site, after) == []
                damaged += 1
                # To repair what is sound changes nothing, whoever writes to it meanwhile.
                runtime = site.runtime
                everyone = [f"vessel/v{n}" for n in range(40)] + ["port/p0", "port/p1", "port/p2"]
                done = list(
                    repair_many(
                        runtime.store, runtime.registry, everyone, code=runtime.bundles.code
                    )
                )
                assert [one for one in done if one.count] == []
                looks += 1
        site.rest()
        assert site.violations() == []
    assert looks == damaged


def test_states_are_made_anew_by_the_thousand(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        site.worker()
        site.send_increments(500)
        site.send("counter/c0", "Increment", {"by": 1})
        site.rest()
        runtime = site.runtime
        everyone = [f"counter/c{n}" for n in range(100)]
        for address in everyone:
            own = runtime.store.keys.partition(runtime.registry.partition_of(address))
            runtime.redis.hset(own.entity(*address.split("/")), "state", "{}")

        done = list(
            repair_many(runtime.store, runtime.registry, everyone, code=runtime.bundles.code)
        )

        assert [(one.count, one.why) for one in done] == [(1, "")] * 100
        assert site.violations() == []
