"""Reading large keys page by page, while others write to them."""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, cast

from redis import Redis

from wherry.store.client import reaching

#: Members of a large key, or keys, that one round trip looks at.
PAGE = 500
_FOREVER = 10**15

Pairs = list[tuple[bytes, Any]]


def keys_like(redis: Redis, pattern: str) -> Iterator[list[str]]:
    """The keys that match a pattern. One that others move may come twice."""
    for page in _pages(lambda at: redis.scan(at, match=pattern, count=PAGE)):
        yield [key.decode(errors="surrogateescape") for key in page]


def members(redis: Redis, zset: str) -> Iterator[dict[str, int]]:
    """The members of a sorted set with their scores."""
    for page in _pages(lambda at: redis.zscan(zset, at, count=PAGE)):
        yield {name.decode(errors="replace"): whole(score) for name, score in page}


def whole(score: float) -> int:
    """A score as the time that it has to be; one without an end is as late as can be."""
    return int(score) if isfinite(score) else (_FOREVER if score > 0 else 0)


def fields(redis: Redis, hash_: str) -> Iterator[dict[str, bytes]]:
    """The fields of a hash."""
    for page in _pages(lambda at: redis.hscan(hash_, at, count=PAGE)):
        yield {name.decode(errors="replace"): value for name, value in dict(page).items()}


def _pages(scan: Callable[[int], Any]) -> Iterator[Any]:
    at = 0
    while True:
        with reaching():
            at, page = cast("tuple[int, Any]", scan(at))
        if page:
            yield page
        if at == 0:
            return
