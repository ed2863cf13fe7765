"""Many orders, something goes wrong at every step, everybody is killed: the books are right."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import shop_load
from tests.support.shop_load import Load
from tests.support.shop_site import ShopSite

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(3600)]


def test_every_order_ends_and_all_books_are_right_whatever_goes_wrong(
    tmp_path: Path, orders: int, record_property: Callable[[str, object], None]
) -> None:
    """S1 S105 S106 S134 S135 S137: declined, sold out, lost, unknown, cancelled, killed."""
    with ShopSite(tmp_path, sweep_every=1, linger=2, settings=shop_load.SETTINGS) as site:
        workers, runners = site.staff(workers=2, runners=2)
        shop_load.furnish(site)
        load = Load(site, orders)
        load.run(workers, runners)

        space = site.read()
        unsettled = [key for key, _, order in space.of("order") if not order.settled]
        assert unsettled == []
        assert unexplained(site.wrong()) == []
        assert load.placed == orders
        said = figures(site, load)
        record_property("figures", said)
        sys.stderr.write(f"{said}\n")
        require_faults(site, load)


def unexplained(wrong: list[str]) -> list[str]:
    """What is wrong, but for notices that the webhook did not take: nobody waits for those."""
    return [said for said in wrong if not said.startswith("dead letter: PostNotice to webhook/")]


def figures(site: ShopSite, load: Load) -> str:
    ends = ", ".join(f"{count} {name}" for name, count in sorted(load.ends().items()))
    outcomes = ", ".join(f"{n} {name}" for name, n in sorted(outcomes_of(site).items()))
    return (
        f"{load.placed} orders: {ends}; attempts at calls: {outcomes}; "
        f"{load.kills} kills, {load.restarts} of the server; {load.outages} outages of a target"
    )


def outcomes_of(site: ShopSite) -> Counter[str]:
    """How attempts at calls ended."""
    found: Counter[str] = Counter()
    for name, count in site.runtime.store.counters(site.partitions).items():
        if name.startswith("effect:"):
            found[name.rpartition(":")[2]] += count
    return found


def require_faults(site: ShopSite, load: Load) -> None:
    """A run in which nothing went wrong shows nothing."""
    ends, outcomes = load.ends(), outcomes_of(site)
    for status in ("Delivered", "Cancelled", "PaymentFailed", "ShipmentFailed"):
        assert ends[status] > load.orders // 100, f"hardly any order ended {status}"
    assert outcomes["again"] > load.orders // 10, "hardly any call was made again"
    assert outcomes["rejected"] > load.orders // 50, "hardly any call was refused"
    assert load.kills > load.orders // 30, "hardly anybody was killed"
