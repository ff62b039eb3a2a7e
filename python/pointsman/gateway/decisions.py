"""`GET /v1/decisions` and `GET /v1/decisions/{id}`: what was decided and why, out of the decision log."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.responses import JSONResponse
from starlette.routing import Route

from pointsman.errors import RequestError
from pointsman.gateway.plain import guarded, read_limit, read_query, tenant_of
from pointsman.router.ledger import explained, unknown_decision

if TYPE_CHECKING:
    from starlette.requests import Request

    from pointsman.store.store import DecisionStore

_FLUSH_WITHIN_S = 2.0


def decision_routes() -> list[Route]:
    """The routes of this module."""
    return [
        Route("/v1/decisions", guarded(_list), methods=["GET"]),
        Route("/v1/decisions/{decision_id}", guarded(_show), methods=["GET"]),
    ]


async def _list(request: Request) -> JSONResponse:
    """A page of decisions, newest first, without what is large of them."""
    query = read_query(request, "tenant", "model", "since", "limit", "cursor")
    store, limit = _store(request), read_limit(query.get("limit", "100"))
    own, asked = tenant_of(request), query.get("tenant")
    if own is not None and asked not in (None, own):
        raise RequestError(f"tenant {asked!r:.40} is not yours; leave it out", param="tenant", status=404)
    since_s, before = _since(query.get("since")), _cursor(query.get("cursor"))

    def read() -> list[dict[str, Any]]:
        store.flush(_FLUSH_WITHIN_S)
        model, tenant = query.get("model"), own or asked
        return store.page(tenant=tenant, model=model, since_s=since_s, before=before, limit=limit + 1)

    rows = await to_thread.run_sync(read)
    page = rows[:limit]
    next_cursor = f"{page[-1]['decided_at_s']!r}:{page[-1]['decision_id']}" if len(rows) > limit else None
    return JSONResponse(
        {"object": "list", "data": page, "has_more": next_cursor is not None, "next_cursor": next_cursor}
    )


async def _show(request: Request) -> JSONResponse:
    """The whole Decision, with what became of it and what was said of its answer."""
    read_query(request)
    store, decision_id = _store(request), request.path_params["decision_id"]
    found = await to_thread.run_sync(explained, store, decision_id, tenant_of(request))
    if found is None:
        raise unknown_decision(decision_id, has_log=True)
    return JSONResponse(found)


def _store(request: Request) -> DecisionStore:
    store: DecisionStore | None = request.state.router.store
    if store is None:
        raise RequestError(
            "this gateway keeps no log of decisions; add `store: {}` to its config",
            code="caller_no_store",
            status=404,
        )
    return store


def _since(text: str | None) -> float | None:
    """Unix seconds of a number or a date."""
    if text is None:
        return None
    try:
        moment = float(text)
    except ValueError:
        try:
            read = datetime.fromisoformat(text)
        except ValueError:
            moment = math.nan
        else:
            moment = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(moment):
        raise RequestError(
            f"since must be Unix seconds or a date such as 2026-11-28T12:00, got {text!r:.40}", param="since"
        )
    return moment


def _cursor(text: str | None) -> tuple[float, str] | None:
    if text is None:
        return None
    at, mark, decision_id = text.partition(":")
    try:
        at_s = float(at)
    except ValueError:
        at_s = math.nan
    if not mark or not math.isfinite(at_s):
        raise RequestError(
            f"cursor {text!r:.60} is none; give next_cursor of the page before", param="cursor"
        )
    return at_s, decision_id
