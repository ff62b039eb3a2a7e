"""The cache over HTTP: `/v1/cache` and `/v1/cache/entries`.

A tenant sees, changes and grades its own entries only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.responses import JSONResponse
from starlette.routing import Route

from pointsman.cache import entries
from pointsman.errors import RequestError
from pointsman.gateway.guard import key_of
from pointsman.gateway.plain import failed, guarded, read_body, read_limit, read_query
from pointsman.router.fields import kind, nearest

if TYPE_CHECKING:
    from starlette.requests import Request

    from pointsman.cache.store import AnswerCache

_ALL = "*"


def cache_routes() -> list[Route]:
    """The routes of this module."""
    one = "/v1/cache/entries/{entry_id}"
    return [
        Route("/v1/cache", guarded(_count), methods=["GET"]),
        Route("/v1/cache", guarded(_clear), methods=["DELETE"]),
        Route("/v1/cache/entries", guarded(_list), methods=["GET"]),
        Route(one, guarded(_show), methods=["GET"]),
        Route(one, guarded(_correct), methods=["PATCH"]),
        Route(one, guarded(_delete), methods=["DELETE"]),
    ]


async def _count(request: Request) -> JSONResponse:
    key = key_of(request.scope)
    cache = _cache(request)
    if key is None or key.is_admin:
        return JSONResponse(entries.count_entries(cache))
    return JSONResponse(await to_thread.run_sync(entries.count_owned, cache, key.tenant))


async def _list(request: Request) -> JSONResponse:
    query = read_query(request, "namespace", "after", "limit")
    limit = read_limit(query.get("limit", "100"))
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
    body = await read_body(request)
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
    namespace = read_query(request, "namespace").get("namespace")
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


def _no_entry(entry_id: str) -> RequestError:
    return RequestError(
        f"there is no entry {entry_id!r:.40} in the cache; GET /v1/cache/entries lists them",
        code="caller_unknown_entry",
        status=404,
    )
