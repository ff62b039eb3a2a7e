"""A gateway's config for the providers of a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman.simulate.script import ProviderScript, Script

CAPABILITIES = ["tools", "json_object", "json_schema", "logprobs"]
"""What simulated models can do: their answers have the shape that is asked for."""


def gateway_config(script: Script, address: str) -> dict[str, Any]:
    """The document of a `pointsman.yaml` that routes over a served simulation.

    Args:
        script: What is simulated.
        address: Where: `http://HOST:PORT`.
    """
    qualities = {
        name: model.quality
        for provider in script.providers.values()
        for name, model in provider.models.items()
    }
    return {
        "providers": {
            name: {"kind": "openai", "base_url": f"{address}/{name}/v1", "api_key": "none-needed"}
            for name in script.providers
        },
        "models": {
            name: {"quality": quality, "context_window": 128_000, "capabilities": [*CAPABILITIES]}
            for name, quality in qualities.items()
        },
        "deployments": [
            deployment
            for name, provider in script.providers.items()
            for deployment in _deployments(name, provider)
        ],
    }


def _deployments(name: str, provider: ProviderScript) -> list[dict[str, Any]]:
    latency = provider.latency
    told = {
        "ttft_p50_ms": latency.ttft_p50_ms,
        "ttft_p95_ms": latency.ttft_p95_ms or latency.ttft_p50_ms,
        "tokens_per_s": latency.tokens_per_s,
    }
    return [
        {
            "model": model,
            "provider": name,
            "price_usd_per_mtok": settings.price_usd_per_mtok.model_dump(),
            "latency": told,
        }
        for model, settings in provider.models.items()
    ]
