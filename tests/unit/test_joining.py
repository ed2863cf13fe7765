"""A response is written at once, and nothing is ever held for long or out of order."""

import asyncio
from typing import Any

from wherry.http.joining import Joining

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Pipe:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.said: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def close(self) -> None:
        self.said.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.said


async def joined(*writes: bytes | str | None) -> list[bytes | str]:
    """What arrives of some writes; None is the next turn of the loop."""
    pipe: Any = Pipe()
    joining = Joining(pipe, asyncio.get_running_loop())
    for data in writes:
        if data is None:
            await asyncio.sleep(0)
        elif isinstance(data, str):
            joining.close()
        else:
            joining.write(data)
    await asyncio.sleep(0)
    assert joining.is_closing() is ("close" in writes)
    return list(pipe.said)


def test_a_head_goes_with_the_beginning_of_its_body() -> None:
    assert asyncio.run(joined(HEAD, b"{}")) == [HEAD + b"{}"]
    assert asyncio.run(joined(HEAD, b"{", b"}")) == [HEAD + b"{", b"}"]
    assert asyncio.run(joined(HEAD, b"")) == [HEAD]


def test_a_head_without_a_body_does_not_wait() -> None:
    assert asyncio.run(joined(HEAD)) == [HEAD]
    assert asyncio.run(joined(HEAD, None, b"{}")) == [HEAD, b"{}"]


def test_responses_keep_their_order() -> None:
    said = asyncio.run(joined(HEAD, HEAD, b"a", HEAD, b"b", None, b"c"))

    assert b"".join(map(bytes, said)) == HEAD + HEAD + b"a" + HEAD + b"b" + b"c"  # type: ignore[arg-type]


def test_what_is_held_is_sent_before_the_end() -> None:
    assert asyncio.run(joined(HEAD, "close")) == [HEAD, "closed"]
    assert asyncio.run(joined(HEAD, b"x", "close")) == [HEAD + b"x", "closed"]
