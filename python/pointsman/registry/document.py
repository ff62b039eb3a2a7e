"""The catalog document: what the core decides on, made of the config and the built-in price list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.errors import ConfigError
from pointsman.registry.embeddings import embedding_problems, embeds
from pointsman.registry.heuristic import blended_usd_per_mtok, price_heuristic
from pointsman.registry.prices import PriceEntry, price_list
from pointsman.types import NANO_USD_PER_USD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from pointsman.config import Config, DeploymentSettings, PriceSettings, RateSettings
    from pointsman.registry.prices import Price

_ANY_WINDOW = 1_000_000_000
"""Tokens; a list of texts is longer than any text may be."""
_COMPONENTS = (
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
    "batch_input",
    "batch_cached_input",
    "batch_cache_write",
    "batch_output",
)


def build_catalog_document(config: Config) -> dict[str, Any]:
    """The document `Catalog.from_json` reads (its fields: `rust/pointsman-core/src/catalog`).

    What the config leaves out comes from the built-in price list; a quality nobody gave is the price
    heuristic's, and marked so.

    Raises:
        ConfigError: A price or context window that neither the config nor the list has; lists every one.
    """
    problems: list[str] = []
    prices = [_deployment_prices(config, index, problems) for index in range(len(config.deployments))]
    problems += embedding_problems(config)
    models = [_model(config, name, prices, problems) for name in config.models if not embeds(config, name)]
    if problems:
        raise ConfigError(config.origin.in_order(problems))
    return {
        "models": models,
        "providers": [
            {
                "name": name,
                "data_collection": settings.data_collection,
                "prompt_cache": settings.prompt_cache.model_dump(),
            }
            for name, settings in config.providers.items()
        ],
        "deployments": [
            _deployment(deployment, price)
            for deployment, price in zip(config.deployments, prices, strict=True)
            if not embeds(config, deployment.model)
        ],
        "baseline_model": config.baseline_model,
    }


def embedding_catalog_document(config: Config) -> dict[str, Any] | None:
    """The catalog document of the embedding models; `None`: there are none.

    Vectors of different models cannot be compared, so nothing is said of quality or windows there.
    """
    prices = embedding_prices(config)
    if not prices:
        return None
    return {
        "models": [
            {"name": name, "context_window": _ANY_WINDOW, "capabilities": [], "quality": {"default": 0.5}}
            for name in config.models
            if embeds(config, name)
        ],
        "providers": [{"name": name} for name in config.providers],
        "deployments": [
            _deployment(deployment, {"input": prices[deployment.name], "output": 0})
            for deployment in config.deployments
            if deployment.name in prices
        ],
    }


def embedding_prices(config: Config) -> dict[str, int]:
    """Nano-dollars per 1M input tokens of each deployment of an embedding model."""
    return {
        deployment.name: nano_usd(deployment.price_usd_per_mtok.input) or 0
        for deployment in config.deployments
        if embeds(config, deployment.model) and deployment.price_usd_per_mtok
    }


def listed_provider(config: Config, provider: str) -> str:
    """The price list's name of a configured provider: told by its host where we know it, else by its name."""
    from pointsman.config import KNOWN_PROVIDERS

    base_url = config.providers[provider].base_url
    by_host = {_host(known.base_url): known.price_prefix for known in KNOWN_PROVIDERS.values()}
    return by_host.get(_host(base_url), provider)


def find_entry(config: Config, deployment: DeploymentSettings) -> PriceEntry | None:
    """The price list's entry of a deployment: by the provider's own name of the model, then by ours."""
    provider = listed_provider(config, deployment.provider)
    names = dict.fromkeys((deployment.upstream_model, deployment.model))
    found = (price_list().find(name, provider) for name in names)
    return next((entry for entry in found if entry), None)


def find_model_entry(config: Config, model: str) -> PriceEntry | None:
    """The price list's entry of a model: as one of its deployments has it, else by the model's name."""
    entries = (
        find_entry(config, deployment) for deployment in config.deployments if deployment.model == model
    )
    return next((entry for entry in entries if entry), None) or price_list().find(model)


def nano_usd(price_usd: Decimal | None) -> int | None:
    """Nano-dollars of a price in dollars; exact, because the config admits at most nine decimal places."""
    return None if price_usd is None else int(price_usd * NANO_USD_PER_USD)


def _deployment_prices(config: Config, index: int, problems: list[str]) -> dict[str, Any]:
    """Prices of a deployment in nano-dollars per 1M tokens; empty, and a problem more, if nobody has them."""
    deployment = config.deployments[index]
    if deployment.price_usd_per_mtok:
        return _configured_prices(deployment.price_usd_per_mtok)
    entry = find_entry(config, deployment)
    price = entry.tier_price(deployment.tier) if entry else None
    if entry is None or price is None:
        problems.append(config.origin.problem(("deployments", index), _no_price(deployment, entry)))
        return {}
    return listed_prices(entry, deployment.tier)


