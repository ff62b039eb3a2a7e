"""Build `python/pointsman/registry/prices.json.gz` from LiteLLM's price table.

    python tools/build_price_list.py ../shared/data/prices/litellm_model_prices_1.109.1.json.gz

The source (MIT, Copyright (c) 2023 Berri AI; see `NOTICE`) gives US dollars per token as JSON numbers. They
are read as decimals, never as floats, and written as integer nano-dollars per 1M tokens, so no digit is lost.
The bytes written depend on the input alone: keys are sorted and the gzip header carries no time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "python" / "pointsman" / "registry" / "prices.json.gz"
MODES = ("chat", "responses")

# US dollars per token -> nano-dollars (1e-9 USD) per 1,000,000 tokens.
NANO_USD_PER_MTOK = Decimal(10) ** 15

# Ours -> the source's price field, before a tier's suffix.
PRICE_FIELDS = {
    "input": "input_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "output": "output_cost_per_token",
    "reasoning": "output_cost_per_reasoning_token",
}
TIER_SUFFIXES = {"batch": "_batches", "flex": "_flex", "priority": "_priority"}
LONG_CONTEXT = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")

# Ours -> the source's flags, any of which grants it. The source has no flag for JSON mode; every model that
# honours a schema honours it too.
CAPABILITY_FLAGS = {
    "tools": ("supports_function_calling",),
    "vision": ("supports_vision", "supports_image_input"),
    "audio": ("supports_audio_input",),
    "json_object": ("supports_response_schema", "supports_native_structured_output"),
    "json_schema": ("supports_response_schema", "supports_native_structured_output"),
    "reasoning": ("supports_reasoning",),
    "pdf": ("supports_pdf_input",),
}
# The source has no flag for log probabilities: these providers document them for models that do not reason.
LOGPROBS_PROVIDERS = frozenset({"openai", "azure", "deepseek", "fireworks_ai", "together_ai"})


def nano_usd_per_mtok(usd_per_token: Decimal | int) -> int:
    """Nano-dollars per 1M tokens of a price in dollars per token.

    A price that came out of float arithmetic at the source (`9.499999999999999E-7`) carries digits below a
    nano-dollar per 1M tokens; those are noise and are rounded half to even.
    """
    return int((Decimal(usd_per_token) * NANO_USD_PER_MTOK).to_integral_value())


def prices_of(raw: dict[str, Any], suffix: str = "") -> dict[str, int]:
    """The prices present in `raw` under a tier's suffix; empty unless input and output are both there.

    A price of writing to the cache below that of plain input is a mislabelled price of reading from it, or a
    zero that stands for "not billed apart"; a price of reasoning that is the output's says nothing. Both are
    left out. Prices of audio, images, searches and time are not carried: pointsman counts text tokens.
    """
    found = {
        ours: nano_usd_per_mtok(raw[theirs + suffix])
        for ours, theirs in PRICE_FIELDS.items()
        if raw.get(theirs + suffix) is not None
    }
    if not {"input", "output"} <= found.keys():
        return {}
    if found.get("cache_write", found["input"]) < found["input"]:
        del found["cache_write"]
    if found.get("reasoning") == found["output"]:
        del found["reasoning"]
    return found


def tier_of(raw: dict[str, Any], tier_suffix: str = "") -> dict[str, Any]:
    """A tier's prices, with those that replace them when the input is longer than `above_tokens`, ascending."""
    if not (prices := prices_of(raw, tier_suffix)):
        return {}
    limits_k = sorted(int(match[1]) for key in raw if (match := LONG_CONTEXT.fullmatch(key)))
    brackets = ((limit_k, prices_of(raw, f"_above_{limit_k}k_tokens{tier_suffix}")) for limit_k in limits_k)
    long_context = [{"above_tokens": limit_k * 1000, **found} for limit_k, found in brackets if found]
    return prices | ({"long_context": long_context} if long_context else {})


def ranges_of(raw: dict[str, Any]) -> dict[str, Any]:
    """The same of a model that is priced by ranges of the input's length; empty if it is not."""
    ranges = [(int(one["range"][0]), prices_of(one)) for one in raw.get("tiered_pricing") or ()]
    if not ranges or ranges[0][0] != 0 or not all(prices for _, prices in ranges):
        return {}
    long_context = [{"above_tokens": start, **prices} for start, prices in ranges[1:]]
    return ranges[0][1] | ({"long_context": long_context} if long_context else {})


def capabilities_of(raw: dict[str, Any]) -> list[str]:
    """Names of pointsman's closed list that the source's flags grant, sorted."""
    found = {ours for ours, flags in CAPABILITY_FLAGS.items() if any(raw.get(flag) is True for flag in flags)}
    if raw["litellm_provider"] in LOGPROBS_PROVIDERS and "reasoning" not in found:
        found.add("logprobs")
    return sorted(found)


def entry_of(raw: dict[str, Any]) -> dict[str, Any] | None:
    """One model of the price list, or None for what is not priced by the token."""
    if raw.get("mode") not in MODES or not (prices := tier_of(raw) or ranges_of(raw)):
        return None
    entry: dict[str, Any] = {
        "provider": raw["litellm_provider"],
        "mode": raw["mode"],
        "price": prices,
        "context_window": raw.get("max_input_tokens") or raw.get("max_tokens"),
        "max_output_tokens": raw.get("max_output_tokens"),
        "capabilities": capabilities_of(raw),
        "deprecation_date": raw.get("deprecation_date"),
    }
    entry |= {tier: tier_of(raw, suffix) for tier, suffix in TIER_SUFFIXES.items()}
    return {key: value for key, value in entry.items() if value}


def build_price_list(source: Path) -> bytes:
    """The package file's bytes, from the gzipped JSON at `source`."""
    table = json.loads(gzip.decompress(source.read_bytes()), parse_float=Decimal)
    entries = {name: entry for name, raw in table.items() if (entry := entry_of(raw))}
    version = source.name.removesuffix(".json.gz").rpartition("_")[2]
    document = {
        "source": f"litellm {version}, MIT, Copyright (c) 2023 Berri AI",
        "unit": "nano-dollars (1e-9 USD) per 1,000,000 tokens",
        "models": entries,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def main() -> None:
    """Write the package file and say what is in it."""
    parser = argparse.ArgumentParser(description="Build the built-in price list.")
    parser.add_argument("source", type=Path, help="litellm_model_prices_VERSION.json.gz")
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    arguments = parser.parse_args()
    data = build_price_list(arguments.source)
    arguments.output.write_bytes(data)
    n_models = len(json.loads(gzip.decompress(data))["models"])
    print(f"{arguments.output.name}: {n_models} models, {len(data):,} bytes")


if __name__ == "__main__":
    main()
