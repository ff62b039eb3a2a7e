"""What calls cost by list prices, worked by hand: US dollars per 1M tokens x tokens = micro-dollars."""

from dataclasses import dataclass

import orjson
import pytest

from pointsman import Catalog
from pointsman.errors import InvalidInput
from pointsman.providers.answers import usage_of
from pointsman.registry import price_list
from pointsman.registry.document import listed_prices


@dataclass(frozen=True)
class Example:
    """A call and its cost in nano-dollars.

    Attributes:
        name: What it shows.
        model: Name in the built-in list.
        usage: What the provider reports, in OpenAI's shape.
        nano_usd: Worked by hand in the comment above it.
        tier: Service tier; `batch` for a batch job.
    """

    name: str
    model: str
    usage: dict
    nano_usd: int
    tier: str = "default"


def usage(prompt, completion, cached=None, written=None, reasoning=None):
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {key: value for key, value in details.items() if value is not None},
        "completion_tokens_details": {} if reasoning is None else {"reasoning_tokens": reasoning},
    }


EXAMPLES = [
    # gpt-4o-mini: 0.15 in, 0.075 cached, 0.60 out. 1,000 x 0.15 + 500 x 0.60 = 150 + 300 = 450 micro-dollars.
    Example("plain", "gpt-4o-mini", usage(1000, 500), 450_000),
    # 2,000 of 3,000 cached: 1,000 x 0.15 + 2,000 x 0.075 + 100 x 0.60 = 150 + 150 + 60 = 360.
    Example("cached input", "gpt-4o-mini", usage(3000, 100, cached=2000), 360_000),
    # Batch at half price, 0.075 and 0.30: 10,000 x 0.075 + 1,000 x 0.30 = 750 + 300 = 1,050.
    Example("batch", "gpt-4o-mini", usage(10_000, 1000), 1_050_000, "batch"),
    # Batch, cached at no price of its own: min(0.075, 0.075), so as above.
    Example("batch, cached", "gpt-4o-mini", usage(10_000, 1000, cached=8000), 1_050_000, "batch"),
    # Priority: 0.25 in, 0.125 cached, 1.00 out. 1,000 x 0.25 + 1,000 x 0.125 + 500 x 1 = 250 + 125 + 500 = 875.
    Example("priority", "gpt-4o-mini", usage(2000, 500, cached=1000), 875_000, "priority"),
    # o3: 2 in, 8 out, reasoning billed as output: 500 x 2 + 2,500 x 8 = 1,000 + 20,000 = 21,000.
    Example("reasoning is output", "o3", usage(500, 2500, reasoning=2000), 21_000_000),
    # o3 flex: 1 in, 0.25 cached, 4 out: 500 x 1 + 500 x 0.25 + 2,500 x 4 = 500 + 125 + 10,000 = 10,625.
    Example("flex", "o3", usage(1000, 2500, cached=500, reasoning=2000), 10_625_000, "flex"),
    # gpt-5.4 at its threshold: 2.50 in, 15 out. 272,000 x 2.5 + 1,000 x 15 = 680,000 + 15,000 = 695,000.
    Example("long context, not yet", "gpt-5.4", usage(272_000, 1000), 695_000_000),
    # One more: all at 5 and 22.50. 272,001 x 5 + 1,000 x 22.5 = 1,360,005 + 22,500 = 1,382,505.
    Example("long context", "gpt-5.4", usage(272_001, 1000), 1_382_505_000),
    # 200,000 of 300,000 cached at 0.50: 100,000 x 5 + 200,000 x 0.5 + 1,000 x 22.5 = 500,000 + 100,000 + 22,500.
    Example("long context, cached", "gpt-5.4", usage(300_000, 1000, cached=200_000), 622_500_000),
    # Batch above the threshold: 2.50 in, 11.25 out: 300,000 x 2.5 + 1,000 x 11.25 = 750,000 + 11,250 = 761,250.
    Example("long context, batch", "gpt-5.4", usage(300_000, 1000), 761_250_000, "batch"),
    # claude-sonnet-4-5: 3 in, 3.75 written, 0.30 read, 15 out. The first call writes 10,000 of 10,500:
    # 500 x 3 + 10,000 x 3.75 + 200 x 15 = 1,500 + 37,500 + 3,000 = 42,000.
    Example("cache write", "claude-sonnet-4-5", usage(10_500, 200, written=10_000), 42_000_000),
    # The second reads them and writes 700 more: 50 x 3 + 10,000 x 0.3 + 700 x 3.75 + 200 x 15
    # = 150 + 3,000 + 2,625 + 3,000 = 8,775.
    Example("cache read and write", "claude-sonnet-4-5", usage(10_750, 200, cached=10_000, written=700), 8_775_000),
    # In a batch 1.50 in, 1.875 written, 0.15 read, 7.50 out: half of all that, 4,387.5.
    Example("cache in a batch", "claude-sonnet-4-5", usage(10_750, 200, cached=10_000, written=700), 4_387_500, "batch"),
    # claude-haiku-4-5: 1 in, 5 out: 333 x 1 + 77 x 5 = 333 + 385 = 718.
    Example("plain Claude", "claude-haiku-4-5", usage(333, 77), 718_000),
    # gemini-2.5-pro: 1.25 in, 10 out to 200,000: 200,000 x 1.25 + 2,000 x 10 = 250,000 + 20,000 = 270,000.
    Example("long context, not yet", "gemini/gemini-2.5-pro", usage(200_000, 2000), 270_000_000),
    # Above: 2.50, 0.25 cached, 15 out. 50,000 x 2.5 + 200,000 x 0.25 + 2,000 x 15 = 125,000 + 50,000 + 30,000.
    Example("long context, cached", "gemini/gemini-2.5-pro", usage(250_000, 2000, cached=200_000), 205_000_000),
    # gemini-2.5-flash: 0.30 in, 0.03 cached, 2.50 out; Google leaves 900 of thought out of completion_tokens, and
    # total_tokens tells: 3,000 x 0.3 + 1,000 x 0.03 + 1,000 x 2.5 = 900 + 30 + 2,500 = 3,430.
    Example(
        "thought outside the completion",
        "gemini/gemini-2.5-flash",
        usage(4000, 100, cached=1000, reasoning=900) | {"total_tokens": 5000},
        3_430_000,
    ),
    # Batch of Flash: 0.15 in, 1.25 out: 4,000 x 0.15 + 1,000 x 1.25 = 600 + 1,250 = 1,850.
    Example("batch", "gemini/gemini-2.5-flash", usage(4000, 1000), 1_850_000, "batch"),
    # qwen-plus-2025-04-28: 0.40 in, 1.20 out, 4 for thought: 1,000 x 0.4 + 100 x 1.2 + 900 x 4 = 400 + 120 + 3,600.
    Example("thought at a price of its own", "dashscope/qwen-plus-2025-04-28", usage(1000, 1000, reasoning=900), 4_120_000),
]  # fmt: skip


