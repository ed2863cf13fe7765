"""One call over HTTP, and what its outcome says.

A 4xx with a code is a definite no. 429, 503 and a connection that was never made: certainly not
done. All else - another 5xx, a cut connection, no answer in time - leaves it open.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from orders import settings
from wherry import Attempt, Rejected, Retry, Transient

#: For what may fail in the end: an order is not paid, a parcel is not booked.
WITHIN = Retry(first=timedelta(milliseconds=200), attempts=0, within=settings.RETRY_WITHIN)
#: For what gives something back: it must arrive, whatever is broken for however long.
FOR_EVER = Retry(first=timedelta(milliseconds=200), attempts=0)

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOT_DONE = {429, 503}
#: The code of a refusal is stored as a reason, and told to others.
LONGEST_CODE = 100


async def post(attempt: Attempt, base: str, path: str, body: Mapping[str, Any]) -> Any:
    """Send a call; return the JSON of its answer."""
    answer = await _request(attempt, "POST", base, path, json=body)
    return _read(answer)


async def find(attempt: Attempt, base: str, path: str) -> Any:
    """Ask what became of this call; None when the target has not seen it."""
    answer = await _request(attempt, "GET", base, f"{path}/{attempt.key}")
    return None if answer.status_code == httpx.codes.NOT_FOUND else _read(answer)


async def _request(
    attempt: Attempt, method: str, base: str, path: str, **more: Any
) -> httpx.Response:
    if not base:
        raise Transient("where it is, no setting says")
    try:
        return await attempt.http.request(
            method, base + path, headers=dict(attempt.headers), timeout=attempt.timeout, **more
        )
    except _NOT_SENT as error:
        raise Transient(f"{_place(httpx.URL(base))}: {error!r}") from error


def _read(answer: httpx.Response) -> Any:
    if answer.status_code in _NOT_DONE:
        raise Transient(_answered(answer))
    if answer.is_client_error and (code := _code(answer)):
        raise Rejected(code, f"{answer.url.host} said no")
    if not answer.is_success:
        raise httpx.HTTPStatusError(_answered(answer), request=answer.request, response=answer)
    return answer.json()


def _answered(answer: httpx.Response) -> str:
    return f"{_place(answer.url)} answered {answer.status_code}"


def _place(url: httpx.URL) -> str:
    """Where it is, without the password that may be part of it: errors are kept and shown."""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}"


def _code(answer: httpx.Response) -> str:
    """The code of a refusal; empty when it is not one of the target's own."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("code", ""))[:LONGEST_CODE] if isinstance(body, dict) else ""