def listed_prices(entry: PriceEntry, tier: str) -> dict[str, Any]:
    """Prices of the built-in list in nano-dollars per 1M tokens, as the catalog document holds them.

    Args:
        entry: Has a price of the tier.
        tier: `default`, which has the batch prices too, `flex` or `priority`.
    """
    price = entry.tier_price(tier) or entry.price
    batch = entry.tier_price("batch") if tier == "default" else None
    batches = [long.price for long in batch.long_context] if batch else [None] * len(price.long_context)
    return _components(price, batch) | {
        "long_context": [
            {"above_tokens": long.above_tokens, **_components(long.price, long_batch)}
            for long, long_batch in zip(price.long_context, batches, strict=True)
        ]
    }


def _components(price: Price, batch: Price | None) -> dict[str, int | None]:
    return {
        "input": price.input,
        "cached_input": price.cached_input,
        "cache_write": price.cache_write,
        "output": price.output,
        "reasoning": price.reasoning,
        "batch_input": batch.input if batch else None,
        "batch_cached_input": batch.cached_input if batch else None,
        "batch_cache_write": batch.cache_write if batch else None,
        "batch_output": batch.output if batch else None,
    }


def _configured_prices(prices: PriceSettings) -> dict[str, Any]:
    return _configured_rates(prices) | {
        "long_context": [
            {"above_tokens": long.above_tokens, **_configured_rates(long)} for long in prices.long_context
        ]
    }


def _configured_rates(rates: RateSettings) -> dict[str, int | None]:
    return {name: nano_usd(getattr(rates, name)) for name in _COMPONENTS}


def _no_price(deployment: DeploymentSettings, entry: PriceEntry | None) -> str:
    remedy = "give `price_usd_per_mtok: {input: ..., output: ...}`"
    if entry is not None:
        return f"{entry.name} has no {deployment.tier} price in the built-in list; {remedy}, or drop `tier`"
    return f"{_not_listed(deployment.upstream_model)}, so its price is unknown; {remedy}"


def _not_listed(name: str) -> str:
    near = price_list().nearest(name)
    return f"{name!r} is not in the built-in price list" + (f" (nearest: {', '.join(near)})" if near else "")


def _model(
    config: Config, name: str, prices: Sequence[Mapping[str, Any]], problems: list[str]
) -> dict[str, Any]:
    settings = config.models[name]
    entry = find_model_entry(config, name)
    context_window = settings.context_window or (entry.context_window if entry else None)
    if context_window is None:
        lacking = f"{entry.name} has no context window in the built-in list" if entry else _not_listed(name)
        text = f"{lacking}; give `context_window: ...`, in tokens"
        problems.append(config.origin.problem(("models", name), text))
    max_output_tokens = settings.max_output_tokens or (entry.max_output_tokens if entry else None)
    listed = entry.capabilities if entry else ()
    quality, source = _quality(config, name, entry, prices)
    return {
        "name": name,
        "context_window": context_window,
        "max_output_tokens": max_output_tokens,
        "capabilities": list(listed if settings.capabilities is None else settings.capabilities),
        "quality": quality,
        "quality_source": source,
        "tokenizer": settings.tokenizer,
    }


def _quality(
    config: Config, name: str, entry: PriceEntry | None, prices: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, float], str]:
    """The configured quality, or the heuristic's of the list price, or of the dearest configured price.

    The dearest, because a host that undercuts the others does not make the model worse.
    """
    if (configured := config.models[name].quality) is not None:
        return dict(configured), "config"
    if entry:
        return {"default": price_heuristic(entry.price.input, entry.price.output)}, "price_heuristic"
    own = [
        (price["input"] or 0, price["output"] or 0)
        for deployment, price in zip(config.deployments, prices, strict=True)
        if deployment.model == name and price
    ]
    dearest = max(own, key=lambda price: blended_usd_per_mtok(*price), default=(0, 0))
    return {"default": price_heuristic(*dearest)}, "price_heuristic"


def _deployment(deployment: DeploymentSettings, prices: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": deployment.name,
        "model": deployment.model,
        "provider": deployment.provider,
        "tier": deployment.tier,
        "price_nano_usd_per_mtok": dict(prices),
        "latency": deployment.latency.model_dump(),
        "limits": deployment.limits.model_dump(),
        "parameters": None if deployment.parameters is None else list(deployment.parameters),
    }


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()
