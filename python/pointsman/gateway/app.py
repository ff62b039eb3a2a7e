"""The gateway application."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from pointsman.errors import RequestError
from pointsman.gateway.cache import cache_routes
from pointsman.gateway.chat import ChatEndpoint, RouteEndpoint
from pointsman.gateway.decisions import decision_routes
from pointsman.gateway.deployments import deployments
from pointsman.gateway.embeddings import EmbeddingsEndpoint
from pointsman.gateway.feedback import feedback_routes
from pointsman.gateway.guard import Guard, key_of
from pointsman.gateway.limits import has_rates, limit_routes, with_rates
from pointsman.gateway.messages import CountTokensEndpoint, MessagesEndpoint
from pointsman.gateway.metrics import (
    FEEDBACK_PATH,
    count_refused,
    counting_feedback,
    metrics_of,
    metrics_routes,
)
from pointsman.gateway.openapi import description_route
from pointsman.gateway.plain import failed
from pointsman.gateway.policies import PolicyWatch
from pointsman.gateway.responses import ResponsesEndpoint
from pointsman.gateway.trace import passing_on
from pointsman.observe.logs import LogObserver
from pointsman.observe.tracing import OpenTelemetryObserver, in_trace
from pointsman.registry.reload import ConfigWatcher
from pointsman.router import Router
from pointsman.router.fields import nearest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from pointsman.gateway.endpoint import RoutedEndpoint
    from pointsman.registry import Registry

_LOG = logging.getLogger("pointsman.gateway")
CONFIG_VARIABLE = "POINTSMAN_CONFIG"

_GC_THRESHOLD = 20_000
"""Objects made between two looks of the collector at the young ones; chosen, see `make bench`."""


def create_app(
    config: str | Path | Mapping[str, Any] | None = None, *, router: Router | None = None
) -> Gateway:
    """Make the gateway as an ASGI application.

    Args:
        config: Config file (watched, and reloaded on SIGHUP), a mapping of the same shape, or `None` for the
            file that the environment variable `POINTSMAN_CONFIG` names, else the environment's API keys.
        router: A router to serve instead; the caller keeps it and closes it.

    Raises:
        ConfigError: The config cannot be used.
    """
    if config is None and router is None:
        config = os.environ.get(CONFIG_VARIABLE)
    served = router or Router.from_config(config)
    watched = Path(config) if isinstance(config, str | Path) and router is None else None
    guard = Guard(served.registry.keys)
    life = _Life(served, watched, guard, owns_router=router is None)
    hot = {
        "/v1/chat/completions": ChatEndpoint(),
        "/v1/embeddings": EmbeddingsEndpoint(),
        "/v1/messages": MessagesEndpoint(),
        "/v1/messages/count_tokens": CountTokensEndpoint(),
        "/v1/responses": ResponsesEndpoint(),
        "/v1/route": RouteEndpoint(),
    }
    app = Starlette(
        routes=[
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in hot.items()),
            Route("/v1/deployments", deployments, methods=["GET"]),
            Route("/v1/models", _models, methods=["GET"]),
            Route("/v1/models/{name:path}", _model, methods=["GET"]),
            Route("/v1/certificates", _certificates, methods=["GET"]),
            *cache_routes(),
            *limit_routes(),
            *metrics_routes(),
            *decision_routes(),
            *feedback_routes(),
            Route("/health/live", _live, methods=["GET"]),
            Route("/health/ready", _ready, methods=["GET"]),
            description_route(),
        ],
        exception_handlers={HTTPException: _http_failure},
        lifespan=life.lifespan,
    )
    app.state.gateway = gateway = Gateway(app, hot, guard, served)
    return gateway


class Gateway:
    """The application; hot paths are reached past Starlette's router and middleware (16 µs a request)."""

    def __init__(
        self, app: Starlette, hot: Mapping[str, RoutedEndpoint], guard: Guard, router: Router
    ) -> None:
        self._app = app
        self._hot = hot
        self._guard = guard
        self._router = router

    def open(self) -> None:
        """Take what only one process may have; done by itself when the server starts.

        Raises:
            ConfigError: Another process counts spending where this one is to.
        """
        self._router.admission.open()
        if self._guard.has_budgets:
            self._router.admission.accounts.open()  # now, not with the first request of such a key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        endpoint = self._hot.get(scope.get("path", "")) if scope.get("method") == "POST" else None
        # Here, before any route: none can be added that forgets to ask for the key.
        refusal = self._guard.admit(scope) if scope["type"] == "http" else None
        if refusal is None:
            if scope["type"] == "http" and (key := key_of(scope)) is not None and has_rates(key):
                send = with_rates(send, scope["state"]["router"].admission, key)
            if scope.get("path") == FEEDBACK_PATH:
                send = counting_feedback(send, scope)
            headers = scope.get("headers", ())
            with passing_on(headers), in_trace(headers):
                await (endpoint or self._app)(scope, receive, send)
        elif endpoint is not None:
            await endpoint.refuse(scope, receive, send, refusal)
        else:
            count_refused(scope, refusal.code)
            await failed(refusal)(scope, receive, send)


