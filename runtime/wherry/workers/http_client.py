"""The HTTP client that the calls of a runner share.

A pool of httpx looks at each of its connections for each request, so hundreds in one pool cost
more than the requests. Here each pool has a few; a request goes to the one that has least to do.
Proxies of the environment are not used: a bundle that needs one has a client of its own.
"""

import ssl

import httpx

#: Connections that a pool keeps open for the next request.
_KEPT = 4
#: Requests that a pool has at the same time, when all of them are as busy as can be.
_EACH = 2


class ManyPools(httpx.AsyncBaseTransport):
    """Spreads requests over pools. The first ones are preferred: their connections are open."""

    def __init__(self, requests: int, context: ssl.SSLContext) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=_KEPT)
        count = max(1, requests // _EACH)
        self._pools = [
            httpx.AsyncHTTPTransport(verify=context, limits=limits) for _ in range(count)
        ]
        self._busy = [0] * count

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        at = min(range(len(self._pools)), key=self._busy.__getitem__)
        self._busy[at] += 1
        try:
            return await self._pools[at].handle_async_request(request)
        finally:
            self._busy[at] -= 1

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            await pool.aclose()


def shared_client(requests: int) -> httpx.AsyncClient:
    """A client for so many requests at once. Each call has a time limit of its own already."""
    pools = ManyPools(requests, httpx.create_ssl_context())
    return httpx.AsyncClient(transport=pools, timeout=None)  # noqa: S113
