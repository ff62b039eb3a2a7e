"""What is not wrong in a config but will surprise: deprecated models, stale prices, models nobody serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from pointsman.cli.model_table import usd

if TYPE_CHECKING:
    from pointsman.config import Config
    from pointsman.registry import PriceEntry

# A configured price further than this from the list's is worth a look; a discount agreement is within it.
MAX_PRICE_DIFFERENCE = 0.20


def warnings_of(config: Config, document: Mapping[str, Any], today: date) -> list[str]:
    """One line a warning, each with its place in the config.

    Args:
        config: The config.
        document: Its catalog document.
        today: Models deprecated by this day are warned of.
    """
    from pointsman.registry.document import find_entry

    found: list[str] = []
    priced = {each["name"]: each["price_nano_usd_per_mtok"] for each in document["deployments"]}
    for index, deployment in enumerate(config.deployments):
        if entry := find_entry(config, deployment):
            path = ("deployments", index)
            prices = priced.get(deployment.name, {})
            texts = [*_about_the_model(entry, today), *_about_the_price(entry, deployment.tier, prices)]
            found += [config.origin.problem(path, f"{deployment.name}: {text}") for text in texts]
    deployed = {deployment.model for deployment in config.deployments}
    for model in config.models:
        if model not in deployed:
            text = "has no deployment, so it never answers; add one or remove it"
            found.append(config.origin.problem(("models", model), text))
    return config.origin.in_order(found)


def _about_the_model(entry: PriceEntry, today: date) -> Iterator[str]:
    if entry.is_deprecated(today):
        yield f"{entry.name} is deprecated since {entry.deprecation_date}; choose a newer model"
    if entry.mode == "responses":
        yield f"{entry.name} answers on /v1/responses only; chat requests to it will fail"


def _about_the_price(entry: PriceEntry, tier: str, prices: Mapping[str, Any]) -> Iterator[str]:
    listed = entry.tier_price(tier)
    if listed is None:
        return
    for key in ("input", "cached_input", "cache_write", "output"):
        ours, theirs = prices.get(key), getattr(listed, key)
        if ours is None or theirs is None or abs(ours - theirs) <= MAX_PRICE_DIFFERENCE * theirs:
            continue
        share = f"{(ours - theirs) / theirs:+.0%}" if theirs else "listed as free"
        yield (
            f"{key} price {usd(ours)} differs from the built-in list's {usd(theirs)} ({share}) "
            "US dollars per 1M tokens; check it"
        )
