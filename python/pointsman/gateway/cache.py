"""The cache over HTTP: `/v1/cache`, `/v1/cache/entries`, and feedback on what was answered from it.

A tenant sees, changes and grades its own entries only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.responses import JSONResponse
from starlette.routing import Route

from pointsman.cache import entries
from pointsman.cache.tenancy import owns
from pointsman.errors import PointsmanError, RequestError
from pointsman.gateway.asgi import ClientGone, read_headers, read_json
from pointsman.gateway.failure import Failure
from pointsman.gateway.guard import key_of
from pointsman.gateway.headers import failure_headers
from pointsman.router.fields import kind, label, nearest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from pointsman.cache.store import AnswerCache
    from pointsman.router import Router

_MAX_PAGE = 1000
_ALL = "*"
_FEEDBACK_IDS = ("decision_id", "response_id", "entry_id")
_FEEDBACK_FIELDS = (*_FEEDBACK_IDS, "name", "value", "source")


def cache_routes() -> list[Route]:
    """The routes of this module."""
    one = "/v1/cache/entries/{entry_id}"
    return [
        Route("/v1/feedback", _guarded(_feedback), methods=["POST"]),
        Route("/v1/cache", _guarded(_count), methods=["GET"]),
        Route("/v1/cache", _guarded(_clear), methods=["DELETE"]),
        Route("/v1/cache/entries", _guarded(_list), methods=["GET"]),
        Route(one, _guarded(_show), methods=["GET"]),
        Route(one, _guarded(_correct), methods=["PATCH"]),
        Route(one, _guarded(_delete), methods=["DELETE"]),
    ]


def failed(error: Exception) -> JSONResponse:
    """An error in OpenAI's shape."""
    failure = Failure.of(error)
    ours = {name.decode(): value.decode() for name, value in failure_headers(failure, None, 0.0)}
    return JSONResponse(failure.body, status_code=failure.status, headers=ours)


