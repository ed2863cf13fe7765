"""Names of keys are read as they are built, and the two tables agree."""

import re

import pytest

from wherry.store import keys
from wherry.store.known import MANY, OF_NAMESPACE, ONCE, is_of_namespace, read_name

_ROW = re.compile(r"^(\{ns:p\}:|ns:)(\S+) +(\w+) ", re.MULTILINE)
#: Keys of entities, by their names in the table.
ENTITIES = {"<kind>:<key>": "hash", "<kind>:<key>:log": "stream"}


def rows(prefix: str) -> dict[str, str]:
    """Name and type of every key of the table that builds them."""
    found = _ROW.findall(keys.__doc__ or "")
    return {name: type_ for start, name, type_ in found if start == prefix and type_ != "channel"}


def test_every_key_of_a_partition_is_known_and_no_other() -> None:
    told = rows("{ns:p}:")
    assert {name: type_ for name, type_ in told.items() if "<" not in name} == ONCE
    many = {n.partition(":")[0]: t for n, t in told.items() if "<" in n and n not in ENTITIES}
    assert many == MANY
    assert {name: told[name] for name in ENTITIES} == ENTITIES


def test_every_key_of_the_namespace_is_known_and_no_other() -> None:
    told = {re.sub(r"<.*>", "", name): type_ for name, type_ in rows("ns:").items()}
    assert told == OF_NAMESPACE


@pytest.mark.parametrize(
    ("name", "group", "rest"),
    [
        ("{n:0}:inbox", "inbox", ()),
        ("{n:3}:port:a.b~c@d-e", "entity", ("port", "a.b~c@d-e")),
        ("{n:3}:port:a:log", "log", ("port", "a")),
        ("{n:3}:saga.docking:s:log", "log", ("saga.docking", "s")),
        ("{n:3}:index:port:open", "index", ("port", "open")),
        ("{n:3}:result:c-1", "result", ("c-1",)),
        ("{n:3}:held:port:a", "held", ("port", "a")),
        ("{n:4}:inbox", "", ()),
        ("{n:03}:inbox", "", ()),
        ("{n:x}:inbox", "", ()),
        ("{n:3}:treasure", "", ()),
        ("{n:3}:Port:a", "", ()),
        ("{n:3}:port:a:b", "", ()),
        ("{n:3}:port:a:log:b", "", ()),
        ("{n:3}:", "", ()),
        ("{n:3}:index", "", ()),
        ("{n:3}:index:", "", ()),
        ("{n:3}:result:", "", ()),
    ],
)
def test_a_name_is_read(name: str, group: str, rest: tuple[str, ...]) -> None:
    found = read_name(name, 4)
    assert (found.group, found.rest) == (group, rest)


def test_what_a_namespace_has_many_of_has_a_name() -> None:
    assert is_of_namespace("breaker:gateway")
    assert is_of_namespace("apikeys:used")
    assert not is_of_namespace("apikeys:stolen")
    assert not is_of_namespace("treasure")
