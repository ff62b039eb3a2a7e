"""What a key may still use: rate-limit headers on every answer, and `GET /v1/budgets`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from pointsman.gateway.asgi import encode_headers
from pointsman.gateway.guard import key_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message, Send

    from pointsman.keys import Key
    from pointsman.router.admission import Admission


def limit_routes() -> list[Route]:
    """The routes of this module."""
    return [Route("/v1/budgets", _budgets, methods=["GET"])]


def with_rates(send: Send, admission: Admission, key: Key) -> Send:
    """`send` that puts a key's `x-ratelimit-*` headers in the place of upstream's."""

    async def send_with_rates(message: Message) -> None:
        if message["type"] == "http.response.start":
            theirs = [pair for pair in message["headers"] if not pair[0].startswith(b"x-ratelimit-")]
            message = {**message, "headers": theirs + encode_headers(admission.rates_left(key))}
        await send(message)

    return send_with_rates


def has_rates(key: Key) -> bool:
    """Whether a key has rate limits."""
    return key.requests_per_min is not None or key.tokens_per_min is not None


async def _budgets(request: Request) -> JSONResponse:
    """The budgets that hold for the caller's key."""
    admission: Admission = request.state.router.admission
    return JSONResponse({"object": "list", "data": admission.status(key_of(request.scope))})
