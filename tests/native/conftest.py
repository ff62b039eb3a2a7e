"""A catalog of any size, the core over it, and a request in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman._native import Catalog, Core
from pointsman.types import Request

NOW_S = 1_700_000_000.0


def catalog_document(n: int = 32) -> dict[str, Any]:
    """A catalog of `n` deployments over up to 8 models and 4 providers, all different in price and speed."""
    models = [
        {
            "name": f"m{i}",
            "context_window": 128_000,
            "max_output_tokens": 16_384,
            "capabilities": ["tools", "json_schema"] + (["vision"] if i % 2 else []),
            "quality": {"default": 0.55 + 0.05 * i, "code": 0.5 + 0.05 * i, "code/reasoning": 0.4 + 0.06 * i},
        }
        for i in range(8)
    ]
    deployments = [
        {
            "name": f"p{i // 8}/m{i % 8}" + ("" if i < 32 else f"-{i}"),
            "model": f"m{i % 8}",
            "provider": f"p{i // 8 % 4}",
            "tier": "default",
            "price_nano_usd_per_mtok": {
                "input": (i % 8 + 1) * 100_000_000 + i,
                "cached_input": (i % 8 + 1) * 50_000_000,
                "output": (i % 8 + 1) * 400_000_000 + 3 * i,
            },
            "latency": {"ttft_p50_ms": 100 + i, "ttft_p95_ms": 300 + 10 * i, "tokens_per_s": 40 + i},
        }
        for i in range(n)
    ]
    providers = [{"name": f"p{i}", "data_collection": "deny" if i == 1 else "allow"} for i in range(4)]
    return {"models": models, "providers": providers, "deployments": deployments, "baseline_model": None}


def catalog_of(document: dict[str, Any]) -> Catalog:
    return Catalog.from_json(json.dumps(document).encode())


def ask(text: str = "What is the capital of France?", **fields: Any) -> Request:
    return Request(messages=[{"role": "user", "content": text}], **fields)


@pytest.fixture(scope="session")
def core() -> Core:
    return Core(catalog_of(catalog_document()))
