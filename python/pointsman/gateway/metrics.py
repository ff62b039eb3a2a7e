"""`GET /metrics`, and what the gateway tells of: requests by observers, how things stand at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

import pointsman
from pointsman.observe.prometheus import PrometheusObserver

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message, Scope, Send

    from pointsman.router import Router

FEEDBACK_PATH = "/v1/feedback"


def metrics_of(router: Router) -> PrometheusObserver:
    """An observer that counts a router's requests, and tells how it stands."""
    return PrometheusObserver(lambda: standing(router))


def metrics_routes() -> list[Route]:
    """The routes of this module."""
    return [Route("/metrics", _metrics, methods=["GET"])]


def count_refused(scope: Scope, code: str) -> None:
    """Count a request that is refused before a decision."""
    metrics: PrometheusObserver | None = scope["state"].get("metrics")
    if metrics is not None:
        metrics.refused(code)


def counting_feedback(send: Send, scope: Scope) -> Send:
    """`send` that counts whether feedback was taken."""
    metrics: PrometheusObserver | None = scope["state"].get("metrics")

    async def send_and_count(message: Message) -> None:
        if message["type"] == "http.response.start" and metrics is not None:
            metrics.feedback("taken" if message["status"] < 300 else "refused")
        await send(message)

    return send_and_count


def standing(router: Router) -> dict[str, Any]:
    """How a router stands now, by the names of `pointsman.observe.gauges`."""
    catalog, states = router.registry.catalog, router.deployments()
    limits = {each.deployment: each.concurrency_limit for each in states}
    told: dict[str, Any] = {
        "info": {(pointsman.__version__, catalog.version): 1},
        "deployments": len(catalog),
        "deployment_calls": {each.deployment: each.n_pending for each in states},
        "deployment_calls_limit": {name: limit for name, limit in limits.items() if limit is not None},
        "deployment_state": {(each.deployment, each.state): 1 for each in states},
    }
    if router.cache is not None:
        stats = router.cache.core.stats()
        told["cache_entries"], told["cache_bytes"] = stats.n_entries, stats.n_bytes
        told["cache_evicted"], told["cache_expired"] = stats.n_evicted, stats.n_expired
        told["cache_target_error"], told["cache_events"] = stats.aim, dict(router.cache.counts)
    if router.store is not None:
        told["store_events"] = dict(router.store.counts)
    told |= router.promotions.standing()
    budgets = router.admission.standing()
    for name in ("limit_usd", "used_usd", "price"):
        told[f"budget_{name}"] = {(each["scope"], each["window"]): each[name] for each in budgets}
    return told


async def _metrics(request: Request) -> Response:
    metrics: PrometheusObserver = request.state.metrics
    text, content_type = metrics.render(request.headers.get("accept", ""))
    return Response(text, headers={"content-type": content_type})