def _guarded(
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


async def _count(request: Request) -> JSONResponse:
    key = key_of(request.scope)
    cache = _cache(request)
    if key is None or key.is_admin:
        return JSONResponse(entries.count_entries(cache))
    return JSONResponse(await to_thread.run_sync(entries.count_owned, cache, key.tenant))


async def _list(request: Request) -> JSONResponse:
    query = _query(request, "namespace", "after", "limit")
    limit = _limit(query.get("limit", "100"))
    cache, tenant = _cache(request), _tenant(request)
    cache.insert_waiting()
    page = await to_thread.run_sync(
        lambda: entries.list_entries(
            cache, query.get("namespace"), after=query.get("after"), limit=limit, tenant=tenant
        )
    )
    return JSONResponse(page)


async def _show(request: Request) -> JSONResponse:
    entry_id = request.path_params["entry_id"]
    found = entries.show_entry(_cache(request), entry_id, _tenant(request))
    return JSONResponse(found) if found else failed(_no_entry(entry_id))


async def _correct(request: Request) -> JSONResponse:
    entry_id, cache, tenant = request.path_params["entry_id"], _cache(request), _tenant(request)
    body = await _body(request)
    for name in body:
        if name != "answer":
            raise RequestError(f"unknown field {name!r:.40}{nearest(name, ['answer'])}", param=name)
    answer = body.get("answer")
    if not isinstance(answer, str) or not answer:
        raise RequestError(f"answer must be a non-empty string, got {kind(answer)}", param="answer")
    if not entries.correct_entry(cache, entry_id, answer, tenant):
        raise _no_entry(entry_id)
    return JSONResponse(entries.show_entry(cache, entry_id, tenant))


async def _delete(request: Request) -> JSONResponse:
    entry_id = request.path_params["entry_id"]
    if not entries.delete_entry(_cache(request), entry_id, _tenant(request)):
        raise _no_entry(entry_id)
    return JSONResponse({"id": entry_id, "object": "cache.entry", "deleted": True})


async def _clear(request: Request) -> JSONResponse:
    namespace = _query(request, "namespace").get("namespace")
    if not namespace:
        raise RequestError(
            f"name what to clear: ?namespace=NAME, or ?namespace={_ALL} for everything", param="namespace"
        )
    cache = _cache(request)
    cache.insert_waiting()
    n_deleted = await to_thread.run_sync(
        entries.clear_entries, cache, None if namespace == _ALL else namespace, _tenant(request)
    )
    cache.changed()  # once more: in the thread there was no event loop to write from
    return JSONResponse({"object": "cache", "namespace": namespace, "n_deleted": n_deleted})


async def _feedback(request: Request) -> JSONResponse:
    """Feedback on an answer from the cache; other feedback is not taken yet."""
    router: Router = request.state.router
    body = await _body(request)
    for name in body:
        if name not in _FEEDBACK_FIELDS:
            raise RequestError(f"unknown field {name!r:.40}{nearest(name, _FEEDBACK_FIELDS)}", param=name)
    hit_id, value = _hit_id(body), _value(body.get("value"))
    for name in ("name", "source"):
        if body.get(name) is not None:
            label(body[name], name)
    hit = router.cache.hit_of(hit_id.removeprefix("chatcmpl-")) if router.cache else None
    tenant = _tenant(request)
    is_foreign = router.cache and hit and tenant and not owns(router.cache, tenant, hit.entry_id)
    if router.cache is None or hit is None or is_foreign:
        raise RequestError(
            f"{hit_id!r:.80} is no recent answer from the cache and no entry of it; "
            "this version takes feedback on those only",
            code="caller_unknown_decision",
            status=404,
        )
    router.feedback_cache(hit_id, value >= 0.5, weight=abs(2 * value - 1))
    is_deleted = router.cache.core.get(hit.entry_id) is None
    taken = {"object": "feedback", "target": "cache", "entry_id": hit.entry_id, "is_deleted": is_deleted}
    return JSONResponse(taken)


def _hit_id(body: dict[str, Any]) -> str:
    given = [name for name in _FEEDBACK_IDS if body.get(name) is not None]
    if len(given) != 1:
        seen = " and ".join(given) or "none"
        raise RequestError(
            f"give one of {', '.join(_FEEDBACK_IDS)}, got {seen}", param=given[1] if given else "decision_id"
        )
    return label(body[given[0]], given[0])


def _value(value: Any) -> float:
    """How right an answer was, in [0, 1]."""
    is_number = isinstance(value, bool | int | float)
    if not is_number or not 0 <= value <= 1:
        raise RequestError(
            f"value must be true, false or a number in [0, 1] for a kept answer, got {kind(value)}",
            param="value",
        )
    return float(value)


def _tenant(request: Request) -> str | None:
    """Whose entries the caller may see; `None`: all, where there are no keys."""
    key = key_of(request.scope)
    return key.tenant if key else None


def _cache(request: Request) -> AnswerCache:
    cache: AnswerCache | None = request.state.router.cache
    if cache is None:
        raise RequestError(
            "this gateway has no cache; add `cache: {}` to its config", code="caller_no_cache", status=404
        )
    return cache


def _query(request: Request, *known: str) -> dict[str, str]:
    for name in request.query_params:
        if name not in known:
            raise RequestError(f"unknown query parameter {name!r:.40}{nearest(name, known)}", param=name)
    return dict(request.query_params)


def _limit(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= _MAX_PAGE:
        raise RequestError(f"limit must be an integer in [1, {_MAX_PAGE}], got {kind(value)}", param="limit")
    return int(value[:9])


async def _body(request: Request) -> dict[str, Any]:
    max_body_bytes = int(request.state.router.registry.server.max_body_mb * 2**20)
    body = await read_json(request.scope, request.receive, max_body_bytes)
    if not isinstance(body, dict):
        raise RequestError(f"the body must be a JSON object, got {kind(body)}")
    return body


def _no_entry(entry_id: str) -> RequestError:
    return RequestError(
        f"there is no entry {entry_id!r:.40} in the cache; GET /v1/cache/entries lists them",
        code="caller_unknown_entry",
        status=404,
    )
