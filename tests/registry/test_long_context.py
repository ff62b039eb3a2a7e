"""Prices of long inputs, of cache writes and of tiers, from the built-in list and the config to the catalog."""

import orjson
import pytest

from pointsman import Catalog
from pointsman.config import parse_config
from pointsman.registry import price_list
from pointsman.registry.document import build_catalog_document, listed_prices

OPENAI = {"api_key": "sk-test"}


def document(price=None, model="own"):
    deployment = {"model": model, "provider": "openai"}
    if price:
        deployment["price_usd_per_mtok"] = price
    settings = {} if not price else {"context_window": 1_000_000}
    raw = {"providers": {"openai": OPENAI}, "models": {model: settings}, "deployments": [deployment]}
    return build_catalog_document(parse_config(raw, source="mapping"))


def catalog(**arguments):
    return Catalog.from_json(orjson.dumps(document(**arguments)))


def test_a_threshold_of_the_list_reaches_the_core():
    sol = catalog(model="gpt-5.4")
    # $2.50 and $15 per 1M tokens; above 272,000 input tokens $5 and $22.50 for every one of them.
    assert sol.cost_nano_usd("openai/gpt-5.4", n_input_tokens=272_000, n_output_tokens=1000) == 695_000_000
    assert sol.cost_nano_usd("openai/gpt-5.4", n_input_tokens=272_001, n_output_tokens=1000) == 1_382_505_000


def test_a_tier_without_long_prices_of_its_own_rises_as_the_default_one():
    entry = price_list()["gemini/gemini-2.5-pro"]
    [long] = entry.tier_price("flex").long_context
    assert (long.above_tokens, long.price.input, long.price.output) == (200_000, 1_250_000_000, 7_500_000_000)
    assert entry.flex.long_context == (), "the list has none, so this was the rule and not the list"


def test_where_the_list_has_both_a_tiers_long_prices_rise_as_the_default_ones():
    for name in ("gpt-5.4", "gpt-5.5", "gemini/gemini-2.5-pro"):
        entry = price_list()[name]
        for tier in (entry.batch, entry.flex, entry.priority):
            for long, base in zip(tier.long_context, entry.price.long_context, strict=False):
                ratio = base.price.input / entry.price.input
                assert long.price.input == tier.input * ratio, name


def test_a_cache_price_that_is_missing_above_a_threshold_rises_with_the_input():
    rises = [
        (long.price.cached_input / entry.price.cached_input, long.price.input / entry.price.input)
        for entry in price_list().values()
        for long in entry.price.long_context
        if entry.price.cached_input and entry.price.input
    ]
    assert len(rises) > 50
    assert all(cached > 0 for cached, _ in rises)


@pytest.mark.parametrize("tier", ["default", "flex", "priority"])
def test_the_core_takes_every_price_of_the_list(tier):
    entries = [entry for entry in price_list().values() if entry.tier_price(tier)]
    models = [{"name": entry.name, "context_window": 8000, "quality": {"default": 0.5}} for entry in entries]
    deployments = [
        {
            "name": entry.name,
            "model": entry.name,
            "provider": "p",
            "price_nano_usd_per_mtok": listed_prices(entry, tier),
            "latency": {"ttft_p50_ms": 1, "ttft_p95_ms": 1, "tokens_per_s": 1},
        }
        for entry in entries
    ]
    built = {"models": models, "providers": [{"name": "p"}], "deployments": deployments}
    assert len(Catalog.from_json(orjson.dumps(built))) > 200


def test_a_model_priced_by_ranges_of_its_input_is_listed():
    price = price_list()["dashscope/qwen-flash"].price
    assert price.input == 50_000_000
    assert [(long.above_tokens, long.price.input) for long in price.long_context] == [(256_000, 250_000_000)]


def test_a_mislabelled_write_price_is_left_out():
    assert price_list()["azure/eu/gpt-4o"].price.cache_write is None
    assert price_list()["claude-sonnet-4-5"].price.cache_write == 3_750_000_000


def test_a_configured_threshold_reaches_the_core():
    price = {"input": 1, "output": 2, "long_context": [{"above_tokens": 1000, "input": 3, "output": 4}]}
    own = catalog(price=price)
    assert own.cost_nano_usd("openai/own", n_input_tokens=1000, n_output_tokens=10) == 1_020_000
    assert own.cost_nano_usd("openai/own", n_input_tokens=1001, n_output_tokens=10) == 3_043_000


def test_a_tokenizer_is_carried_and_every_name_the_config_knows_the_core_knows():
    from pointsman.config.schema import Tokenizer

    for name in Tokenizer.__args__:
        built = document(price={"input": 1, "output": 2})
        built["models"][0]["tokenizer"] = name
        assert len(Catalog.from_json(orjson.dumps(built))) == 1
    raw = {
        "providers": {"openai": OPENAI},
        "models": {"gpt-4.1": {"tokenizer": "claude47"}},
        "deployments": [{"model": "gpt-4.1", "provider": "openai"}],
    }
    built = build_catalog_document(parse_config(raw, source="mapping"))
    assert built["models"][0]["tokenizer"] == "claude47"
