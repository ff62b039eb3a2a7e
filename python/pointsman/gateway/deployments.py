"""`GET /v1/deployments`: how each deployment is now, of the models that the caller's key may use."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from pointsman.errors import PointsmanError
from pointsman.gateway.asgi import read_headers
from pointsman.gateway.guard import key_of
from pointsman.gateway.plain import failed

if TYPE_CHECKING:
    from starlette.requests import Request


async def deployments(request: Request) -> JSONResponse:
    """List the deployments with breaker, load and what is left of their rate limits."""
    try:
        read_headers(request.scope)  # refuses web pages of other sites
    except PointsmanError as error:
        return failed(error)
    key = key_of(request.scope)
    states = request.state.router.deployments()
    seen = [state for state in states if key is None or key.models is None or state.model in key.models]
    data = [{"object": "deployment", **asdict(state)} for state in seen]
    return JSONResponse({"object": "list", "data": data})
