"""`POST /v1/feedback`: how good an answer was, or which of two was better; of models and of the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from pointsman.cache.tenancy import owns
from pointsman.errors import RequestError
from pointsman.gateway.plain import guarded, read_body, tenant_of
from pointsman.learning.feedback import DEFAULT_NAME, DEFAULT_SOURCE, read_value
from pointsman.router.fields import label, nearest

if TYPE_CHECKING:
    from starlette.requests import Request

    from pointsman.router import Router

_IDS = ("decision_id", "response_id", "entry_id")
_FIELDS = (*_IDS, "name", "value", "source")


def feedback_routes() -> list[Route]:
    """The routes of this module."""
    return [Route("/v1/feedback", guarded(_feedback), methods=["POST"])]


async def _feedback(request: Request) -> JSONResponse:
    router: Router = request.state.router
    body = await read_body(request)
    for name in body:
        if name not in _FIELDS:
            raise RequestError(f"unknown field {name!r:.40}{nearest(name, _FIELDS)}", param=name)
    value = read_value(body.get("value"))
    given = [name for name in _IDS if body.get(name) is not None]
    is_preference = isinstance(value, tuple)
    if len(given) != (0 if is_preference else 1):
        raise RequestError(_wrong_ids(given, is_preference), param=given[-1] if given else "decision_id")
    name, source = _label(body, "name", DEFAULT_NAME), _label(body, "source", DEFAULT_SOURCE)
    if given == ["entry_id"]:
        entry_id = label(body["entry_id"], "entry_id")
        return JSONResponse(_grade_entry(router, entry_id, body["value"], tenant_of(request)))
    decision_id = label(body[given[0]], given[0]) if given else None
    taken = await router.feedback(
        decision_id, body["value"], name=name, source=source, tenant=tenant_of(request)
    )
    return JSONResponse(
        {
            "object": "feedback",
            "target": "cache" if taken.is_hit else "decision",
            "decision_id": taken.decision_id,
            "is_learned": taken.is_learned,
            "reward": taken.reward,
            "entry_id": taken.entry_id,
            "is_deleted": taken.is_deleted,
        }
    )


def _grade_entry(router: Router, entry_id: str, value: float, tenant: str | None) -> dict[str, Any]:
    """Grade a kept answer itself, as if its own question had been asked."""
    is_own = router.cache is not None and owns(router.cache, tenant, entry_id)
    if not is_own or not router.feedback_cache(entry_id, value >= 0.5, weight=abs(2 * value - 1)):
        raise RequestError(
            f"there is no entry {entry_id!r:.40} in the cache; GET /v1/cache/entries lists them",
            code="caller_unknown_entry",
            param="entry_id",
            status=404,
        )
    is_deleted = router.cache is None or router.cache.core.get(entry_id) is None
    return {"object": "feedback", "target": "cache", "entry_id": entry_id, "is_deleted": is_deleted}


def _wrong_ids(given: list[str], is_preference: bool) -> str:
    seen = " and ".join(given) or "none"
    if is_preference:
        return f"a preference names its decisions in value; drop {seen}"
    return f"give one of {', '.join(_IDS)}, got {seen}"


def _label(body: dict[str, Any], name: str, default: str) -> str:
    return default if body.get(name) is None else label(body[name], name)
