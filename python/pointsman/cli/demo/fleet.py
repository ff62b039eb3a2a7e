"""The four models of the demo, and the config that puts a gateway in front of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BASELINE_MODEL = "frontier-reasoning-1"
REAL_PROVIDER = "llama.cpp"
TTFT_P95_PER_P50 = 1.25
"""The simulated first token comes on time to within the loopback; a quarter is room for a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoModel:
    """A model of the demo at its one provider.

    Attributes:
        name: Name of the model, for clients and upstream alike.
        provider: Name of the provider; the names of simulated ones say so.
        price_usd_per_mtok: Nominal, in US dollars per 1M tokens, input and output alike.
        ttft_p50_ms: Milliseconds to the first token: nominal, or measured for the real model.
        tokens_per_s: Tokens a second after the first (chosen for simulated models).
        quality: Prior quality by task, in [0, 1] (chosen).
        capabilities: What the model can do, beyond text.
        context_window: Tokens of prompt and answer together.
        is_real: Whether a real language model answers.
    """

    name: str
    provider: str
    price_usd_per_mtok: float
    ttft_p50_ms: float
    tokens_per_s: float
    quality: Mapping[str, float]
    capabilities: tuple[str, ...] = ("tools", "json_object", "json_schema")
    context_window: int = 32_768
    is_real: bool = False

    def answered_by_real_model(self, *, ttft_p50_ms: float, tokens_per_s: float) -> DemoModel:
        """The same model, answered by llama.cpp with the latency measured here."""
        return replace(
            self, provider=REAL_PROVIDER, ttft_p50_ms=ttft_p50_ms, tokens_per_s=tokens_per_s, is_real=True
        )


NANO = DemoModel(
    name="nano-extract-v3",
    provider="simulated-a",
    price_usd_per_mtok=0.04,
    ttft_p50_ms=120,
    tokens_per_s=150,
    quality={"default": 0.50, "lookup": 0.80, "generation": 0.40, "reasoning": 0.15},
    capabilities=("json_object", "json_schema"),  # a 135M model calls tools, but the wrong ones
    context_window=4_096,
)
OTHERS = (
    DemoModel(
        name="code-specialist-7b",
        provider="simulated-b",
        price_usd_per_mtok=0.12,
        ttft_p50_ms=180,
        tokens_per_s=120,
        quality={
            "default": 0.66,
            "lookup": 0.82,
            "reasoning": 0.45,
            "code/lookup": 0.92,
            "code/generation": 0.91,
            "code/reasoning": 0.78,
        },
    ),
    DemoModel(
        name="general-mid-32b",
        provider="simulated-c",
        price_usd_per_mtok=0.80,
        ttft_p50_ms=340,
        tokens_per_s=90,
        quality={"default": 0.87, "lookup": 0.93, "generation": 0.88, "reasoning": 0.74, "code": 0.80},
    ),
    DemoModel(
        name=BASELINE_MODEL,
        provider="simulated-d",
        price_usd_per_mtok=6.20,
        ttft_p50_ms=1_100,
        tokens_per_s=70,
        quality={"default": 0.95, "reasoning": 0.95},
        capabilities=("tools", "json_object", "json_schema", "reasoning"),
        context_window=131_072,
    ),
)


def simulation_script(models: Sequence[DemoModel]) -> dict[str, Any]:
    """The script of `pointsman simulate` for `models`: each at its provider, always at its nominal pace."""
    return {
        "providers": {
            model.provider: {
                "models": [model.name],
                "latency": {"ttft_p50_ms": model.ttft_p50_ms, "tokens_per_s": model.tokens_per_s},
            }
            for model in models
        }
    }


def gateway_config(models: Sequence[DemoModel], base_urls: Mapping[str, str]) -> dict[str, Any]:
    """The document of a `pointsman.yaml` for `models`, their providers at `base_urls`."""
    return {
        "providers": {
            model.provider: {
                "kind": "openai",
                "base_url": base_urls[model.provider],
                "api_key": "none-needed",
            }
            for model in models
        },
        "models": {
            model.name: {
                "quality": dict(model.quality),
                "context_window": model.context_window,
                "max_output_tokens": model.context_window // 2,
                "capabilities": list(model.capabilities),
            }
            for model in models
        },
        "deployments": [_deployment(model) for model in models],
        "baseline_model": BASELINE_MODEL,
    }


def _deployment(model: DemoModel) -> dict[str, Any]:
    price = model.price_usd_per_mtok
    return {
        "model": model.name,
        "provider": model.provider,
        "price_usd_per_mtok": {"input": price, "output": price},
        "latency": {
            "ttft_p50_ms": model.ttft_p50_ms,
            "ttft_p95_ms": round(model.ttft_p50_ms * TTFT_P95_PER_P50, 1),
            "tokens_per_s": model.tokens_per_s,
        },
    }
