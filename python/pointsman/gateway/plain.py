"""What the endpoints off the hot path share: errors in OpenAI's shape, queries, bodies, whose data it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from pointsman.errors import PointsmanError, RequestError
from pointsman.gateway.asgi import ClientGone, read_headers, read_json
from pointsman.gateway.failure import Failure
from pointsman.gateway.guard import key_of
from pointsman.gateway.headers import failure_headers
from pointsman.router.fields import kind, nearest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

MAX_PAGE = 1000


def failed(error: Exception) -> JSONResponse:
    """An error in OpenAI's shape."""
    failure = Failure.of(error)
    ours = {name.decode(): value.decode() for name, value in failure_headers(failure, None, 0.0)}
    return JSONResponse(failure.body, status_code=failure.status, headers=ours)


def guarded(
    answer: Callable[[Request], Awaitable[JSONResponse]],
) -> Callable[[Request], Awaitable[JSONResponse]]:
    """The endpoint for callers on this machine, its errors in OpenAI's shape."""

    async def endpoint(request: Request) -> JSONResponse:
        try:
            read_headers(request.scope)  # refuses web pages of other sites
            return await answer(request)
        except (PointsmanError, ClientGone) as error:
            return failed(error)

    return endpoint


def tenant_of(request: Request) -> str | None:
    """Whose data the caller may see; `None`: everybody's, of an admin or where there are no keys."""
    key = key_of(request.scope)
    return None if key is None or key.is_admin else key.tenant


def read_query(request: Request, *known: str) -> dict[str, str]:
    """The query's parameters.

    Raises:
        RequestError: One that is not known; names the nearest.
    """
    for name in request.query_params:
        if name not in known:
            raise RequestError(f"unknown query parameter {name!r:.40}{nearest(name, known)}", param=name)
    return dict(request.query_params)


def read_limit(value: str) -> int:
    """How many things a page shows at most.

    Raises:
        RequestError: No integer in [1, 1000].
    """
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= MAX_PAGE:
        raise RequestError(f"limit must be an integer in [1, {MAX_PAGE}], got {kind(value)}", param="limit")
    return int(value[:9])


async def read_body(request: Request) -> dict[str, Any]:
    """The body, a JSON object.

    Raises:
        RequestError: Too large, or no JSON object.
    """
    max_body_bytes = int(request.state.router.registry.server.max_body_mb * 2**20)
    body = await read_json(request.scope, request.receive, max_body_bytes)
    if not isinstance(body, dict):
        raise RequestError(f"the body must be a JSON object, got {kind(body)}")
    return body
