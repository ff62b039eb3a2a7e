"""From a config to the catalog the core decides on."""

from pathlib import Path

import orjson
import pytest

from pointsman import Catalog
from pointsman._native import Core, Decision
from pointsman.config import load_config, parse_config
from pointsman.errors import ConfigError
from pointsman.registry import Registry, build_catalog_document, registry_from_config
from pointsman.types import Budget, Constraints, ProviderPreferences, Request
from tests.config.malformed import BASE, ENVIRON, SECRET

EXAMPLE = Path(__file__).parents[2] / "pointsman.example.yaml"
EXAMPLE_ENVIRON = {"OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET}


def registry(text: str = BASE) -> Registry:
    return registry_from_config(parse_config(text, source="pointsman.yaml", environ=ENVIRON))


def document(text: str = BASE) -> dict:
    return build_catalog_document(parse_config(text, source="pointsman.yaml", environ=ENVIRON))


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        document(text)
    return caught.value.problems


# ---- the document

NO_MORE = {
    "cached_input": None,
    "cache_write": None,
    "reasoning": None,
    "batch_input": None,
    "batch_cached_input": None,
    "batch_cache_write": None,
    "batch_output": None,
    "long_context": [],
}


def test_what_the_config_gives_wins_over_the_list():
    built = document()["deployments"][0]
    assert built["price_nano_usd_per_mtok"] == NO_MORE | {"input": 150_000_000, "output": 600_000_000}
    assert built["latency"] == {"ttft_p50_ms": 400.0, "ttft_p95_ms": 900.0, "tokens_per_s": 80.0}


def test_what_the_config_leaves_out_comes_from_the_list():
    built = document()
    assert built["deployments"][1]["price_nano_usd_per_mtok"] == NO_MORE | {
        "input": 2_000_000_000,
        "cached_input": 500_000_000,
        "output": 8_000_000_000,
        "batch_input": 1_000_000_000,
        "batch_output": 4_000_000_000,
    }
    model = built["models"][1]
    assert (model["context_window"], model["max_output_tokens"]) == (1_047_576, 32_768)
    assert "json_schema" in model["capabilities"]


def test_capabilities_given_as_none_are_none():
    assert (
        document(BASE.replace("gpt-4.1: {}", "gpt-4.1: {capabilities: []}"))["models"][1]["capabilities"]
        == []
    )


def test_quality_says_where_it_comes_from():
    configured, guessed = document()["models"]
    assert (configured["quality"], configured["quality_source"]) == ({"default": 0.7}, "config")
    assert guessed["quality_source"] == "price_heuristic"
    assert 0.5 <= guessed["quality"]["default"] <= 0.93


def test_a_tier_is_priced_as_that_tier():
    text = BASE.replace("gpt-4.1: {}", "gpt-6.1-sol: {}")
    text = text.replace(
        "{model: gpt-4.1, provider: openai}", "{model: gpt-6.1-sol, provider: openai, tier: flex}"
    )
    built = document(text)["deployments"][1]
    assert (built["name"], built["tier"]) == ("openai/gpt-6.1-sol:flex", "flex")
    assert built["price_nano_usd_per_mtok"]["input"] == 1_000_000_000
    assert built["price_nano_usd_per_mtok"]["batch_input"] is None


def test_the_host_tells_whose_prices_hold():
    text = BASE.replace('{api_key: "${OPENAI_API_KEY}"}', "{base_url: 'https://api.groq.com/openai/v1'}")
    text = text.replace("gpt-4.1: {}", "oss: {}").replace(
        "{model: gpt-4.1,", "{model: oss, upstream_model: openai/gpt-oss-120b,"
    )
    assert document(text)["deployments"][1]["price_nano_usd_per_mtok"]["input"] == 150_000_000


def test_an_unlisted_model_needs_price_and_window_and_both_are_told_at_once():
    text = BASE.replace("gpt-4.1", "gpt-4.1-mnii")
    window, price = problems(text)
    assert window.startswith(
        "pointsman.yaml:6: models[\"gpt-4.1-mnii\"]: 'gpt-4.1-mnii' is not in the built-in"
    )
    assert "nearest: gpt-4.1-mini" in window
    assert "give `context_window: ...`" in window
    assert price.startswith("pointsman.yaml:12: deployments[1]: ")
    assert "give `price_usd_per_mtok: {input: ..., output: ...}`" in price


def test_a_tier_the_provider_lacks_is_told():
    text = BASE.replace(
        "{model: gpt-4.1, provider: openai}", "{model: gpt-4.1, provider: openai, tier: flex}"
    )
    [problem] = problems(text)
    assert "gpt-4.1 has no flex price in the built-in list" in problem


def test_an_unlisted_model_is_guessed_from_its_dearest_price():
    text = BASE.replace("gpt-4.1: {}", "own: {context_window: 8192}").replace(
        "  - {model: gpt-4.1, provider: openai}\n",
        "  - {model: own, provider: openai, price_usd_per_mtok: {input: 1, output: 1}}\n"
        "  - {model: own, provider: openai, name: dear, price_usd_per_mtok: {input: 9, output: 9}}\n",
    )
    dearest = text.replace("input: 1, output: 1", "input: 9, output: 9")
    assert document(text)["models"][1]["quality"] == document(dearest)["models"][1]["quality"]


def test_the_core_takes_the_document_and_equal_ones_have_equal_versions():
    first, second = (Catalog.from_json(orjson.dumps(document())) for _ in range(2))
    assert first.version == second.version
    assert first.deployments == ["openai/gpt-4o-mini", "openai/gpt-4.1"]


def test_costs_come_out_exact():
    catalog = registry().catalog
    cost = catalog.cost_nano_usd("openai/gpt-4o-mini", n_input_tokens=1_000_000, n_output_tokens=1_000_000)
    assert cost == 750_000_000


# ---- the registry


def test_a_registry_is_frozen_and_shows_no_secret():
    built = registry()
    with pytest.raises(AttributeError):
        built.catalog = None
    with pytest.raises(TypeError):
        built.policies["x"] = None
    assert SECRET not in f"{built!r} {built.providers!r} {built.config!r}"
    assert repr(built) == f"Registry('pointsman.yaml', 2 deployments, {built.catalog.version})"


def test_adapters_get_the_key_and_their_settings():
    text = BASE.replace("{api_key:", "{headers: {x-team: search}, timeouts: {connect_s: 1}, api_key:")
    [settings] = registry(text).providers
    assert (settings.name, settings.api_key) == ("openai", SECRET)
    assert settings.headers == {"x-team": "search"}
    assert (settings.timeouts.connect_s, settings.timeouts.total_s) == (1.0, 600.0)


def test_upstream_model_is_the_provider_s_name():
    text = BASE.replace("{model: gpt-4.1,", "{model: gpt-4.1, upstream_model: gpt-4.1-2025-04-14,")
    assert registry(text).deployments[1].upstream_model == "gpt-4.1-2025-04-14"


def test_a_default_policy_is_always_there():
    text = BASE[: BASE.index("policies:")]
    policy = registry(text).policies["default"]
    assert (policy.constraints, policy.preferences) == (Constraints(), ProviderPreferences())
    assert policy.allowed_models is None


def test_a_policy_becomes_constraints_and_preferences():
    text = BASE.replace(
        "default: {quality_tolerance: 0.1}",
        "default: {}\n"
        "  value: {quality_value_usd: 0.02, latency_value_usd_per_s: 0.001}\n"
        "  near: {within_best: 0.05, exploration: true, min_propensity: 0.01}\n"
        "  paced: {budget: [{usd_per_request: 0.002}, {usd: 5, window_s: 60}]}\n"
        "  all: {min_quality: 0.8, max_cost_usd: 0.01, max_latency_ms: 900, max_ttft_ms: 300, quality_like: gpt-4.1,"
        " quality_tolerance: {lookup: 0.3}, models: [gpt-4.1], strategy: direct,"
        " provider: {order: [openai], only: [openai], allow_fallbacks: false, require_parameters: true,"
        " data_collection: deny, sort: price, max_price: {prompt: 1.5, completion: 6}}}",
    )
    policies = registry(text).policies
    near = Constraints(within_best=0.05, exploration=True, min_propensity=0.01)
    assert policies["near"].constraints == near
    assert policies["paced"].budgets == (Budget(usd_per_request=0.002), Budget(usd=5, window_s=60))
    assert policies["value"].constraints == Constraints(quality_value_usd=0.02, latency_value_usd_per_s=0.001)
    policy = policies["all"]
    assert policy.constraints == Constraints(
        min_quality=0.8,
        max_cost_usd=0.01,
        max_latency_ms=900,
        max_ttft_ms=300,
        quality_like="gpt-4.1",
        quality_tolerance=(0.3, 0.10, 0.02),
        strategy="direct",
    )
    assert policy.preferences == ProviderPreferences(
        order=("openai",),
        only=("openai",),
        allow_fallbacks=False,
        require_parameters=True,
        data_collection="deny",
        sort="price",
        max_input_price_usd_per_mtok=1.5,
        max_output_price_usd_per_mtok=6.0,
    )
    assert policy.allowed_models == ("gpt-4.1",)


def ladder() -> Core:
    """Qualities from 0.9 down by 0.003, each cheaper than the one above: the choice shows the tolerance."""
    steps = range(100)
    latency = {"ttft_p50_ms": 1, "ttft_p95_ms": 1, "tokens_per_s": 100}
    catalog = {
        "models": [
            {"name": f"m{i}", "context_window": 9000, "quality": {"default": 0.9 - 0.003 * i}} for i in steps
        ],
        "providers": [{"name": "p"}],
        "deployments": [
            {
                "name": f"p/m{i}",
                "model": f"m{i}",
                "provider": "p",
                "price_nano_usd_per_mtok": {"input": (200 - i) * 10**9, "output": (200 - i) * 10**9},
                "latency": latency,
            }
            for i in steps
        ],
    }
    return Core(Catalog.from_json(orjson.dumps(catalog)))


@pytest.mark.parametrize(
    ("complexity", "prompt"),
    [
        ("lookup", "What is the capital of France?"),
        ("generation", "Write a Python function that merges two sorted lists."),
        ("reasoning", "Prove step by step that the square root of 2 is irrational."),
    ],
)
def test_a_tolerance_the_policy_leaves_out_is_the_core_s_own(complexity, prompt):
    """Both hold the table of defaults: the core for no tolerance at all, the registry to fill a partial one."""
    other = "lookup" if complexity == "reasoning" else "reasoning"
    partial = registry(BASE.replace("quality_tolerance: 0.1", f"quality_tolerance: {{{other}: 0.5}}"))
    core = ladder()

    def decide(constraints: Constraints) -> Decision:
        request = Request(messages=[{"role": "user", "content": prompt}], constraints=constraints)
        return core.decide(request, now_s=1.7e9, seed=1)

    own, filled = decide(Constraints()), decide(partial.policies["default"].constraints)
    assert f"({complexity})" in own.reason
    assert (filled.deployment, filled.reason) == (own.deployment, own.reason)


def test_the_example_config_is_good():
    built = registry_from_config(load_config(EXAMPLE, environ=EXAMPLE_ENVIRON))
    assert len(built.catalog) == 5
    named = {"cheap", "careful", "value", "near", "paced", "private", "prompt", "thrifty"}
    assert set(built.policies) == {"default", *named}
