"""YAML of models in the built-in price list, ready to paste."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import TYPE_CHECKING, Any

from pointsman.cli.model_table import usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pointsman.registry import PriceEntry

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")


def named_entries(names: Iterable[str]) -> tuple[list[PriceEntry], list[str]]:
    """Entries of the names, and a line for each name the list does not have."""
    from pointsman.registry import price_list

    entries, problems = [], []
    for name in names:
        if entry := price_list().find(name):
            entries.append(entry)
            continue
        near = price_list().nearest(name)
        hint = f"; nearest: {', '.join(near)}" if near else "; try --all-of PROVIDER"
        problems.append(f"{name!r} is not in the built-in price list{hint}")
    return list(dict.fromkeys(entries)), problems


def all_entries_of(provider: str, today: date) -> tuple[list[PriceEntry], list[str]]:
    """A provider's chat models that are not deprecated, or a line that says what is wrong with its name."""
    from pointsman.config.problems import suggest
    from pointsman.registry import price_list

    entries = price_list().of_provider(provider)
    if not entries:
        return [], [
            f"unknown provider {provider!r}; {suggest(provider, price_list().providers(), noun='providers')}"
        ]
    current = [entry for entry in entries if entry.mode == "chat" and not entry.is_deprecated(today)]
    return current, [] if current else [
        f"every chat model of {provider!r} in the built-in list is deprecated"
    ]


def snippet(entries: Sequence[PriceEntry]) -> str:
    """`providers`, `models` and `deployments` of the entries: a config by itself once the keys are set."""
    models = _model_names(entries)
    lines = ["providers:"]
    for provider in dict.fromkeys(provider for provider, _ in models):
        lines += _provider_lines(provider)
    lines.append("models:")
    for model in dict.fromkeys(models.values()):
        entry = next(entry for entry in entries if models[_key(entry)] == model)
        lines += _model_lines(model, entry)
    lines.append("deployments:")
    by_key = {_key(entry): entry for entry in reversed(entries)}
    for key, model in models.items():
        lines += _deployment_lines(model, by_key[key])
    return "\n".join(lines) + "\n"


def _model_names(entries: Sequence[PriceEntry]) -> dict[tuple[str, str], str]:
    """Model names by provider and upstream name: the last part of it, unless the provider has two such."""
    keys = list(dict.fromkeys(map(_key, entries)))
    owners: dict[tuple[str, str], str] = {}
    # The shortest upstream name gets the bare one: `gpt-4.1` before `eu/gpt-4.1`.
    for provider, upstream in sorted(keys, key=lambda key: len(key[1])):
        owners.setdefault((provider, _bare(upstream)), upstream)
    return {
        (provider, upstream): _bare(upstream) if owners[provider, _bare(upstream)] == upstream else upstream
        for provider, upstream in keys
    }


def _bare(upstream: str) -> str:
    return upstream.rpartition("/")[2]


def _key(entry: PriceEntry) -> tuple[str, str]:
    return _provider_of(entry), entry.name.removeprefix(f"{entry.provider}/")


def _provider_of(entry: PriceEntry) -> str:
    """Our name of the entry's provider."""
    from pointsman.config import KNOWN_PROVIDERS

    ours = {known.price_prefix: name for name, known in KNOWN_PROVIDERS.items()}
    return ours.get(entry.provider, entry.provider)


def _provider_lines(provider: str) -> list[str]:
    from pointsman.config import KNOWN_PROVIDERS

    if known := KNOWN_PROVIDERS.get(provider):
        return [
            f"  {provider}:",
            f"    base_url: {known.base_url}",
            f"    api_key: ${{{known.key_variables[0]}}}",
        ]
    variable = re.sub(r"\W", "_", provider).upper() + "_API_KEY"
    return [
        f"  {_scalar(provider)}:",
        "    base_url: https://example.invalid/v1  # set this to the OpenAI-compatible endpoint",
        f"    api_key: ${{{variable}}}",
    ]


def _model_lines(model: str, entry: PriceEntry) -> list[str]:
    from pointsman.registry.heuristic import price_heuristic

    guess = price_heuristic(entry.price.input, entry.price.output)
    lines = [f"  {_scalar(model)}:"]
    if entry.deprecation_date:
        lines.append(f"    # deprecated from {entry.deprecation_date}")
    lines.append(f"    # quality: {guess:.2f}  # guessed from the price; measure it and set your own")
    lines.append(
        f"    context_window: {entry.context_window}"
        if entry.context_window
        else "    context_window: 8192  # not in the list; check it"
    )
    if entry.max_output_tokens:
        lines.append(f"    max_output_tokens: {entry.max_output_tokens}")
    return [*lines, f"    capabilities: [{', '.join(entry.capabilities)}]"]


def _deployment_lines(model: str, entry: PriceEntry) -> list[str]:
    from pointsman.registry.document import listed_prices

    prices = listed_prices(entry, "default")
    shown = _rates(prices)
    if long_context := prices["long_context"]:
        listed = ", ".join(
            f"{{above_tokens: {long['above_tokens']}, {_rates(long)}}}" for long in long_context
        )
        shown += f", long_context: [{listed}]"
    provider, upstream = _key(entry)
    lines = [f"  - model: {_scalar(model)}", f"    provider: {_scalar(provider)}"]
    if upstream != model:
        lines.append(f"    upstream_model: {_scalar(upstream)}")
    return [*lines, f"    price_usd_per_mtok: {{{shown}}}"]


def _rates(prices: Mapping[str, Any]) -> str:
    keys = (key for key in prices if key not in ("above_tokens", "long_context"))
    return ", ".join(f"{key}: {usd(prices[key])}" for key in keys if prices[key] is not None)


def _scalar(text: str) -> str:
    """The text as YAML: plain where that is safe, else quoted as JSON, which YAML reads alike."""
    is_word = text.lower() not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    return text if is_word and _PLAIN.fullmatch(text) else json.dumps(text)