def cost_nano_usd(example: Example) -> int:
    entry = price_list()[example.model]
    tier = "default" if example.tier == "batch" else example.tier
    document = {
        "models": [{"name": "m", "context_window": 1_000_000, "quality": {"default": 0.5}}],
        "providers": [{"name": "p"}],
        "deployments": [
            {
                "name": "d",
                "model": "m",
                "provider": "p",
                "price_nano_usd_per_mtok": listed_prices(entry, tier),
                "latency": {"ttft_p50_ms": 1, "ttft_p95_ms": 1, "tokens_per_s": 1},
            }
        ],
    }
    read = usage_of({"usage": example.usage})
    return Catalog.from_json(orjson.dumps(document)).cost_nano_usd(
        "d",
        n_input_tokens=read.n_input_tokens,
        n_cached_input_tokens=read.n_cached_input_tokens,
        n_cache_write_tokens=read.n_cache_write_tokens,
        n_output_tokens=read.n_output_tokens,
        n_reasoning_tokens=read.n_reasoning_tokens or 0,
        batch=example.tier == "batch",
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{one.model}: {one.name}" for one in EXAMPLES])
def test_the_cost_is_the_one_worked_by_hand(example):
    assert cost_nano_usd(example) == example.nano_usd


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"n_cached_input_tokens": 11}, "give at most n_input_tokens 10"),
        ({"n_cached_input_tokens": 6, "n_cache_write_tokens": 5}, "n_input_tokens - n_cached_input_tokens 4"),
        ({"n_output_tokens": 3, "n_reasoning_tokens": 4}, "give at most n_output_tokens 3"),
    ],
)
def test_a_part_above_its_whole_is_refused(tokens, message):
    document = {
        "models": [{"name": "m", "context_window": 1000, "quality": {"default": 0.5}}],
        "providers": [{"name": "p"}],
        "deployments": [
            {
                "name": "d",
                "model": "m",
                "provider": "p",
                "price_nano_usd_per_mtok": {"input": 1, "output": 1},
                "latency": {"ttft_p50_ms": 1, "ttft_p95_ms": 1, "tokens_per_s": 1},
            }
        ],
    }
    with pytest.raises(InvalidInput, match=message):
        Catalog.from_json(orjson.dumps(document)).cost_nano_usd("d", n_input_tokens=10, **tokens)