class _Life:
    """Start to end of the served application: the router, and the watch over its config file."""

    def __init__(self, router: Router, config: Path | None, guard: Guard, *, owns_router: bool) -> None:
        self._router = router
        self._config = config
        self._guard = guard
        self._policies = PolicyWatch(router)
        self._metrics = metrics_of(router)
        for observer in (self._metrics, OpenTelemetryObserver(), LogObserver()):
            router.add_observer(observer)
        self._owns_router = owns_router

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[dict[str, Any]]:
        # What is alive now stays alive: the collector need not look at it again (8 % of CPU under load).
        gc.collect()
        gc.freeze()
        # A request makes hundreds of objects, hardly ever a cycle: looking each 700 is 5 % of its CPU.
        gc.set_threshold(_GC_THRESHOLD, *gc.get_threshold()[1:])
        current = self._router.registry
        watcher = ConfigWatcher(self._config, self._swap, current=current) if self._config else None
        watching = asyncio.create_task(watcher.run()) if watcher else None
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            reload = watcher.request_reload if watcher else _nothing_to_reload
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
        app.state.gateway.open()
        self._guard.start()
        self._policies.start()
        try:
            yield {
                "router": self._router,
                "watcher": watcher,
                "guard": self._guard,
                "policies": self._policies,
                "metrics": self._metrics,
                "started_s": int(time.time()),
            }
        finally:
            await self._policies.stop()
            await self._guard.stop()
            if watching:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            if self._owns_router:
                await self._router.aclose()

    async def _swap(self, registry: Registry) -> None:
        if registry.server != self._router.registry.server:
            _LOG.warning("server settings have changed; host, port and limits of the socket need a restart")
        await self._router.swap(registry)
        await self._policies.follow()
        await self._guard.follow(registry.keys)
        _LOG.info("config %s is live: %d deployments", registry.catalog.version, len(registry.catalog))


def _nothing_to_reload() -> None:
    _LOG.info("SIGHUP: there is no config file to reload")


def _listed(request: Request) -> dict[str, dict[str, Any]]:
    """OpenAI's model objects by id: the policies as `auto...`, then the models."""
    registry: Registry = request.state.router.registry
    created_s: int = request.state.started_s
    autos = ["auto", *(f"auto:{name}" for name in registry.policies if name != "default")]
    owners = {model: "pointsman" for model in autos}
    key = key_of(request.scope)
    for deployment in (*registry.deployments, *registry.embedding_deployments):
        if key is None or key.models is None or deployment.model in key.models:
            owners.setdefault(deployment.model, deployment.provider)
    return {
        model: {"id": model, "object": "model", "created": created_s, "owned_by": owner}
        for model, owner in owners.items()
    }


async def _models(request: Request) -> JSONResponse:
    return JSONResponse({"object": "list", "data": list(_listed(request).values())})


async def _model(request: Request) -> JSONResponse:
    name, listed = request.path_params["name"], _listed(request)
    if name not in listed:
        message = f"no model named {name!r:.100}{nearest(name, listed)}"
        wrong = RequestError(message, code="caller_model_not_found", param="model", status=404)
        return failed(wrong)
    return JSONResponse(listed[name])


async def _certificates(request: Request) -> JSONResponse:
    """Which quality floors are certified, slice by slice, and which are broken."""
    return JSONResponse({"object": "list", "data": request.state.router.floors()})


async def _live(request: Request) -> JSONResponse:
    return JSONResponse({"status": "live"})


async def _ready(request: Request) -> JSONResponse:
    """Ready whenever a catalog is loaded; a rejected newer config is told, and does not make it unready.

    What is wrong with it is told only where no keys are needed, as this path needs none.
    """
    catalog = request.state.router.registry.catalog
    watcher: ConfigWatcher | None = request.state.watcher
    guard: Guard = request.state.guard
    of_policies: PolicyWatch = request.state.policies
    problems = [*(watcher.last_error if watcher else []), *guard.problems, *of_policies.problems]
    return JSONResponse(
        {
            "status": "ready",
            "config_version": catalog.version,
            "n_deployments": len(catalog),
            "config": {
                "state": "rejected" if problems else "current",
                "problems": [] if guard.is_on else problems,
                "is_polled": watcher is not None and watcher.is_polling,
                "rejected_at": watcher.last_error_at if watcher else None,
            },
        }
    )


async def _http_failure(request: Request, error: Exception) -> JSONResponse:
    """Unknown paths and methods, in OpenAI's shape."""
    path = request.url.path
    allowed = sorted(
        {method for route in _routes(request) if route.path == path for method in route.methods or ()}
    )
    if allowed:
        message = f"{request.method} {path} is not served; use {' or '.join(allowed)}"
        wrong = RequestError(message, code="caller_unknown_endpoint", status=405)
        refused = failed(wrong)
        refused.headers["allow"] = ", ".join(allowed)
        return refused
    known = ", ".join(sorted({route.path for route in _routes(request)}))
    message = f"{request.method} {path} is not served; known paths: {known}"
    return failed(RequestError(message, code="caller_unknown_endpoint", status=404))


def _routes(request: Request) -> list[Route]:
    return [route for route in request.app.routes if isinstance(route, Route)]
