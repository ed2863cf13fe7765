"""Renewal: a process that serves takes the code that is deployed, and loses no request by it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.concurrency import run_in_threadpool

from wherry.errors import WherryError
from wherry.http.service import Service
from wherry.wiring import catch_up

log = logging.getLogger(__name__)

#: How long to pause before looking again for code that is not on this machine, or for Redis.
PAUSE_S = 2.0


@asynccontextmanager
async def renewal(service: Service) -> AsyncIterator[None]:
    """Renew the service's code whenever something is deployed, while the block runs."""
    task = asyncio.create_task(_renew(service))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _renew(service: Service) -> None:
    """Listen for deployments, for ever; what was deployed before we listened is looked up."""
    channel = service.runtime.store.keys.deployed_channel
    while True:
        try:
            async with service.courier.link.replies(channel) as told:
                await _catch_up(service)
                async for _ in told:
                    await _catch_up(service)
        except WherryError as error:
            log.debug("nobody tells of deployments: %s", error)
        except Exception:
            log.exception("the code that is deployed could not be taken")
        await asyncio.sleep(PAUSE_S)


async def _catch_up(service: Service) -> None:
    """Until this machine has the code, the process serves with what it has."""
    said = False
    while not await run_in_threadpool(catch_up, service.runtime):
        if not said:
            log.warning("until it is here, we serve with the code that we have")
            said = True
        await asyncio.sleep(PAUSE_S)
