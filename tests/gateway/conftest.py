"""A real gateway on a loopback port, in front of scripted providers."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from pointsman.config import parse_config
from pointsman.gateway.app import create_app
from pointsman.gateway.server import server_settings
from pointsman.providers import Answer, ScriptedProvider
from pointsman.registry import registry_from_config
from pointsman.router import Router

PROVIDERS = ("alpha", "beta", "gamma")
HEADERS = (
    "decision-id model deployment provider strategy policy-version reason predicted-quality confidence cost-usd "
    "baseline-cost-usd cache attempts overhead-us"
).split()


def config() -> dict[str, Any]:
    """Three models, each at a provider of its own; alpha is cheap, gamma is good."""
    price = {"alpha": 0.04, "beta": 0.8, "gamma": 6.2}
    quality = {"nano": 0.6, "middle": 0.8, "frontier": 0.95}
    models = dict(zip(quality, PROVIDERS, strict=True))
    capabilities = ["tools", "json_object", "json_schema", "vision", "logprobs"]
    return {
        "providers": {name: {"base_url": f"http://127.0.0.1:1/{name}"} for name in PROVIDERS},
        "models": {
            model: {"quality": value, "context_window": 8000, "capabilities": capabilities}
            for model, value in quality.items()
        },
        "deployments": [
            {
                "name": f"{model}@{provider}",
                "model": model,
                "provider": provider,
                "upstream_model": f"up-{model}",
                "price_usd_per_mtok": {"input": price[provider], "output": price[provider]},
            }
            for model, provider in models.items()
        ]
        + [
            {
                "name": "nano@alpha:flex",
                "model": "nano",
                "provider": "alpha",
                "tier": "flex",
                "price_usd_per_mtok": {"input": 0.02, "output": 0.02},
            }
        ],
        "policies": {"default": {}, "cheap": {"quality_tolerance": 1.0}, "best": {"quality_tolerance": 0.0}},
        "baseline_model": "frontier",
    }


@dataclass
class Gateway:
    url: str
    router: Router
    providers: dict[str, ScriptedProvider]
    deployments: list[str] = field(default_factory=list)

    def calls(self) -> int:
        return sum(len(provider.calls) for provider in self.providers.values())


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an ASGI application on a free loopback port, in a thread with its own event loop."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(server_settings(app, "127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    started = threading.Event()
    original = server.startup

    async def startup(*args: Any, **kwargs: Any) -> None:
        await original(*args, **kwargs)
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread.start()
    assert started.wait(10)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def scripted_gateway(
    scripts: dict[str, list[Any]], max_body_mb: float = 1, **sections: Any
) -> Iterator[Gateway]:
    """A gateway whose providers follow scripts; a provider without one answers "ok" for ever.

    `sections` are further sections of its config.
    """
    providers = {name: ScriptedProvider(name, scripts.get(name, [Answer("ok")])) for name in PROVIDERS}
    settings = config() | {"server": {"max_body_mb": max_body_mb}} | sections
    registry = registry_from_config(parse_config(settings, source="test"))
    router = Router(registry, providers=providers)
    with serving(create_app(router=router)) as url:
        yield Gateway(url, router, providers, registry.catalog.deployments)


def was_cancelled(provider: ScriptedProvider, within_s: float) -> bool:
    """Whether a call of the provider is cancelled within the time."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s and not provider.n_cancelled:
        time.sleep(0.005)
    return provider.n_cancelled > 0


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with scripted_gateway({}) as served:
        yield served
