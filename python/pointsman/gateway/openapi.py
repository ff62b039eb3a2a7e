"""`GET /openapi.json`: what the gateway serves, as OpenAPI 3.1; the text is `openapi.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    import yaml  # here: a gateway that nobody asks for it need not parse it

    text = Path(__file__).with_name("openapi.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    del document["x-parts"]  # read already: the rest refers to it by YAML's own means
    return document


def description_route() -> Route:
    """The route of this module."""
    return Route("/openapi.json", _describe, methods=["GET"])


async def _describe(request: Request) -> JSONResponse:
    return JSONResponse(description())
