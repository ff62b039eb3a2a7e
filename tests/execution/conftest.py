"""A router in virtual time over scripted providers: one provider for each deployment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pointsman.config import parse_config
from pointsman.providers import Answer, ScriptedProvider
from pointsman.registry import registry_from_config
from pointsman.router import Router
from pointsman.simulate import run_virtual

START_S = 1_700_000_000.0


class World:
    """A router over deployments named `MODEL@PROVIDER`, cheapest first."""

    def __init__(self, clock: Callable[[], float], scripts: dict[str, list[Any]], **sections: Any) -> None:
        self.clock = clock
        names = {name: name.split("@") for name in scripts}
        self.providers = {
            provider: ScriptedProvider(provider, scripts[name]) for name, (_, provider) in names.items()
        }
        windows: dict[str, int] = sections.pop("windows", {})
        limits: dict[str, Any] = sections.pop("limits", {})
        price = {name: place + 1 for place, name in enumerate(scripts)}
        config = {
            "providers": {provider: {"base_url": "http://127.0.0.1:1"} for provider in self.providers},
            "models": {
                model: {"quality": 0.7, "context_window": windows.get(model, 8000)}
                for model, _ in names.values()
            },
            "deployments": [
                {
                    "name": name,
                    "model": model,
                    "provider": provider,
                    "limits": limits.get(name, {}),
                    "latency": {"ttft_p50_ms": 10, "ttft_p95_ms": 20, "tokens_per_s": 5000},
                    "price_usd_per_mtok": {"input": price[name], "output": price[name]},
                }
                for name, (model, provider) in names.items()
            ],
            **sections,
        }
        registry = registry_from_config(parse_config(config, source="test"))
        self.router = Router(registry, providers=self.providers, clock=lambda: START_S + clock())

    def n_calls(self) -> dict[str, int]:
        return {name: len(provider.calls) for name, provider in self.providers.items()}

    def state(self, deployment: str) -> Any:
        return next(one for one in self.router.deployments() if one.deployment == deployment)


def in_world(
    scripts: dict[str, list[Any]], program: Callable[[World], Awaitable[Any]], **sections: Any
) -> Any:
    """What the program returns, run in virtual time."""

    async def run(clock: Callable[[], float]) -> Any:
        world = World(clock, scripts, **sections)
        async with world.router:
            return await program(world)

    return run_virtual(run)


OK = [Answer("ok")]
__all__ = ["OK", "START_S", "World", "in_world"]
